/**
 * Training and inference of a plain ViT (batch 8, 512 tokens, width 256, depth 4) beside `../shared/peers/vit_torch.py`, the
 * machine's own best matrix product, and the cost of building graphs.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { adamW } from "../src/engine/optimiser.js";
import { initialise, scope, truncatedNormal } from "../src/engine/parameters.js";
import type { Runtime } from "../src/engine/runtime.js";
import { openInline, openRuntime } from "../src/engine/runtime.node.js";
import { createTrainer } from "../src/engine/train.js";
import { checkpoint } from "../src/graph/checkpoint.js";
import { exportOnnx } from "../src/graph/export.js";
import { gradients } from "../src/graph/grad.js";
import { Graph, type Tensor } from "../src/graph/graph.js";
import { add, matmul, reduceMean, square, sub } from "../src/graph/ops.js";
import { block, dense, norm } from "../src/models/layers.js";
import { sizeOf, zeros } from "../src/tensor/ndarray.js";
import { productsPart } from "./profile.js";
import { type BenchRow, row } from "./row.js";
import { median, noise, times } from "./timing.js";

const SIZE = { batch: 8, tokens: 512, dim: 256, depth: 4, heads: 4, channels: 64 };
/** Samples that go through at once: their activations then stay in the caches. */
const MICRO_BATCH = 1;

function network(batch: number, size = SIZE, options: { recompute?: boolean } = {}) {
  const graph = new Graph("vit");
  const p = scope(graph);
  const x = graph.input("x", "float32", [batch, size.tokens, size.channels]);
  const y = graph.input("y", "float32", [batch, size.tokens, size.channels]);
  let h: Tensor = add(
    dense(p.child("embed"), x, size.dim),
    p.param("position", [size.tokens, size.dim], truncatedNormal(0.02)),
  );
  for (let i = 0; i < size.depth; i++) {
    const layer = (t: Tensor) => block(p.child(`blocks.${i}`), t, { heads: size.heads });
    h = options.recompute ? checkpoint(layer, [h]) : layer(h);
  }
  const out = dense(p.child("head"), norm(p.child("norm"), h), size.channels);
  return { graph, scope: p, out, loss: reduceMean(square(sub(out, y))) };
}

/** Measured in a process of its own, so that its peak memory is its own. */
interface VitFigures {
  train_ms: number;
  /** Differentiating, writing and loading the graphs of a step: what the first step takes longer. */
  start_ms: number;
  infer_ms: number;
  optimiser_part: number;
  peak_rss_mb: number;
  gflops: number;
}

export async function vitFigures(options: { recompute?: boolean } = {}): Promise<VitFigures> {
  const runtime = await openRuntime();
  const { graph, scope: p, loss } = network(MICRO_BATCH, SIZE, options);
  const began = performance.now();
  const parameters = initialise(p, { seed: 1 });
  const trainer = await createTrainer(runtime, { loss, parameters, optimiser: adamW({ weightDecay: 0 }) });
  const shape = [MICRO_BATCH, SIZE.tokens, SIZE.channels];
  const batches = Array.from({ length: SIZE.batch / MICRO_BATCH }, (_, i) => ({
    x: noise(shape, 2 * i),
    y: noise(shape, 2 * i + 1),
  }));
  await trainer.train(batches, { learningRate: 1e-3 });
  const first = performance.now() - began;
  const train = await times(6, () => trainer.train(batches, { learningRate: 1e-3 }));
  const peak = process.resourceUsage().maxRSS;
  const parts = { ...trainer.timings };
  const { out } = network(SIZE.batch);
  const session = await runtime.load(exportOnnx(out.graph, { outputs: new Map([["out", out]]), parameters }));
  const x = noise([SIZE.batch, SIZE.tokens, SIZE.channels], 9);
  const infer = await times(6, () => session.run({ x }));
  const count = graph.parameters.reduce((n, t) => n + sizeOf(t.shape), 0);
  const flops =
    3 *
    (2 * SIZE.batch * SIZE.tokens * (count - SIZE.tokens * SIZE.dim) +
      SIZE.depth * 4 * SIZE.batch * SIZE.tokens ** 2 * SIZE.dim);
  return {
    train_ms: train,
    start_ms: first - train,
    infer_ms: infer,
    optimiser_part: parts.update / Object.values(parts).reduce((a, b) => a + b, 0),
    peak_rss_mb: peak / 1024,
    gflops: flops / train / 1e6,
  };
}

