/** Yardsticks of joint training: sites a round, robust aggregation of large updates, overhead over NATS, bytes saved. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { aggregate, robustRule } from "../src/federation/aggregate/aggregate.js";
import { fileRows, writeRow } from "../src/federation/aggregate/file-rows.node.js";
import { onnxKernels } from "../src/federation/aggregate/kernels-onnx.node.js";
import type { RunConfigInput } from "../src/federation/protocol/config.js";
import { runHub } from "../src/federation/protocol/hub.js";
import type { RoundRecord } from "../src/federation/protocol/records.js";
import { runSite } from "../src/federation/protocol/site.js";
import type { LocalTrainer } from "../src/federation/protocol/trainer.js";
import { linearModel, linearTrainer } from "../src/federation/testing/linear-trainer.js";
import { natsServerBinary, startNatsServer } from "../src/federation/testing/nats-server.node.js";
import { localBus } from "../src/federation/transport/local.js";
import { natsTransport } from "../src/federation/transport/nats.node.js";
import type { Transport } from "../src/federation/transport/transport.js";
import { float32 } from "../src/tensor/ndarray.js";
import { type BenchRow, row } from "./row.js";

/** A row that is met while `ours` is at most `bound`. */
const atMost = (name: string, ours: number, bound: number, unit: string): BenchRow =>
  row(name, unit, "less", ours, bound, 1);

/** A trainer that moves every parameter a little and costs next to nothing: what is left is the federation's own time. */
const freeTrainer = (seed: number): LocalTrainer => ({
  describe: () => ({ samples: 10 + (seed % 90), variables: ["t2m"], device: "simulated" }),
  async train(params) {
    const w = params.get("w")!;
    const moved = w.data.slice();
    for (let i = 0; i < moved.length; i++) moved[i] += ((i + seed) & 7) * 1e-3;
    return {
      params: new Map([["w", float32(w.shape, moved)]]),
      steps: 1,
      learningRate: 0.1,
    };
  },
  evaluate: async () => [],
});

/** Runs a federation; returns its rounds and what each site's last score is. */
async function federation(
  connect: (role: "hub" | "site") => Promise<Transport>,
  config: RunConfigInput,
  trainers: readonly LocalTrainer[],
  parameters: number,
): Promise<{ records: RoundRecord[]; scores: number[] }> {
  const records: RoundRecord[] = [];
  const transports: Transport[] = [await connect("hub")];
  const sites = trainers.map(async (trainer, i) => {
    const transport = await connect("site");
    transports.push(transport);
    return runSite({ transport, site: `site-${i}`, trainer });
  });
  await runHub({
    transport: transports[0],
    config,
    initial: linearModel(parameters),
    onRound: (r) => void records.push(r),
  });
  const reports = await Promise.all(sites);
  await Promise.all(transports.map((t) => t.close()));
  return { records, scores: reports.map(({ skill }) => skill.together[0]?.value ?? NaN) };
}

const inProcess = (): ((role: "hub" | "site") => Promise<Transport>) => {
  const bus = localBus();
  return async () => bus.connect();
};

/** A thousand sites, 100,000 parameters, one process: seconds a round. */
async function thousandSites(): Promise<BenchRow[]> {
  const trainers = Array.from({ length: 1000 }, (_, i) => freeTrainer(i));
  const config = { run: "many", rounds: 2, schedule: { minSites: 1000, deadline: 600 } };
  const { records } = await federation(inProcess(), config, trainers, 100_000);
  const last = records.at(-1)!;
  return [
    row("federation/1000-sites-in-a-round", "sites", "more", last.sites.length, 1000, 1),
    atMost("federation/1000-sites-100k-parameters", last.seconds, 60, "s a round"),
  ];
}

