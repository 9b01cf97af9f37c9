/**
 * The published sizes on this machine: ClimaX's 108 million parameters forecasting a step, and a training step of ClimateLearn's
 * ViT on 5.625-degree fields of 49 channels beside the same network in PyTorch (`peers/climatelearn_vit_torch.py`).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { adamW } from "../src/engine/optimiser.js";
import { initialise, scope } from "../src/engine/parameters.js";
import { openRuntime } from "../src/engine/runtime.node.js";
import { createTrainer } from "../src/engine/train.js";
import { exportOnnx } from "../src/graph/export.js";
import { Graph } from "../src/graph/graph.js";
import { reduceMean, square, sub } from "../src/graph/ops.js";
import { preset, resolveModel } from "../src/models/index.js";
import { type BenchRow, row } from "./row.js";
import { median, noise, times } from "./timing.js";

const [ROWS, COLUMNS, CONDITION] = [32, 64, 13];
const spaced = (n: number, from: number, step: number) => Array.from({ length: n }, (_, i) => from + i * step);

/** A preset on 5.625 degrees, `each` maps a variable. */
function network(name: string, options: { batch: number; channels: number; maps: number; each: number }) {
  const { batch, channels, maps, each } = options;
  const graph = new Graph(name);
  const p = scope(graph);
  const { architecture, settings } = resolveModel({ ...preset(name).model, dropout: 0 });
  const y = architecture.write(
    p,
    {
      fields: graph.input("fields", "float32", [batch, maps, ROWS, COLUMNS]),
      condition: graph.input("condition", "float32", [batch, CONDITION]),
      channels,
      global: true,
      variables: Array.from({ length: channels }, (_, c) => ({ name: `v${c}`, maps: spaced(each, c * each, 1) })),
      shared: [],
      latitudes: spaced(ROWS, -87.1875, 5.625),
      longitudes: spaced(COLUMNS, 0, 5.625),
    },
    settings,
  );
  return { graph, scope: p, y };
}

/** Milliseconds of one forecast step of ClimaX with 48 variables in and out, and the memory its process took. */
export async function climaxFigures(): Promise<{ step_ms: number; peak_rss_mb: number }> {
  const runtime = await openRuntime();
  const { graph, scope: p, y } = network("climax-5.6", { batch: 1, channels: 48, maps: 48, each: 1 });
  const session = await runtime.load(
    exportOnnx(graph, { outputs: new Map([["y", y]]), parameters: initialise(p, { seed: 1 }) }),
  );
  const feeds = { fields: noise([1, 48, ROWS, COLUMNS], 1), condition: noise([1, CONDITION], 2) };
  const step = await times(5, () => session.run(feeds));
  await runtime.close();
  return { step_ms: step, peak_rss_mb: process.resourceUsage().maxRSS / 1024 };
}

const TRAINING = { batch: 16, microBatch: 1, channels: 3, maps: 147 };

/** Milliseconds of one training step of ClimateLearn's ViT, dropout off on both sides. */
export async function climatelearnFigures(): Promise<{ train_ms: number }> {
  const runtime = await openRuntime();
  const { batch, microBatch, channels, maps } = TRAINING;
  const { graph, scope: p, y } = network("climatelearn-vit", { batch: microBatch, channels, maps, each: 1 });
  const truth = graph.input("truth", "float32", y.shape);
  const loss = reduceMean(square(sub(y, truth)));
  const trainer = await createTrainer(runtime, {
    loss,
    parameters: initialise(p, { seed: 1 }),
    optimiser: adamW({ weightDecay: 1e-5 }),
  });
  const batches = Array.from({ length: batch / microBatch }, (_, i) => ({
    fields: noise([microBatch, maps, ROWS, COLUMNS], 3 * i),
    condition: noise([microBatch, CONDITION], 3 * i + 1),
    truth: noise(y.shape, 3 * i + 2),
  }));
  const train = await times(5, () => trainer.train(batches, { learningRate: 5e-4 }));
  await runtime.close();
  return { train_ms: train };
}

export async function modelRows(): Promise<BenchRow[]> {
  // Ours and the yardstick in turn, each in a process of its own, so that a drifting machine meets both
  const self = fileURLToPath(import.meta.url);
  const own = <T>(flag: string): T =>
    JSON.parse(execFileSync(process.execPath, [self, flag], { encoding: "utf8" })) as T;
  const climax: number[] = [];
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < 3; i++) {
    climax.push(own<{ step_ms: number }>("--climax").step_ms);
    ours.push(own<{ train_ms: number }>("--climatelearn").train_ms);
    const t = torch();
    if (t !== undefined) theirs.push(t);
  }
  return [
    row(
      "climax-5.6 (108 M parameters), a forecast step, beside the 1.5 s allowed",
      "ms",
      "less",
      median(climax),
      1500,
      1,
    ),
    row(
      `climatelearn-vit, a training step of ${TRAINING.batch} samples`,
      "ms",
      "less",
      median(ours),
      theirs.length > 0 ? median(theirs) : null,
      2,
    ),
  ];
}

/** The yardstick's milliseconds, where Debian's PyTorch is there. */
function torch(): number | undefined {
  const script = path.resolve("bench/peers/climatelearn_vit_torch.py"); // npm runs in the repository's root
  if (!existsSync(script) || !existsSync("/usr/bin/python3")) return undefined;
  const result = spawnSync("/usr/bin/python3", [script, "--batch", String(TRAINING.batch)], {
    encoding: "utf8",
    env: { ...process.env, OMP_WAIT_POLICY: "PASSIVE", OPENBLAS_NUM_THREADS: "2" },
  });
  return result.status === 0 ? (JSON.parse(result.stdout) as { train_ms: number }).train_ms : undefined;
}