/** GFLOP/s of the fastest square matrix product of 1024 or 2048. */
async function bestMatmul(runtime: Runtime): Promise<number> {
  let best = 0;
  for (const n of [1024, 2048]) {
    const graph = new Graph("product");
    graph.output("y", matmul(graph.input("a", "float32", [n, n]), graph.input("b", "float32", [n, n])));
    const session = await runtime.load(exportOnnx(graph));
    const a = await runtime.keep(noise([n, n], 1));
    const y = await runtime.keep(zeros("float32", [n, n]));
    for (let i = 0; i < 8; i++) {
      const began = performance.now();
      await session.run({ a, b: a }, { into: { y } });
      best = Math.max(best, (2 * n ** 3) / (performance.now() - began) / 1e6);
    }
  }
  return best;
}

function buildMilliseconds(): number {
  const began = performance.now();
  const { graph, loss } = network(1, { ...SIZE, depth: 24 });
  const grads = gradients(loss, graph.parameters);
  exportOnnx(graph, { outputs: new Map(graph.parameters.map((p, i) => [`g/${p.name}`, grads[i]])) });
  return performance.now() - began;
}

export async function engineRows(): Promise<BenchRow[]> {
  // Ours and the yardstick in turn, each in a process of its own, so that a drifting machine meets both
  const self = fileURLToPath(import.meta.url);
  const figures = (flag: string) =>
    JSON.parse(execFileSync(process.execPath, [self, flag], { encoding: "utf8" })) as VitFigures;
  const ours: VitFigures[] = [];
  const recomputing: VitFigures[] = [];
  const theirs: TorchFigures[] = [];
  for (let i = 0; i < 3; i++) {
    ours.push(figures("--vit"));
    recomputing.push(figures("--vit-recompute"));
    const t = torch();
    if (t) theirs.push(t);
  }
  const of = <T>(all: T[], key: keyof T): number | null =>
    all.length === 0 ? null : median(all.map((f) => f[key] as number));
  const runtime = await openInline();
  const matmulSpeed = await bestMatmul(runtime);
  const products = await productsPart(network(MICRO_BATCH).loss);
  const build = median(Array.from({ length: 5 }, buildMilliseconds));
  return [
    row("ViT training step", "ms", "less", of(ours, "train_ms")!, of(theirs, "train_ms"), 2.2),
    row("ViT training step, of the best matrix product", "GFLOP/s", "more", of(ours, "gflops")!, matmulSpeed, 0.85),
    row("the same, its products alone", "GFLOP/s", "more", of(ours, "gflops")! / products, matmulSpeed, null),
    row("ViT inference", "ms", "less", of(ours, "infer_ms")!, of(theirs, "infer_ms"), 1),
    row("ViT training, peak memory", "MB", "less", of(ours, "peak_rss_mb")!, of(theirs, "peak_rss_mb"), 1),
    row(
      "ViT training with recomputation, peak memory",
      "MB",
      "less",
      of(recomputing, "peak_rss_mb")!,
      of(theirs, "peak_rss_mb"),
      2,
    ),
    row(
      "ViT training with recomputation, beside 1.4 times the step without",
      "ms",
      "less",
      of(recomputing, "train_ms")!,
      1.4 * of(ours, "train_ms")!,
      1,
    ),
    row("start-up of a training, beside one step", "ms", "less", of(ours, "start_ms")!, of(ours, "train_ms"), null),
    row("optimiser's part of the step", "%", "less", 100 * of(ours, "optimiser_part")!, 6, 1),
    row("building and differentiating 24 blocks", "ms", "less", build, 300, 1),
  ];
}

interface TorchFigures {
  train_ms: number;
  infer_ms: number;
  peak_rss_mb: number;
}

/** The yardstick's figures, where Debian's PyTorch and the script are there. */
function torch(): TorchFigures | undefined {
  const script = path.resolve(process.env["FOEHN_SHARED"] ?? "../shared", "peers/vit_torch.py");
  if (!existsSync(script) || !existsSync("/usr/bin/python3")) return undefined;
  const result = spawnSync("/usr/bin/python3", [script], {
    encoding: "utf8",
    env: { ...process.env, OMP_WAIT_POLICY: "PASSIVE", OPENBLAS_NUM_THREADS: "2" },
  });
  return result.status === 0 ? (JSON.parse(result.stdout) as TorchFigures) : undefined;
}
