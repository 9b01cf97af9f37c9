import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { NetCDFReader } from "netcdfjs";
import { afterAll, describe, expect, it } from "vitest";
import { DataError } from "../errors.js";
import { type DType, float32, type NdArray, sizeOf, TYPED_ARRAYS } from "../tensor/ndarray.js";
import { readCoordinate, readTimes } from "./coords.js";
import { type Dataset, memoryDataset, type Selection, variable } from "./dataset.js";
import { openDataset } from "./open.node.js";
import { writeClassicNetcdf, writeNetcdf } from "./write-netcdf.node.js";
import { appendZarr, createZarr, writeZarr } from "./write-zarr.node.js";

const temporary = mkdtempSync(path.join(os.tmpdir(), "foehn-formats-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
const at = (name: string): string => path.join(temporary, name);
const shared = path.join(process.env["FOEHN_SHARED"] ?? path.join(import.meta.dirname, "../../../shared"), "data");
const has = (name: string): boolean => existsSync(path.join(shared, name));
const hasNcdump = existsSync("/usr/bin/ncdump");

const ramp = (dtype: DType, shape: number[]): NdArray => {
  const data = new TYPED_ARRAYS[dtype](sizeOf(shape));
  for (let i = 0; i < data.length; i++)
    data[i] = typeof data[i] === "bigint" ? BigInt(i) : dtype === "bool" ? i % 2 : i % 120;
  return { dtype, shape, data };
};

/** Every type, one to four axes, a gap, texts in attributes. */
function sample(): Dataset {
  const gaps = ramp("float32", [6, 5, 4]);
  gaps.data[7] = NaN;
  return memoryDataset(
    {
      time: {
        dims: ["time"],
        data: ramp("int64", [6]),
        attrs: { units: "hours since 2013-01-01", calendar: "standard" },
      },
      latitude: { dims: ["latitude"], data: ramp("float64", [5]), attrs: { units: "degrees_north" } },
      air: {
        dims: ["time", "latitude", "longitude"],
        data: gaps,
        attrs: { units: "K", range: [1.5, 2.5], note: "é ok" },
      },
      count: { dims: ["latitude", "longitude"], data: ramp("int16", [5, 4]) },
      deep: { dims: ["time", "level", "latitude", "longitude"], data: ramp("float64", [6, 3, 5, 4]) },
      flags: { dims: ["longitude"], data: ramp("uint8", [4]) },
      single: { dims: [], data: ramp("int32", []) },
    },
    { attrs: { title: "sample" } },
  );
}

async function expectSame(actual: Dataset, expected: Dataset): Promise<void> {
  expect(actual.attrs).toMatchObject(expected.attrs);
  expect(Object.fromEntries(Object.entries(actual.dims).sort())).toEqual(
    Object.fromEntries(Object.entries(expected.dims).sort()),
  );
  for (const v of expected.variables.values()) {
    const other = variable(actual, v.name);
    expect([v.name, other.dims, other.shape, other.dtype]).toEqual([v.name, v.dims, v.shape, v.dtype]);
    expect((await other.read()).data).toEqual((await v.read()).data);
    expect(other.attrs).toMatchObject(v.attrs);
  }
}

const WRITERS: Record<string, (dataset: Dataset, target: string) => Promise<void>> = {
  "zarr v3": (dataset, target) => writeZarr(dataset, target, { chunks: { time: 4, latitude: 2 } }),
  "zarr v2": (dataset, target) => writeZarr(dataset, target, { zarrFormat: 2, chunks: { time: 4, longitude: 3 } }),
  "zarr v3 plain": (dataset, target) => writeZarr(dataset, target, { level: 0 }),
  netcdf4: (dataset, target) => writeNetcdf(dataset, target, { chunks: { time: 4, latitude: 2 }, unlimited: ["time"] }),
  netcdf3: (dataset, target) => writeClassicNetcdf(dataset, target),
};

describe.each(Object.entries(WRITERS))("%s", (name, write) => {
  const target = at(name.replaceAll(" ", "-"));

  it("gives back what was written", async () => {
    await write(sample(), target);
    const dataset = await openDataset(target);
    await expectSame(dataset, sample());
    expect(Array.from((await readTimes(dataset)).values)[1]).toBe(Date.UTC(2013, 0, 1, 1));
    await dataset.close();
    expect(readdirSync(temporary).filter((each) => each.includes(".partial"))).toEqual([]);
  });

  it("reads any hyperslab as memory does", async () => {
    const dataset = await openDataset(target);
    const expected = sample();
    const axis = (length: number) =>
      fc.oneof(
        fc.integer({ min: -length, max: length - 1 }),
        fc.record({ start: fc.nat(length), stop: fc.nat(length), step: fc.integer({ min: 1, max: 3 }) }),
        fc.array(fc.nat(length - 1), { maxLength: 5 }),
      );
    const selection = fc.record(
      { time: axis(6), level: axis(3), latitude: axis(5), longitude: axis(4) },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(selection, async (chosen: Selection) => {
        const [a, b] = [await variable(dataset, "deep").read(chosen), await variable(expected, "deep").read(chosen)];
        expect(a).toEqual(b);
      }),
      { numRuns: 60, seed: 7 },
    );
    await expect(variable(dataset, "deep").read({ height: 0 })).rejects.toThrow(/no dimension 'height'/);
    await expect(variable(dataset, "deep").read({ level: 3 })).rejects.toThrow(/index 3 is outside dimension 'level'/);
    await dataset.close();
  });
});

describe("the streaming Zarr writer", () => {
  const template = {
    dims: { time: 0, latitude: 3 },
    variables: {
      time: { dims: ["time"], dtype: "int64" as const, attrs: { units: "hours since 2000-01-01" } },
      t: { dims: ["time", "latitude"], dtype: "float32" as const, chunks: [4, 2] },
      name: { dims: ["latitude"], dtype: "string" as const },
    },
  };
  const step = (i: number): NdArray<"float32"> => float32([3], [i, i + 0.5, -i]);

  it("grows along a dimension, and goes on later", async () => {
    const target = at("growing.zarr");
    const writer = await createZarr(target, template, { growing: "time" });
    await writer.write("name", {}, ["a", "bé", ""]);
    for (let i = 0; i < 6; i++) {
      await writer.write("time", { time: i }, { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(i)) });
      await writer.write("t", { time: i }, step(i));
    }
    expect(existsSync(target)).toBe(false);
    await writer.close();
    const again = await appendZarr(target, "time");
    await again.write(
      "time",
      { time: { start: 6, stop: 9 } },
      { dtype: "int64", shape: [3], data: BigInt64Array.of(6n, 7n, 8n) },
    );
    for (let i = 6; i < 9; i++) await again.write("t", { time: i }, step(i));
    expect((await openDataset(target)).dims["time"]).toBe(6);
    await again.close();
    const dataset = await openDataset(target);
    expect(dataset.dims).toEqual({ time: 9, latitude: 3 });
    expect(await variable(dataset, "name").readStrings!()).toEqual(["a", "bé", ""]);
    const t = await variable(dataset, "t").read();
    expect(Array.from(t.data as Float32Array)).toEqual(
      Array.from({ length: 9 }, (_, i) => Array.from(step(i).data)).flat(),
    );
  });

  it("takes writes that do not wait for each other, and names with groups", async () => {
    const target = at("hasty.zarr");
    const writer = await createZarr(target, {
      dims: { time: 50, latitude: 3 },
      variables: { "model/t": { dims: ["time", "latitude"], dtype: "float32", chunks: [8, 2] } },
    });
    await Promise.all(Array.from({ length: 50 }, (_, i) => writer.write("model/t", { time: i }, step(i))));
    await writer.close();
    const t = await variable(await openDataset(target), "model/t").read();
    expect(Array.from(t.data as Float32Array)).toEqual(
      Array.from({ length: 50 }, (_, i) => Array.from(step(i).data)).flat(),
    );
    rmSync(path.join(target, "zarr.json"));
    writeFileSync(path.join(target, "zarr.json"), '{"zarr_format":3,"node_type":"group","attributes":{}}');
    expect([...(await openDataset(target)).variables.keys()]).toEqual(["model/t"]);
  });

  it("leaves nothing behind when it fails or is given up", async () => {
    const target = at("failed.zarr");
    const writer = await createZarr(target, template, { growing: "time" });
    await expect(writer.write("tt", {}, step(0))).rejects.toThrow(/no variable 'tt' to write; did you mean 't'/);
    await expect(writer.write("t", { time: 0 }, float32([2], [1, 2]))).rejects.toThrow(
      /2 values were given for a box of 3/,
    );
    await writer.write("t", { time: 0 }, step(0));
    await expect(writer.close()).rejects.toThrow(/write every variable at every step/);
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(temporary).filter((name) => name.startsWith("failed"))).toEqual([]);
    mkdirSync(at("precious"));
    writeFileSync(at("precious/thesis.txt"), "x");
    await expect(writeZarr(sample(), at("precious"))).rejects.toThrow(/not of the kind to be written/);
    expect(existsSync(at("precious/thesis.txt"))).toBe(true);
    await expect(writeZarr(sample(), at("growing.zarr"), { overwrite: "refuse" })).rejects.toThrow(/exists already/);
  });
});

