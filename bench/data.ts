/**
 * Reading, regridding, converting and climatologies beside xarray, zarr-python and cdo in the same sitting; what is not
 * installed is left out with a word.
 *
 *     npm run bench -- data
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { climatology } from "../src/data/climatology.js";
import { convertDataset } from "../src/data/convert.node.js";
import { memoryDataset, variable } from "../src/data/dataset.js";
import { openDataset } from "../src/data/open.node.js";
import { writeZarr } from "../src/data/write-zarr.node.js";
import { applyWeights, globalGrid, regridWeights } from "../src/earth/regrid/index.js";
import { random } from "../src/tensor/random.js";
import { type BenchRow, row } from "./row.js";

const ROUNDS = 3;
/** Fields of the regridding yardstick (`../shared/peers/regrid_cdo.sh`). */
const FIELDS = 40;
const PYTHON = "/usr/bin/python3";

const has = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;
const python = (code: string, ...args: string[]): number =>
  Number(execFileSync(PYTHON, ["-c", code, ...args], { encoding: "utf8" }).trim());
const seconds = async (work: () => Promise<unknown> | void): Promise<number> => {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
};
/** The best of some rounds of both, taken in turns. */
async function race(
  ours: () => Promise<number>,
  theirs: (() => number) | undefined,
): Promise<{ ours: number; theirs: number | null }> {
  let [a, b] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    a = Math.min(a, await ours());
    if (theirs) b = Math.min(b, theirs());
  }
  return { ours: a, theirs: theirs ? b : null };
}

