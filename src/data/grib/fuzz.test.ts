import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { fuzzGrib, seedsOf } from "./fixtures/fuzz.js";

const seeds = await seedsOf(readFileSync(new URL("fixtures/packings.grib", import.meta.url)));

it("mutated and truncated messages end in values or an error that names the file", async () => {
  const result = await fuzzGrib(seeds, 600, 1);
  expect(result.read + result.refused).toBe(600);
  expect(result.slowestMs).toBeLessThan(5000);
});
