/** Mutated and truncated files of every format end in an error that names the file, soon and in bounded memory. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { encode } from "fast-png";
import { afterAll, describe, expect, it } from "vitest";
import { DataError } from "../errors.js";
import { sizeOf } from "../tensor/ndarray.js";
import { random, type Random } from "../tensor/random.js";
import { memoryDataset } from "./dataset.js";
import { formatNpy } from "./npy.js";
import { openDataset } from "./open.node.js";
import { writeClassicNetcdf, writeNetcdf } from "./write-netcdf.node.js";
import { writeTable } from "./write-table.node.js";
import { writeZarr } from "./write-zarr.node.js";

const ROUNDS = Number(process.env["FOEHN_FUZZ"] ?? 10_000);
const temporary = mkdtempSync(path.join(os.tmpdir(), "foehn-fuzz-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
const at = (name: string): string => path.join(temporary, name);

const sample = () =>
  memoryDataset({
    time: {
      dims: ["time"],
      data: { dtype: "int32", shape: [4], data: Int32Array.of(0, 6, 12, 18) },
      attrs: { units: "hours since 2000-01-01" },
    },
    v: {
      dims: ["time", "latitude"],
      data: { dtype: "float32", shape: [4, 3], data: Float32Array.from({ length: 12 }, (_, i) => i) },
      attrs: { units: "K" },
    },
  });

/** A zip of stored or deflated entries, without checksums. */
function zip(entries: Record<string, Uint8Array>): Uint8Array {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of Object.entries(entries)) {
    const packed = deflateRawSync(bytes);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(8, 8);
    head.writeUInt32LE(packed.length, 18);
    head.writeUInt32LE(bytes.length, 22);
    head.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    head.copy(entry, 6, 4, 30);
    entry.writeUInt32LE(offset, 42);
    local.push(head, Buffer.from(name), packed);
    central.push(entry, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(entries).length, 8);
  end.writeUInt16LE(Object.keys(entries).length, 10);
  end.writeUInt32LE(
    central.reduce((n, part) => n + part.length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, ...central, end]);
}

/** Flips, overwrites, cuts, repeats. */
function mutate(bytes: Uint8Array, dice: Random): Uint8Array {
  const out = Uint8Array.from(bytes);
  const pick = (n: number): number => Math.floor(dice.uniform() * n);
  const changes = 1 + pick(4);
  for (let k = 0; k < changes; k++) {
    const where = pick(Math.min(out.length, dice.uniform() < 0.7 ? 400 : out.length));
    const kind = pick(4);
    if (kind === 0) out[where] ^= 1 << pick(8);
    else if (kind === 1) out[where] = [0, 255, 127, 128][pick(4)];
    else if (kind === 2) out.fill(pick(256), where, where + 1 + pick(8));
    else out.copyWithin(where, pick(out.length), pick(out.length));
  }
  return dice.uniform() < 0.3 ? out.subarray(0, pick(out.length)) : out;
}

/** Opens and reads everything; gives what was thrown. */
async function attempt(file: string): Promise<unknown> {
  try {
    const dataset = await openDataset(file);
    try {
      for (const v of dataset.variables.values()) {
        // a header may promise more than any file holds: reading it is the caller's choice
        if (sizeOf(v.shape) > 1e6) continue;
        await (v.readStrings ? v.readStrings() : v.read());
      }
    } finally {
      await dataset.close();
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

async function fuzz(file: string, target: string, rounds: number): Promise<void> {
  const bytes = readFileSync(target);
  const dice = random(99);
  const before = process.memoryUsage().rss;
  try {
    for (let round = 0; round < rounds; round++) {
      const changed = mutate(bytes, dice);
      writeFileSync(target, changed);
      const started = Date.now();
      const error = await attempt(file);
      const took = Date.now() - started;
      if (error !== undefined && !(error instanceof DataError && error.message.startsWith(file))) {
        writeFileSync(at("culprit"), changed);
        throw new Error(`round ${round}: ${String((error as Error).stack)}`);
      }
      expect(took, `round ${round}`).toBeLessThan(3000);
    }
  } finally {
    writeFileSync(target, bytes);
  }
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(1500);
}

describe("mutated files", () => {
  it("NetCDF-3", async () => {
    await writeClassicNetcdf(sample(), at("a.nc"));
    await fuzz(at("a.nc"), at("a.nc"), ROUNDS);
  });
  it("NetCDF-4", async () => {
    await writeNetcdf(sample(), at("b.nc"));
    await fuzz(at("b.nc"), at("b.nc"), ROUNDS);
  });
  it.each([2, 3] as const)("Zarr v%s", async (zarrFormat) => {
    const store = at(`c${zarrFormat}.zarr`);
    await writeZarr(sample(), store, { zarrFormat });
    const files = readdirSync(store, { recursive: true, encoding: "utf8" })
      .map((name) => path.join(store, name))
      .filter((name) => statSync(name).isFile());
    for (const file of files) await fuzz(store, file, Math.ceil(ROUNDS / files.length));
  });
  it("sharded Zarr", async () => {
    const store = at("s.zarr");
    await writeZarr(sample(), store, { chunks: { time: 1 }, shards: { time: 2 } });
    const files = readdirSync(store, { recursive: true, encoding: "utf8" })
      .map((name) => path.join(store, name))
      .filter((name) => statSync(name).isFile());
    for (const file of files) await fuzz(store, file, Math.ceil(ROUNDS / files.length));
  });
  it("Parquet", async () => {
    const stations = memoryDataset({
      time: {
        dims: ["time"],
        data: { dtype: "int32", shape: [3], data: Int32Array.of(0, 6, 12) },
        attrs: { units: "hours since 2000-01-01" },
      },
      x: {
        dims: ["time"],
        data: { dtype: "float64", shape: [3], data: Float64Array.of(1, 2, 3) },
        attrs: { units: "K" },
      },
    });
    await writeTable(stations, at("g.parquet"));
    await fuzz(at("g.parquet"), at("g.parquet"), ROUNDS);
  });
  it("gzipped NetCDF", async () => {
    await writeClassicNetcdf(sample(), at("h.nc"));
    writeFileSync(at("h.nc.gz"), gzipSync(readFileSync(at("h.nc"))));
    await fuzz(at("h.nc.gz"), at("h.nc.gz"), ROUNDS);
  });
  it("pictures", async () => {
    const png = encode({ width: 4, height: 2, channels: 3, data: Uint8Array.from({ length: 24 }, (_, i) => i * 10) });
    writeFileSync(at("i.json"), JSON.stringify({ width: 4, height: 2, uMin: -1, uMax: 1, date: "2016-11-20T00:00Z" }));
    writeFileSync(at("i.png"), png);
    await fuzz(at("i.png"), at("i.png"), ROUNDS);
  });
  it.each([
    ["CSV", "d.csv", () => Buffer.from('station,time,x\nA,2020-01-01T00,1\nB,2020-01-01T00,"2"\nA,2020-01-01T01,3\n')],
    ["NumPy", "e.npy", () => formatNpy({ dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) })],
    [
      "NumPy zip",
      "f.npz",
      () => zip({ "x.npy": formatNpy({ dtype: "float64", shape: [3], data: Float64Array.of(1, 2, 3) }) }),
    ],
  ])("%s", async (_, name, make) => {
    writeFileSync(at(name), make());
    await fuzz(at(name), at(name), ROUNDS);
  });
});
