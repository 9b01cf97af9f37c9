/** Mutated and truncated files of every format end in an error that names the file, soon and in bounded memory. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { encode } from "fast-png";
import { afterAll, describe, expect, it } from "vitest";
import { registry } from "zarrita";
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

/** How zarrita does not write, but others do. */
const PLATFORM: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = { gzip: gzipSync, zlib: deflateSync };

/** A Zarr v2 store of one array of 512 numbers in one chunk. */
async function packedZarr(store: string, compressor: Compressor): Promise<void> {
  const values = new Uint8Array(Float32Array.from({ length: 512 }, (_, i) => Math.sin(i / 20)).buffer);
  const encode = async (): Promise<Uint8Array> => {
    const Codec = (await registry.get(compressor.id)!()) as unknown as {
      fromConfig(config: object): { encode(bytes: Uint8Array): Promise<Uint8Array> };
    };
    return Codec.fromConfig(compressor).encode(values);
  };
  const array = { zarr_format: 2, shape: [512], chunks: [512], dtype: "<f4", order: "C", fill_value: 0, filters: null };
  mkdirSync(path.join(store, "v"), { recursive: true });
  writeFileSync(path.join(store, ".zgroup"), '{"zarr_format":2}');
  writeFileSync(path.join(store, "v/.zattrs"), '{"_ARRAY_DIMENSIONS":["x"]}');
  writeFileSync(path.join(store, "v/.zarray"), JSON.stringify({ ...array, compressor }));
  writeFileSync(path.join(store, "v/0"), PLATFORM[compressor.id]?.(values) ?? (await encode()));
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
  // what damaged files did to a decoder's memory must not show in the whole file after them
  expect(await attempt(file), "the file that was not mutated").toBeUndefined();
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(1500);
}

interface Compressor {
  readonly id: string;
  readonly cname?: string;
  readonly [setting: string]: unknown;
}
const PACKED: readonly Compressor[] = [
  { id: "blosc", cname: "blosclz", clevel: 5, shuffle: 1, blocksize: 0 },
  { id: "blosc", cname: "lz4", clevel: 5, shuffle: 1, blocksize: 0 },
  { id: "blosc", cname: "zlib", clevel: 5, shuffle: 0, blocksize: 0 },
  { id: "blosc", cname: "zstd", clevel: 3, shuffle: 2, blocksize: 0 },
  { id: "lz4", acceleration: 1 },
  { id: "gzip", level: 5 },
  { id: "zlib", level: 5 },
];

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
  it.each(PACKED)("Zarr of $id $cname", async (compressor) => {
    const store = at(`c-${compressor.id}-${compressor.cname ?? ""}.zarr`);
    await packedZarr(store, compressor);
    await fuzz(store, path.join(store, "v/0"), ROUNDS);
  });
  it("zipped Zarr", async () => {
    const store = at("z.zarr");
    await packedZarr(store, { id: "zlib", level: 5 });
    const names = [".zgroup", "v/.zarray", "v/.zattrs", "v/0"];
    writeFileSync(
      at("z.zip"),
      zip(Object.fromEntries(names.map((name) => [name, readFileSync(path.join(store, name))]))),
    );
    await fuzz(at("z.zip"), at("z.zip"), ROUNDS);
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