export async function dataRows(): Promise<BenchRow[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "foehn-bench-"));
  const haveXarray = has(PYTHON, ["-c", "import xarray, zarr, netCDF4"]);
  const haveCdo = has("cdo", ["-V"]);
  if (!haveXarray)
    console.error("xarray and zarr-python are not installed (python3-xarray, python3-zarr): no yardstick");
  if (!haveCdo) console.error("cdo is not installed (apt-get install cdo): no yardstick of regridding");
  try {
    return [
      await zarrRow(folder, haveXarray),
      ...(await regridRows(folder, haveCdo)),
      await climatologyRow(folder, haveXarray),
      memoryRow(folder),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const READ_ZARR = `
import sys, time, xarray
best = 1e9
for _ in range(3):
    begin = time.perf_counter()
    xarray.open_zarr(sys.argv[1], chunks=None).t.values
    best = min(best, time.perf_counter() - begin)
print(best)
`;

/** Temperature-like fields as analyses come: smooth, with noise, in steps of 1/128 K. */
function fields(count: number, ny: number, nx: number): Float32Array {
  const rng = random(1);
  const out = new Float32Array(count * ny * nx);
  let noise = 0;
  for (let i = 0; i < out.length; i++) {
    noise = 0.9 * noise + 0.15 * rng.normal();
    const row = Math.floor(i / nx) % ny;
    out[i] = Math.round((280 - 40 * Math.cos((Math.PI * row) / ny) ** 2 + noise) * 128) / 128;
  }
  return out;
}

async function zarrRow(folder: string, haveXarray: boolean): Promise<BenchRow> {
  const [nt, ny, nx] = [614, 181, 360];
  const store = path.join(folder, "read.zarr");
  const data = fields(nt, ny, nx);
  await writeZarr(
    memoryDataset({
      t: { dims: ["time", "latitude", "longitude"], data: { dtype: "float32", shape: [nt, ny, nx], data } },
    }),
    store,
    { zarrFormat: 2, level: 3, chunks: { time: 16 } },
  );
  const read = async (): Promise<void> => {
    const dataset = await openDataset(store, { cacheBytes: 0 });
    await variable(dataset, "t").read();
    await dataset.close();
  };
  const result = await race(() => seconds(read), haveXarray ? () => python(READ_ZARR, store) : undefined);
  return row("read 160 MB of zstd Zarr", "s", "less", result.ours, result.theirs, 1.5);
}

/** What `regrid_cdo.sh` does, with the inputs left where \`foehn convert\` finds them. */
async function regridRows(folder: string, haveCdo: boolean): Promise<BenchRow[]> {
  const input = path.join(folder, "in.nc");
  const cdo = (...args: string[]): void => void execFileSync("cdo", ["-s", ...args], { cwd: folder, stdio: "ignore" });
  const source = globalGrid("1440x721");
  const target = globalGrid("360x181");
  const rows: BenchRow[] = [];
  if (haveCdo) {
    cdo("-f", "nc4", "-b", "F32", "-random,r1440x721", "one.nc");
    cdo("-f", "nc4", "-b", "F32", `duplicate,${FIELDS}`, "one.nc", "in.nc");
  }
  for (const [method, name] of [
    ["bilinear", "bil"],
    ["conservative", "con"],
  ] as const) {
    if (haveCdo) cdo(`gen${name},r360x181`, "one.nc", `w_${name}.nc`);
    const theirs = haveCdo
      ? () => {
          const begun = performance.now();
          cdo("-P", "2", "-f", "nc4", "-b", "F32", `remap,r360x181,w_${name}.nc`, "in.nc", `out_${name}.nc`);
          return (performance.now() - begun) / 1000;
        }
      : undefined;
    const weights = regridWeights(source, target, method);
    const given = new Float32Array(FIELDS * 1440 * 721).map((_, i) => (i * 7919) % 1000);
    const memory = await race(() => seconds(() => void applyWeights(weights, given)), theirs);
    rows.push(
      row(
        `regrid ${FIELDS} fields 1440x721 to 360x181, ${method}, weights ready`,
        "s",
        "less",
        memory.ours,
        memory.theirs,
        3,
      ),
    );
    if (!haveCdo) continue;
    const convert = async (): Promise<void> => {
      const dataset = await openDataset(input);
      await convertDataset(dataset, path.join(folder, `ours_${name}.nc`), { grid: target, method });
      await dataset.close();
    };
    const whole = await race(() => seconds(convert), theirs);
    rows.push(
      row(`the same from file to file, ${method} (foehn convert)`, "s", "less", whole.ours, whole.theirs, 0.25),
    );
  }
  return rows;
}

const CLIMATOLOGY = `
import sys, time, numpy as np, xarray
begin = time.perf_counter()
data = xarray.open_zarr(sys.argv[1], chunks=None).t.load()
half = 30
weights = np.concatenate([np.linspace(0, 1, half + 1), np.linspace(1, 0, half + 1)[1:]])
out = []
for hour in (0, 6, 12, 18):
    part = data.sel(time=data.time.dt.hour == hour)
    by_day = part.groupby("time.dayofyear")
    total, count = by_day.sum().values, by_day.count().values
    padded = [np.concatenate([x[-half:], x, x[:half]]) for x in (total, count)]
    sums = [sum(w * x[k : k + len(total)] for k, w in enumerate(weights)) for x in padded]
    out.append(sums[0] / sums[1])
np.stack(out)
print(time.perf_counter() - begin)
`;

async function climatologyRow(folder: string, haveXarray: boolean): Promise<BenchRow> {
  const [nt, ny, nx] = [4 * 3653, 32, 64];
  const store = path.join(folder, "decade.zarr");
  const hours = BigInt64Array.from({ length: nt }, (_, i) => BigInt(6 * i));
  await writeZarr(
    memoryDataset({
      time: {
        dims: ["time"],
        data: { dtype: "int64", shape: [nt], data: hours },
        attrs: { units: "hours since 2001-01-01", calendar: "standard" },
      },
      t: {
        dims: ["time", "latitude", "longitude"],
        data: { dtype: "float32", shape: [nt, ny, nx], data: fields(nt, ny, nx) },
      },
    }),
    store,
    { zarrFormat: 2, chunks: { time: 128 } },
  );
  const ours = async (): Promise<void> => {
    const dataset = await openDataset(store);
    await climatology(dataset, ["t"]);
    await dataset.close();
  };
  const result = await race(() => seconds(ours), haveXarray ? () => python(CLIMATOLOGY, store) : undefined);
  return row("climatology of 10 years of 6-hourly 64x32, 61-day window", "s", "less", result.ours, result.theirs, 1);
}

/** Megabytes of the file that is converted, and what the process may take above what it takes to start. */
const [FILE_MB, LIMIT_MB] = [1024, 256];

/** Converts a file four times as large as the memory it may take, in a process of its own. */
function memoryRow(folder: string): BenchRow {
  const self = fileURLToPath(import.meta.url);
  const text = execFileSync(process.execPath, ["--max-semi-space-size=16", self, "--convert", folder], {
    encoding: "utf8",
  });
  return row(`memory of converting a file of ${FILE_MB} MB`, "MB", "less", Number(text), LIMIT_MB, 1);
}

/** Peak megabytes above the start of a conversion from Zarr to Zarr in other chunks. */
export async function convertFigures(folder: string): Promise<number> {
  const { createZarr } = await import("../src/data/write-zarr.node.js");
  const shape = [Math.round((FILE_MB * 2 ** 20) / (181 * 360 * 4)), 181, 360];
  const [input, output] = ["large.zarr", "large-out.zarr"].map((name) => path.join(folder, name));
  const dims = { time: shape[0], latitude: shape[1], longitude: shape[2] };
  const writer = await createZarr(input, {
    dims,
    variables: { t: { dims: Object.keys(dims), dtype: "float32", chunks: [8, 181, 360] } },
  });
  const some = fields(8, 181, 360);
  for (let t = 0; t < shape[0]; t += 8) {
    const n = Math.min(8, shape[0] - t);
    await writer.write(
      "t",
      { time: { start: t, stop: t + n } },
      { dtype: "float32", shape: [n, 181, 360], data: some.subarray(0, n * 181 * 360) },
    );
  }
  await writer.close();
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
  const dataset = await openDataset(input);
  await convertDataset(dataset, output, { chunks: { time: 16 } });
  clearInterval(watch);
  rmSync(input, { recursive: true });
  rmSync(output, { recursive: true });
  return (Math.max(peak, process.memoryUsage().rss) - before) / 2 ** 20;
}
