/**
 * Downscaling a global field of 128 x 256 to 512 x 1024 in tiles: memory and time beside the same network over the whole field
 * at once, and the largest difference between the two. Each way in a process of its own, so that its peak memory is its own.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { initialise } from "../src/engine/parameters.js";
import { openInline } from "../src/engine/runtime.node.js";
import { rectilinear } from "../src/earth/regrid/index.js";
import { parseDownscaleConfig } from "../src/tasks/downscale/config.js";
import { fitDownscaling } from "../src/tasks/downscale/fitted.js";
import { trainingNetwork } from "../src/tasks/downscale/network.js";
import { areaMeans, type Pairs } from "../src/tasks/downscale/pairs.js";
import { refined } from "../src/tasks/downscale/places.js";
import { createPredictor } from "../src/tasks/downscale/predict.js";
import { random } from "../src/tensor/random.js";
import { type BenchRow, row } from "./row.js";

const [ROWS, COLUMNS, FACTOR, TILE] = [128, 256, 4, 128];

export interface DownscaleFigures {
  seconds: number;
  /** Peak memory beyond what the process had before the first field. */
  mb: number;
  /** Every 97th value of the fine field. */
  values: number[];
}

/** One field, in tiles or whole. The U-Net of the defaults, with parameters away from their zero start. */
export async function downscaleFigures(tiled: boolean): Promise<DownscaleFigures> {
  const config = parseDownscaleConfig({
    data: { fine: { path: "memory" }, factors: [[FACTOR, FACTOR]] },
    downscale: { head: "mean", localClimate: false },
  });
  const coarse = rectilinear(
    Float64Array.from({ length: ROWS }, (_, i) => 90 - (180 / ROWS) * (i + 0.5)),
    Float64Array.from({ length: COLUMNS }, (_, j) => (360 / COLUMNS) * j),
  );
  const fitted = fitDownscaling(samplePairs(), config, [0, 1, 2, 3]);
  const { parameters } = trainingNetwork(config, fitted, { batch: 1, rows: 8, columns: 8 }, { dropout: false });
  const rng = random(5);
  const numbers = new Map(
    [...initialise(parameters, { seed: 1 })].map(([name, a]) => [
      name,
      { ...a, data: a.data.map((v) => v + 0.02 * rng.normal()) },
    ]),
  );
  const field = new Float32Array(ROWS * COLUMNS).map(() => 280 + 10 * rng.normal());
  const fine = refined(coarse, FACTOR, FACTOR);
  const runtime = await openInline({ threads: 2 });
  const before = process.resourceUsage().maxRSS;
  const began = performance.now();
  const setting = { coarse, fine, mapValues: new Float32Array(0) };
  const predictor = await createPredictor(runtime, { config, fitted, members: [numbers] }, setting);
  const out = new Float32Array(fine.rows * fine.columns);
  for (const tile of predictor.tiles(tiled ? TILE : undefined)) {
    const [{ mean }] = await predictor.predict(tile, [field], [0]);
    const { inside } = tile;
    for (let r = 0; r < inside.rows; r++)
      out.set(
        mean.subarray(r * inside.columns, (r + 1) * inside.columns),
        (inside.row + r) * fine.columns + inside.column,
      );
  }
  const seconds = (performance.now() - began) / 1000;
  return {
    seconds,
    mb: (process.resourceUsage().maxRSS - before) / 1024,
    values: Array.from(out).filter((_, i) => i % 97 === 0),
  };
}

/** A few small fields to fit the normalisation to. */
function samplePairs(): Pairs {
  const grid = refined(rectilinear([50, 46, 42], [0, 4, 8]), FACTOR, FACTOR);
  const rng = random(3);
  const fine = new Float32Array(4 * grid.rows * grid.columns).map(() => 280 + 10 * rng.normal());
  return {
    times: Float64Array.of(0, 1, 2, 3).map((h) => h * 3_600_000),
    calendar: "standard",
    grid,
    targets: ["2t"],
    targetUnits: ["K"],
    fine,
    predictors: ["2t"],
    predictorUnits: ["K"],
    coarse: [areaMeans(fine, grid, FACTOR, FACTOR)],
    maps: [],
    mapValues: new Float32Array(0),
  };
}

export function downscaleRows(): BenchRow[] {
  const self = fileURLToPath(import.meta.url);
  const run = (way: string) =>
    JSON.parse(
      execFileSync(process.execPath, [self, `--downscale-${way}`], { encoding: "utf8", maxBuffer: 1 << 26 }),
    ) as DownscaleFigures;
  const [tiled, whole] = [run("tiled"), run("whole")];
  const difference = Math.max(...tiled.values.map((v, i) => Math.abs(v - whole.values[i])));
  const name = `downscaling ${ROWS} x ${COLUMNS} to ${ROWS * FACTOR} x ${COLUMNS * FACTOR} in tiles`;
  return [
    row(`${name}, memory beside the whole at once`, "MB", "less", tiled.mb, whole.mb, 1.5),
    row(`${name}, time`, "s", "less", tiled.seconds, whole.seconds, 0.5),
    // A yardstick of float32: 1e-3 K of 280 K
    row(`${name}, largest difference`, "K", "less", Math.max(difference, 1e-9), 1e-3, 1),
  ];
}