describe("other programs", () => {
  it.skipIf(!hasNcdump)("ncdump sees proper NetCDF-4 (needs ncdump)", async () => {
    const target = at("ncdump.nc");
    await writeNetcdf(sample(), target);
    expect(execFileSync("ncdump", ["-k", target], { encoding: "utf8" }).trim()).toBe("netCDF-4");
    const header = execFileSync("ncdump", ["-h", target], { encoding: "utf8" });
    for (const line of [
      "longitude = 4 ;",
      "float air(time, latitude, longitude) ;",
      'air:units = "K" ;',
      "air:range = 1.5, 2.5 ;",
      "air:_FillValue = NaNf ;",
      "int64 time(time) ;",
    ])
      expect(header).toContain(line);
    expect(header).not.toContain("float longitude(longitude)");
    await writeClassicNetcdf(sample(), at("classic.nc"));
    expect(execFileSync("ncdump", ["-k", at("classic.nc")], { encoding: "utf8" }).trim()).toBe("cdf5");
    const values = execFileSync("ncdump", ["-v", "count,single", at("classic.nc")], { encoding: "utf8" });
    expect(values.replace(/\s+/g, " ")).toContain(
      "count = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 ;",
    );
  });

  it("netcdfjs reads our CDF-2", async () => {
    const dataset = memoryDataset({
      x: { dims: ["x"], data: ramp("float64", [3]), attrs: { units: "m", both: [1.5, 2] } },
      v: { dims: ["y", "x"], data: ramp("float32", [2, 3]) },
      s: { dims: ["y", "x"], data: ramp("int16", [2, 3]) },
    });
    await writeClassicNetcdf(dataset, at("cdf2.nc"));
    const reader = new NetCDFReader(readFileSync(at("cdf2.nc")));
    expect(reader.version).toBe("64-bit offset format");
    expect(reader.getDataVariable("v").flat()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(reader.getDataVariable("s").flat()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(reader.variables[0].attributes.map(({ name, value }) => [name, value])).toContainEqual(["units", "m"]);
  });

  it.skipIf(!has("ncep-air-na"))(
    "reads the packed Zarr v2 of ncep-air-na (needs ../shared/data/ncep-air-na)",
    async () => {
      const dataset = await openDataset(path.join(shared, "ncep-air-na/air_temperature.zarr"));
      expect(dataset.dims).toEqual({ time: 2920, latitude: 25, longitude: 53 });
      const air = variable(dataset, "air");
      // xarray: ds.air[100].mean() etc.
      const step = (await air.read({ time: 100 })).data as Float32Array;
      expect(step.reduce((a, b) => a + b, 0) / step.length).toBeCloseTo(AIR_100, 4);
      const { values } = await readTimes(dataset);
      expect([values[0], values.at(-1)]).toEqual([Date.UTC(2013, 0, 1), Date.UTC(2014, 11, 31, 18)]);
      expect((await readCoordinate(dataset, "latitude")).slice(0, 2)).toEqual(Float64Array.of(75, 72.5));
      await dataset.close();
    },
  );
});

/** `xarray.open_zarr("air_temperature.zarr").air[100].mean()` in float64. */
const AIR_100 = 273.3773711121757;

describe("bad input", () => {
  const cases: [string, () => string, RegExp][] = [
    ["absent", () => at("nothing.nc"), /no such file or directory; check the path/],
    ["empty", () => (writeFileSync(at("empty.nc"), ""), at("empty.nc")), /the file is empty/],
    [
      "unknown",
      () => (writeFileSync(at("odd.nc"), Buffer.from([1, 2, 3, 250])), at("odd.nc")),
      /format is not known \(it begins with 01 02 03 fa\)/,
    ],
    [
      "truncated NetCDF-4",
      () => (truncateSync(at("netcdf4"), 5000), at("netcdf4")),
      /cannot be opened as HDF5 .*truncated/,
    ],
    ["a directory", () => (mkdirSync(at("folder"), { recursive: true }), at("folder")), /no Zarr store/],
    [
      "a damaged Zarr",
      () => (writeFileSync(path.join(at("zarr-v3"), "zarr.json"), "{"), at("zarr-v3")),
      /'zarr.json' is not JSON/,
    ],
  ];
  it.each(cases)("%s: says what and what to do", async (_, make, message) => {
    const file = make();
    const error = await openDataset(file).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message.startsWith(file)).toBe(true);
  });

  it("names a damaged chunk", async () => {
    await writeZarr(sample(), at("chunk.zarr"));
    writeFileSync(at("chunk.zarr/air/c/0/0/0"), readFileSync(at("chunk.zarr/air/c/0/0/0")).subarray(0, 20));
    const dataset = await openDataset(at("chunk.zarr"));
    await expect(variable(dataset, "air").read()).rejects.toThrow(/chunk 0.0.0 of 'air' cannot be decoded/);
  });
});
