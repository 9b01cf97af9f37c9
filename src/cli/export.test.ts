import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dayOfYear, hourOfDay } from "../earth/time.js";
import { openInline } from "../engine/runtime.node.js";
import type { Runtime } from "../engine/runtime.js";
import { coarseAt, type Pairs } from "../tasks/downscale/pairs.js";
import { createPredictor } from "../tasks/downscale/predict.js";
import { openDownscaleRun, trainDownscaleRun } from "../tasks/downscale/run.node.js";
import { pairsFor, settings } from "../tasks/downscale/testing.js";
import { float32 } from "../tensor/ndarray.js";
import { command } from "./export.js";

const folder = mkdtempSync(path.join(tmpdir(), "foehn-export-"));
const at = (name: string) => path.join(folder, name);
let runtime: Runtime;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
});
afterAll(async () => {
  await runtime.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command; its JSON on standard output is what it gives back. */
async function exported(...words: string[]): Promise<Record<string, unknown>> {
  const write = process.stdout.write.bind(process.stdout);
  let text = "";
  process.stdout.write = (part: string) => ((text += part), true);
  try {
    await command(() => {})
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseAsync([...words, "--json", "--quiet"], { from: "user" });
  } finally {
    process.stdout.write = write;
  }
  return JSON.parse(text) as Record<string, unknown>;
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i])));
};

describe("a downscaling run", () => {
  const config = settings({
    data: {
      fine: { path: "fine" },
      factors: [
        [4, 4],
        [2, 4],
      ],
    },
    downscale: { head: "quantile", quantiles: 4 },
    training: { steps: 6, batch: 2, microBatch: 2, warmup: 2, validateEvery: 3, validationSamples: 4 },
  });
  let pairs: Pairs;
  beforeAll(async () => {
    pairs = await pairsFor(config);
    await trainDownscaleRun({ run: at("run"), config, pairs, runtime });
  }, 60_000);

  it("is one file from raw coarse fields to what `foehn downscale` makes, for the run's first factors and for others", async () => {
    const model = await openDownscaleRun(at("run"));
    for (const [k, words] of [[], ["--factor", "2,4"]].entries()) {
      const file = at(`fine-${k}.onnx`);
      const facts = await exported(at("run"), ...words, "--out", file);
      expect(facts).toMatchObject({ file, cells: ["4 x 6 cells to 16 x 24", "8 x 6 cells to 16 x 24"][k] });
      const set = pairs.coarse[k];
      const [coarse, time] = [coarseAt(pairs, set, 7), pairs.times[7]];
      const session = await runtime.load(readFileSync(file));
      const made = await session.run({
        coarse: float32([1, 1, set.grid.latitudes.length, set.grid.longitudes.length], coarse),
        day_of_year: float32([1], [dayOfYear(time)]),
        hour: float32([1], [hourOfDay(time)]),
      });
      await session.close();
      const setting = { coarse: set.grid, fine: pairs.grid, mapValues: pairs.mapValues };
      const predictor = await createPredictor(runtime, model, setting);
      const [own] = await predictor.predict(predictor.tiles()[0], [coarse], [time]);
      await predictor.close();
      // of 280 K in float32
      expect(largest(made["mean"].data as Float32Array, own.mean)).toBeLessThan(1e-3);
      const quantiles = Float32Array.from(own.quantiles.flatMap((q) => [...q]));
      expect(largest(made["quantiles"].data as Float32Array, quantiles)).toBeLessThan(1e-3);
    }
  });

  it("lies in its folder where no file is named, its card inside", async () => {
    expect(await exported(at("run"))).toMatchObject({ file: at("run/downscale.onnx") });
    expect(existsSync(at("run/downscale.onnx"))).toBe(true);
    expect(readFileSync(at("run/downscale.onnx")).includes("## Limits")).toBe(true);
  });

  it("refuses what belongs to other runs, with the remedy", async () => {
    await expect(exported(at("run"), "--lead", "24")).rejects.toThrow(
      /--lead is for runs of forecasting.*leave it out/,
    );
    await expect(exported(at("run"), "--shrink")).rejects.toThrow(/'edsr' goes one way/);
    await expect(exported(at("run"), "--factor", "0.5")).rejects.toThrow(/--factor 0.5: write it as 4 or as 4,6/);
    await expect(exported(at("nothing"))).rejects.toThrow(/not the folder of a run/);
  });
});

describe("an invertible run", () => {
  it("is two files: small to fine, and by --shrink fine to small", async () => {
    const config = settings({
      model: { name: "invertible", width: 4, blocks: 1 },
      downscale: { head: "mean" },
      training: { steps: 4, batch: 2, microBatch: 2, warmup: 2, validateEvery: 4, validationSamples: 4 },
    });
    const pairs = await pairsFor(config);
    await trainDownscaleRun({ run: at("small"), config, pairs, runtime });
    for (const [words, input, output] of [
      [[], [1, 1, 4, 6], [1, 1, 16, 24]],
      [["--shrink"], [1, 1, 16, 24], [1, 1, 4, 6]],
    ] as const) {
      const file = at(`direction-${words.length}.onnx`);
      await exported(at("small"), ...words, "--out", file);
      const session = await runtime.load(readFileSync(file));
      const [from, to] = words.length === 0 ? ["coarse", "fine"] : ["fine", "coarse"];
      const size = input.reduce<number>((a, b) => a * b, 1);
      const made = await session.run({ [from]: float32([...input], new Float32Array(size).fill(280)) });
      await session.close();
      expect(made[to].shape).toEqual(output);
    }
  });
});
