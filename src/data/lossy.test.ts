import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { random } from "../tensor/random.js";
import { memoryDataset, variable } from "./dataset.js";
import { type Loss, lossy, roundBits } from "./lossy.js";
import { openDataset } from "./open.node.js";
import { writeNetcdf } from "./write-netcdf.node.js";
import { appendZarr, createZarr, writeZarr } from "./write-zarr.node.js";
import { automaticShards, crc32c } from "./zarr-shards.js";

const folder = mkdtempSync(path.join(tmpdir(), "foehn-lossy-"));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string): string => path.join(folder, name);

const SHAPE = [24, 10, 20];
const temperatures = (): Float32Array => {
  const rng = random(4);
  const values = new Float32Array(SHAPE.reduce((a, b) => a * b)).map(
    (_, i) => 280 + 20 * Math.sin(i / 50) + rng.normal(),
  );
  values[7] = NaN;
  return values;
};
const dataset = () =>
  memoryDataset({
    t: { dims: ["time", "latitude", "longitude"], data: { dtype: "float32", shape: SHAPE, data: temperatures() } },
  });

describe("lossy compression", () => {
  it("rounds mantissas to nearest, ties to even", () => {
    // 1 + 2^-3 and 1 + 3 2^-3 lie halfway between two numbers of two bits: to the even one (1.0 and 1.5)
    expect(Array.from(roundBits(Float32Array.of(1.125, 1.375, 1.126, -1.375, 0, NaN, Infinity), 2))).toEqual([
      1,
      1.5,
      1.25,
      -1.5,
      0,
      NaN,
      Infinity,
    ]);
    expect(Array.from(roundBits(Float64Array.of(1.125, 1.375, -1.126, NaN), 2))).toEqual([1, 1.5, -1.25, NaN]);
    fc.assert(
      fc.property(
        fc.float({ noNaN: true, min: Math.fround(1e-30), max: Math.fround(1e30) }),
        fc.integer({ min: 1, max: 22 }),
        (x, bits) => {
          const y = roundBits(Float32Array.of(x), bits)[0];
          expect(Math.abs(y - x)).toBeLessThanOrEqual(2 ** -(bits + 1) * x);
          expect(roundBits(Float32Array.of(y), bits)[0]).toBe(y);
        },
      ),
      { seed: 3 },
    );
  });

  it.each([
    ["zarr", { bits: 7 }],
    ["zarr", { error: 0.02 }],
    ["nc", { error: 0.5 }],
    ["nc", { error: 1e-4 }],
  ] as [string, Loss][])("keeps its bound through a %s file (%o)", async (ending, loss) => {
    const { dataset: small, reports } = await lossy(dataset(), { t: loss });
    const file = place(`l${JSON.stringify(loss).replace(/\W/g, "")}.${ending}`);
    await (ending === "zarr" ? writeZarr : writeNetcdf)(small, file);
    const given = temperatures();
    const back = await openDataset(file);
    const got = (await variable(back, "t").read()).data as Float32Array;
    await back.close();
    let worst = 0;
    for (let i = 0; i < given.length; i++) {
      expect(Number.isNaN(got[i])).toBe(Number.isNaN(given[i]));
      const miss = Math.abs(got[i] - given[i]) / ("bits" in loss ? Math.abs(given[i]) : 1);
      if (miss > worst) worst = miss;
    }
    expect(worst).toBeLessThanOrEqual(reports[0].bound.value);
    expect(worst).toBeGreaterThan(reports[0].bound.value / 4);
    // the report counts the rounding of readers that decode to float32; ours decodes 32 bits to float64
    expect(reports[0].worst).toBeGreaterThanOrEqual(worst * (1 - 1e-6));
    expect(reports[0].worst).toBeLessThan(1.2 * worst);
  });

  it("refuses what cannot be kept", async () => {
    await expect(lossy(dataset(), { t: { error: 1e-6 } })).rejects.toThrow(/less than float32 has of values up to/);
    await expect(lossy(dataset(), { t: { bits: 40 } })).rejects.toThrow(/1 to 23 bits/);
    await expect(lossy(dataset(), { q: { bits: 4 } })).rejects.toThrow(/there is no variable 'q'/);
  });
});

describe("shards", () => {
  it("checks with CRC-32C as RFC 3720 gives it", () => {
    // appendix B.4: 32 bytes of zeros, of ones, and rising
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  it("come back through zarrita, with chunks at the edges and shards filled in two goes", async () => {
    const source = dataset();
    const chunks = { time: 5, latitude: 4, longitude: 20 };
    await writeZarr(source, place("s.zarr"), { chunks, shards: { time: 10, latitude: -1 } });
    // 24 times in shards of 10, 10 rows in one shard of 12: three files
    const files = readdirSync(path.join(place("s.zarr"), "t", "c"), { recursive: true, withFileTypes: true });
    expect(files.filter((entry) => entry.isFile())).toHaveLength(3);
    const back = await openDataset(place("s.zarr"));
    expect((await variable(back, "t").read()).data).toEqual(temperatures());
    expect((await variable(back, "t").read({ time: 23, latitude: { start: 3, stop: 5 } })).data).toEqual(
      temperatures().slice(23 * 200 + 60, 23 * 200 + 100),
    );
    const template = {
      dims: { time: 0, x: 4 },
      variables: { a: { dims: ["time", "x"], dtype: "float32" as const, chunks: [2, 4] } },
    };
    const writer = await createZarr(place("g.zarr"), template, { growing: "time", shards: { time: 6 } });
    const row = (t: number) => ({ dtype: "float32" as const, shape: [4], data: Float32Array.of(t, t, t, t) });
    for (let t = 0; t < 3; t++) await writer.write("a", { time: t }, row(t));
    await writer.close();
    const more = await appendZarr(place("g.zarr"), "time");
    for (let t = 3; t < 8; t++) await more.write("a", { time: t }, row(t));
    await more.close();
    const grown = await openDataset(place("g.zarr"));
    expect(Array.from((await variable(grown, "a").read({ x: 0 })).data as Float32Array)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    await expect(writeZarr(source, place("b.zarr"), { chunks, shards: { time: 7 } })).rejects.toThrow(
      /a shard of 't' is 7 along 'time', which is no whole number of chunks of 5/,
    );
  });

  it("are made where there would be thousands of files", () => {
    expect(automaticShards([2000, 100, 100], [1, 100, 100], "float32")).toBeUndefined();
    expect(automaticShards([9000, 100, 100], [1, 100, 100], "float32")).toEqual([838, 100, 100]);
  });

  const python = ["python3", "/usr/bin/python3"].find((command) => {
    try {
      return (
        existsSync("/usr/bin/python3") &&
        execFileSync(command, ["-c", "import zarr; assert zarr.__version__ >= '3'"], { stdio: "ignore" })
      );
    } catch {
      return false;
    }
  });
  it.skipIf(!python)("are read by zarr-python (skipped where version 3 is not installed)", async () => {
    await writeZarr(dataset(), place("p.zarr"), { chunks: { time: 5 }, shards: { time: 10 } });
    const code = `import zarr; a = zarr.open_group(${JSON.stringify(place("p.zarr"))})["t"]; print(a.shards, float(a[23, 9, 19]))`;
    const said = execFileSync(python!, ["-c", code], { encoding: "utf8" });
    expect(said.trim()).toBe(`(10, 10, 20) ${temperatures()[4799]}`);
  });
});