/** A hundred updates of ten million parameters on disk: seconds and memory of each rule. */
async function largeAggregation(): Promise<BenchRow[]> {
  const [count, length] = [100, 10_000_000];
  const folder = await mkdtemp(path.join(tmpdir(), "foehn-bench-"));
  try {
    const base = Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898) * 0.5);
    const files: string[] = [];
    for (let j = 0; j < count; j++) {
      const turned = new Float32Array(length);
      const shift = (j * 7919) % length;
      turned.set(base.subarray(shift));
      turned.set(base.subarray(0, shift), length - shift);
      files.push(await writeRow(folder, `${j}`, turned));
    }
    const kernels = await onnxKernels();
    const rows: BenchRow[] = [];
    for (const name of ["mean", "median", "multi-krum"]) {
      let peak = 0;
      const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
      const updates = await fileRows(files, length);
      const begun = performance.now();
      await aggregate(updates, robustRule(name, { f: 20 }), { kernels, blockSize: 2 ** 16 });
      const seconds = (performance.now() - begun) / 1000;
      clearInterval(watch);
      await updates.close();
      rows.push(atMost(`federation/${name}-100x10M`, seconds, 5, "s"));
      rows.push(atMost(`federation/${name}-100x10M-memory`, peak / 1e9, 1.5, "GB"));
    }
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A round over NATS beyond its local training, with a model of a million parameters and eight sites. */
async function natsOverhead(): Promise<BenchRow[]> {
  if (!natsServerBinary()) throw new Error("the benchmark needs nats-server: apt-get install nats-server");
  const server = await startNatsServer();
  try {
    const connect = (role: "hub" | "site") => natsTransport({ servers: server.url, run: "bench", role });
    const trainers = Array.from({ length: 8 }, (_, i) => freeTrainer(i));
    const config = { run: "bench", rounds: 4, schedule: { minSites: 8, deadline: 600 } };
    const { records } = await federation(connect, config, trainers, 1_000_000);
    const seconds = records.map((r) => r.seconds).sort((a, b) => a - b)[1];
    return [atMost("federation/nats-overhead-of-10-s-training", (100 * seconds) / 10, 15, "%")];
  } finally {
    await server.stop();
  }
}

/** Bytes and skill of compressed rounds beside full ones: the share of the improvement lost. */
async function compression(): Promise<BenchRow[]> {
  const features = 400;
  const trainers = (): LocalTrainer[] =>
    Array.from({ length: 8 }, (_, seed) => linearTrainer({ seed, features, samples: 800, shift: 0.1, rate: 0.05 }));
  const error = (scores: readonly number[]): number => scores.reduce((s, v) => s + v, 0) / scores.length;
  const run = (codec: string, feedback: "none" | "ef14" | "ef21") =>
    federation(
      inProcess(),
      { run: "c", rounds: 60, schedule: { minSites: 8 }, compression: { codec, feedback } },
      trainers(),
      features,
    );
  const before = error(
    await Promise.all(trainers().map(async (t) => (await t.evaluate(linearModel(features)))[0].value)),
  );
  const full = await run("float32", "none");
  const thin = await run("top-k:0.07+int8", "ef14");
  const bytes = (records: readonly RoundRecord[]): number => records.reduce((s, r) => s + r.bytes, 0);
  const saved = bytes(full.records) / bytes(thin.records);
  const lost = (100 * (error(thin.scores) - error(full.scores))) / (before - error(full.scores));
  return [
    row("federation/compressed-bytes", "x fewer", "more", saved, 20, 1),
    atMost("federation/compressed-improvement-lost", lost, 2, "%"),
  ];
}

/** Each part on its own, for a look at one of them. */
export const FEDERATION_PARTS = { compression, natsOverhead, thousandSites, largeAggregation };

/** All rows; about a minute and 4 GB of temporary disk. */
export async function federationRows(): Promise<BenchRow[]> {
  return [
    // First: it counts the process's memory, and the others leave much that is freed when the collector likes
    ...(await largeAggregation()),
    ...(await compression()),
    ...(await natsOverhead()),
    ...(await thousandSites()),
  ];
}
