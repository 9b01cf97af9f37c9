/**
 * Training and inference of a plain convolutional U-Net (1.9 million parameters, fields of 64 x 64) beside
 * `../shared/peers/unet_torch.py`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { adamW } from "../src/engine/optimiser.js";
import { he, initialise, scope, type Scope, zero } from "../src/engine/parameters.js";
import { openRuntime } from "../src/engine/runtime.node.js";
import { createTrainer } from "../src/engine/train.js";
import { exportOnnx } from "../src/graph/export.js";
import { Graph, type Tensor } from "../src/graph/graph.js";
import { concat, conv, emit, gelu, reduceMean, square, sub, upsample } from "../src/graph/ops.js";
import { productsPart } from "./profile.js";
import { type BenchRow, row } from "./row.js";
import { median, noise, times } from "./timing.js";

/** The yardstick's defaults. */
const SIZE = { batch: 8, size: 64, width: 64, channels: 32 };
/** Samples that go through at once: their activations then stay in the caches. */
const MICRO_BATCH = 1;

/** A convolution of kernel k with bias, the size kept. */
function convolution(p: Scope, x: Tensor, channels: number, k: number): Tensor {
  const w = p.param("w", [channels, x.shape[1], k, k], he);
  const reach = (k - 1) / 2;
  return conv(x, w, p.param("b", [channels], zero), { pads: [reach, reach, reach, reach] });
}
const double = (p: Scope, x: Tensor, channels: number): Tensor =>
  gelu(convolution(p.child("b"), gelu(convolution(p.child("a"), x, channels, 3)), channels, 3));
const down = (x: Tensor): Tensor => emit("AveragePool", [x], { kernel_shape: [2, 2], strides: [2, 2] })[0];
const up = (x: Tensor): Tensor => upsample(x, [2, 2]);

function network(batch: number, { size, width, channels } = SIZE) {
  const graph = new Graph("unet");
  const p = scope(graph);
  const x = graph.input("x", "float32", [batch, channels, size, size]);
  const y = graph.input("y", "float32", x.shape);
  const s1 = double(p.child("d1"), x, width);
  const s2 = double(p.child("d2"), down(s1), 2 * width);
  const middle = double(p.child("mid"), down(s2), 4 * width);
  const u2 = double(p.child("u2"), concat([up(middle), s2], 1), 2 * width);
  const u1 = double(p.child("u1"), concat([up(u2), s1], 1), width);
  const out = convolution(p.child("out"), u1, channels, 1);
  return { graph, scope: p, out, loss: reduceMean(square(sub(out, y))) };
}

interface Figures {
  train_ms: number;
  infer_ms: number;
  peak_rss_mb: number;
}

/** Measured in a process of its own, so that its peak memory is its own. */
export async function unetFigures(): Promise<Figures> {
  const runtime = await openRuntime();
  const { graph, scope: p, loss } = network(MICRO_BATCH);
  const parameters = initialise(p, { seed: 1 });
  const trainer = await createTrainer(runtime, { loss, parameters, optimiser: adamW({ weightDecay: 0 }) });
  const shape = graph.inputs[0].shape;
  const batches = Array.from({ length: SIZE.batch / MICRO_BATCH }, (_, i) => ({
    x: noise(shape, 2 * i),
    y: noise(shape, 2 * i + 1),
  }));
  const train = await times(6, () => trainer.train(batches, { learningRate: 1e-3 }));
  const peak = process.resourceUsage().maxRSS;
  const { out } = network(SIZE.batch);
  const session = await runtime.load(exportOnnx(out.graph, { outputs: new Map([["out", out]]), parameters }));
  const x = noise([SIZE.batch, ...shape.slice(1)], 9);
  const infer = await times(6, () => session.run({ x }));
  return { train_ms: train, infer_ms: infer, peak_rss_mb: peak / 1024 };
}

/** The yardstick's figures, where Debian's PyTorch and the script are there. */
function torch(): Figures | undefined {
  const script = path.resolve(process.env["FOEHN_SHARED"] ?? "../shared", "peers/unet_torch.py");
  if (!existsSync(script) || !existsSync("/usr/bin/python3")) return undefined;
  const env = { ...process.env, OMP_WAIT_POLICY: "PASSIVE", OPENBLAS_NUM_THREADS: "2" };
  const result = spawnSync("/usr/bin/python3", [script], { encoding: "utf8", env });
  return result.status === 0 ? (JSON.parse(result.stdout) as Figures) : undefined;
}

export async function unetRows(): Promise<BenchRow[]> {
  // Ours and the yardstick in turn, each in a process of its own, so that a drifting machine meets both
  const ours: Figures[] = [];
  const theirs: Figures[] = [];
  const self = fileURLToPath(import.meta.url);
  for (let i = 0; i < 3; i++) {
    ours.push(JSON.parse(execFileSync(process.execPath, [self, "--unet"], { encoding: "utf8" })) as Figures);
    const t = torch();
    if (t) theirs.push(t);
  }
  const of = (all: Figures[], key: keyof Figures): number | null =>
    all.length === 0 ? null : median(all.map((f) => f[key]));
  const products = await productsPart(network(MICRO_BATCH).loss);
  return [
    row("U-Net training step", "ms", "less", of(ours, "train_ms")!, of(theirs, "train_ms"), 1.3),
    row("the same, its products alone", "ms", "less", products * of(ours, "train_ms")!, of(theirs, "train_ms"), null),
    row("U-Net inference", "ms", "less", of(ours, "infer_ms")!, of(theirs, "infer_ms"), 1),
    row("U-Net training, peak memory", "MB", "less", of(ours, "peak_rss_mb")!, of(theirs, "peak_rss_mb"), 1),
  ];
}
