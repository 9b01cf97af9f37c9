import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { fuzzGrib, seedsOf } from "./fixtures/fuzz.js";

const read = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const seeds = [...(await seedsOf(read("packings.grib"))), ...(await seedsOf(read("grids.grib")))];

it.each([1, 2] as const)(
  "10,000 mutated messages of edition %i end in values or an error that names the file",
  async (edition) => {
    const own = seeds.filter((bytes) => bytes[7] === edition);
    const result = await fuzzGrib(own, 10_000, edition);
    expect(result.read + result.refused).toBe(10_000);
    expect(result.slowestMs).toBeLessThan(10_000);
  },
);
