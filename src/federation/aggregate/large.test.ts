import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { aggregate, robustRule } from "./aggregate.js";
import { fileRows, removeRows, writeRow } from "./file-rows.node.js";
import { onnxKernels } from "./kernels-onnx.node.js";
import { memoryRows } from "./rows.js";

describe("rows on disk and ONNX kernels", () => {
  const rng = random(8);
  const updates = Array.from({ length: 12 }, (_, i) => Float32Array.from({ length: 1001 }, () => rng.normal() + i / 6));
  let folder: string;
  let files: string[];
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "foehn-rows-"));
    files = await Promise.all(updates.map((u, i) => writeRow(folder, `${i}`, u)));
  });
  afterAll(() => removeRows(folder));

  it.each(["mean", "median", "multi-krum", "nnm+trimmed-mean", "geometric-median"])(
    "%s is the same as in memory with plain arithmetic",
    async (name) => {
      const rule = robustRule(name, { f: 3 });
      const rows = await fileRows(files, 1001);
      const got = await aggregate(rows, rule, { kernels: await onnxKernels(), blockSize: 300 });
      await rows.close();
      const expected = await aggregate(memoryRows(updates), rule);
      got.forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThan(2e-6));
    },
  );

  it("says which file has the wrong size", async () => {
    await expect(fileRows(files, 1000)).rejects.toThrow(/0\.f32: holds 4004 bytes, not the 4000/);
  });
});
