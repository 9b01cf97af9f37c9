/**
 * How fast verification is, beside xarray in the same sitting (`../shared/peers/scores_xarray.py`, where it and python3-xarray are there).
 *
 *     npm run bench -- verify
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { memoryDataset, type MemoryVariable } from "../src/data/dataset.js";
import { latitudeWeights } from "../src/earth/weights.js";
import { ndarray } from "../src/tensor/ndarray.js";
import { random } from "../src/tensor/random.js";
import { ensembleKernel } from "../src/verify/ensemble/kernel.js";
import { reportHtml } from "../src/verify/report/html.js";
import { SCORES } from "../src/verify/scores/index.js";
import { addField, evaluate, rowWidth } from "../src/verify/scores/sums.js";
import { verifyForecast } from "../src/verify/verify.js";
import type { BenchRow } from "./row.js";

const MEMBERS = 50;
const LEADS = 40;
const [ROWS, COLUMNS] = [121, 240];
const CELLS = ROWS * COLUMNS;

export async function verifyRows(): Promise<BenchRow[]> {
  const { seconds, megabytes } = scoreEnsemble();
  const yardstick = xarraySeconds();
  const ratio = yardstick && yardstick / seconds;
  const report = await reportSeconds();
  return [
    {
      name: `RMSE, MAE, bias, ACC, fair CRPS, spread of ${MEMBERS} members, ${COLUMNS}x${ROWS}, ${LEADS} leads`,
      ours: seconds,
      yardstick,
      ratio,
      unit: "s",
      goal: 3,
      met: ratio === null ? null : ratio >= 3,
    },
    { ...limit("memory of that beyond the input", megabytes, 300), unit: "MB" },
    { ...limit("verification and report, 10 variables, 40 leads, 64x32, 60 starts", report.seconds, 20), unit: "s" },
    { ...limit("processor time of that, to be known", report.cpu, 20), unit: "s", goal: null, met: null },
  ];
}

const limit = (name: string, ours: number, most: number) => ({
  name,
  ours,
  yardstick: most,
  ratio: most / ours,
  goal: 1,
  met: ours <= most,
});

/** The yardstick's work on values like its own, drawn before the clock starts. */
function scoreEnsemble(): { seconds: number; megabytes: number } {
  const rng = random(0);
  const pool = Float32Array.from({ length: 1 << 20 }, () => rng.normal());
  const field = (): Float32Array => {
    const from = rng.integer(pool.length - CELLS);
    return pool.slice(from, from + CELLS);
  };
  const ensemble = Array.from({ length: LEADS }, () => Array.from({ length: MEMBERS }, field));
  const truth = Array.from({ length: LEADS }, field);
  const climatology = Array.from({ length: LEADS }, field);
  const rowWeights = latitudeWeights(
    Float64Array.from({ length: ROWS }, (_, i) => -90 + 1.5 * i),
    "exact",
  );
  const weights = Float64Array.from({ length: CELLS }, (_, i) => rowWeights[Math.floor(i / COLUMNS)]);
  const scores = SCORES.filter((s) => ["rmse", "mae", "bias", "acc:wb2", "crps:fair", "spread"].includes(s.name));

  const before = process.resourceUsage().maxRSS;
  const start = performance.now();
  for (let lead = 0; lead < LEADS; lead++) {
    const fields = ensembleKernel(MEMBERS).run(ensemble[lead], truth[lead]);
    const row = addField(new Float64Array(rowWidth(MEMBERS)), {
      forecast: fields.mean,
      truth: truth[lead],
      climatology: climatology[lead],
      weights,
      ensemble: fields,
    });
    for (const score of scores) evaluate(score, [row]);
  }
  const seconds = (performance.now() - start) / 1000;
  return { seconds, megabytes: (process.resourceUsage().maxRSS - before) / 1024 };
}

/** Debian's, which has python3-xarray where it is installed. */
const PYTHON = "/usr/bin/python3";

/** Null where it cannot be measured, after saying why. */
function xarraySeconds(): number | null {
  const script = path.resolve(process.env["FOEHN_SHARED"] ?? "../shared", "peers/scores_xarray.py");
  const without = (why: string) => {
    process.stderr.write(`no yardstick for the scores of ensembles: ${why}\n`);
    return null;
  };
  for (const file of [script, PYTHON]) if (!existsSync(file)) return without(`there is no ${file}`);
  const args = ["--members", MEMBERS, "--leads", LEADS, "--lat", ROWS, "--lon", COLUMNS].map(String);
  const { status, stdout, stderr } = spawnSync(PYTHON, [script, ...args], { encoding: "utf8" });
  if (status !== 0) return without(`${PYTHON} ${script}: ${stderr.trim().split("\n").pop()}`);
  return (JSON.parse(stdout) as { seconds: number }).seconds;
}

/** Two years of daily red noise in ten variables, and sixty forecasts of it to forty days. */
async function reportSeconds(): Promise<{ seconds: number; cpu: number }> {
  const [lats, lons, days, starts, leads] = [32, 64, 820, 60, 40];
  const cells = lats * lons;
  const rng = random(1);
  const noise = Float32Array.from({ length: 1 << 18 }, () => rng.normal());
  const draw = () => noise[rng.uint32() & (noise.length - 1)];
  const axis = (
    name: string,
    length: number,
    units: string,
    value: (i: number) => number,
  ): Record<string, MemoryVariable> => ({
    [name]: {
      dims: [name],
      data: ndarray(
        "float64",
        [length],
        Float64Array.from({ length }, (_, i) => value(i)),
      ),
      attrs: { units },
    },
  });
  const grid = {
    ...axis("latitude", lats, "degrees_north", (i) => -90 + (180 / lats) * (i + 0.5)),
    ...axis("longitude", lons, "degrees_east", (j) => (360 / lons) * j),
  };
  const truth: Record<string, MemoryVariable> = { ...grid, ...axis("time", days, "days since 2010-01-01", (t) => t) };
  const forecast: Record<string, MemoryVariable> = {
    ...grid,
    ...axis("time", starts, "days since 2010-01-01", (s) => 720 + s),
    ...axis("lead_time", leads, "days", (l) => l + 1),
  };
  for (let v = 0; v < 10; v++) {
    const states = new Float32Array(days * cells);
    for (let i = 0; i < states.length; i++) states[i] = (i >= cells ? 0.8 * states[i - cells] : 0) + draw();
    const guesses = new Float32Array(starts * leads * cells);
    for (let s = 0; s < starts; s++)
      for (let l = 0; l < leads; l++)
        for (let i = 0; i < cells; i++)
          guesses[(s * leads + l) * cells + i] = states[(720 + s + l + 1) * cells + i] + 0.1 * (l + 1) * draw();
    truth[`v${v}`] = { dims: ["time", "latitude", "longitude"], data: ndarray("float32", [days, lats, lons], states) };
    forecast[`v${v}`] = {
      dims: ["time", "lead_time", "latitude", "longitude"],
      data: ndarray("float32", [starts, leads, lats, lons], guesses),
    };
  }
  const start = performance.now();
  const before = process.cpuUsage();
  reportHtml(await verifyForecast({ forecast: memoryDataset(forecast), truth: memoryDataset(truth) }));
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}
