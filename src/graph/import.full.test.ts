import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { FoehnError } from "../errors.js";
import { describeModel } from "./describe.js";
import { importOnnx } from "./import.js";
import { mutations } from "./testing/mutate.js";

it("reads or refuses 10,000 broken files, in bounded time and memory", async () => {
  let refused = 0;
  for (const [k, name] of ["convolutional", "attention", "recurrent"].entries()) {
    const bytes = await readFile(new URL(`fixtures/torch-${name}.onnx`, import.meta.url));
    for (const mutated of mutations(bytes, { seed: 100 + k, count: 3334 }))
      for (const read of [importOnnx, describeModel]) {
        const start = performance.now();
        try {
          read(mutated, { source: "mutated", dims: { batch: 2 } });
        } catch (error) {
          expect(error).toBeInstanceOf(FoehnError);
          expect((error as Error).message).toMatch(/^mutated/);
          refused++;
        }
        expect(performance.now() - start).toBeLessThan(5000);
      }
  }
  expect(refused).toBeGreaterThan(1000);
});
