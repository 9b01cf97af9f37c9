import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { fuzzGrib, seedsOf } from "./fixtures/fuzz.js";

const ROUNDS = Number(process.env["FOEHN_FUZZ"] ?? 10_000);
const read = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const labels = (JSON.parse(read("packings.json").toString()) as [label: string, points: number][]).map(
  ([label]) => label,
);
const messages = await seedsOf(read("packings.grib"));

/** The fixture's messages by edition and packing: `2 grid_ccsds`. */
const packings = new Map<string, Uint8Array[]>();
messages.forEach((message, i) => {
  const packing = labels[i].split(" ").slice(0, 2).join(" ");
  packings.set(packing, [...(packings.get(packing) ?? []), message]);
});
const kinds = [...packings].map(([name, seeds]): [string, Uint8Array[]] => [`edition ${name}`, seeds]);
kinds.push(["grids of every kind", await seedsOf(read("grids.grib"))]);

it("the fixture has a label for each message", () => expect(messages.length).toBe(labels.length));

it.each(kinds)("mutated messages of %s end in values or an error that names the file", async (_, seeds) => {
  const result = await fuzzGrib(seeds, ROUNDS, seeds.length);
  expect(result.read + result.refused).toBe(ROUNDS);
  expect(result.slowestMs).toBeLessThan(10_000);
});
