/** What Foehn writes, read by xarray (Debian's python3-xarray with zarr 2 and netCDF4) and ecCodes, where these are installed. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { memoryDataset } from "./dataset.js";
import { encodeMessage } from "./grib/encode-grib2.js";
import { writeClassicNetcdf, writeNetcdf } from "./write-netcdf.node.js";
import { writeZarr } from "./write-zarr.node.js";

const PYTHON = "/usr/bin/python3";
const have = spawnSync(PYTHON, ["-c", "import xarray, zarr, netCDF4"]).status === 0;
const temporary = mkdtempSync(path.join(os.tmpdir(), "foehn-xarray-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const dataset = () =>
  memoryDataset(
    {
      time: {
        dims: ["time"],
        data: { dtype: "int32", shape: [3], data: Int32Array.of(0, 6, 30) },
        attrs: { units: "hours since 2013-01-01", calendar: "standard" },
      },
      latitude: {
        dims: ["latitude"],
        data: { dtype: "float64", shape: [2], data: Float64Array.of(50, 40) },
        attrs: { units: "degrees_north" },
      },
      t: {
        dims: ["time", "latitude"],
        data: { dtype: "float32", shape: [3, 2], data: Float32Array.of(1.5, 2, NaN, 4, 5, 0) },
        attrs: { units: "K", long_name: "é" },
      },
      n: { dims: ["latitude"], data: { dtype: "int16", shape: [2], data: Int16Array.of(0, -3) } },
    },
    { attrs: { title: "sample" } },
  );

const SCRIPT = `
import sys, json, warnings; warnings.filterwarnings("ignore")
import xarray as xr, numpy as np
p = sys.argv[1]
ds = xr.open_zarr(p) if p.endswith(".zarr") else xr.open_dataset(p)
print(json.dumps({"times": [str(t)[:13] for t in ds.time.values], "t": [None if np.isnan(x) else float(x) for x in ds.t.values.ravel()],
  "dims": list(ds.t.dims), "n": [int(x) for x in ds.n.values], "dtype": [str(ds.t.dtype), str(ds.n.dtype)], "attrs": [ds.t.attrs.get("units"), ds.t.attrs.get("long_name"), ds.attrs.get("title")]}))
`;

describe.skipIf(!have)("xarray (needs python3-xarray, python3-zarr, python3-netcdf4)", () => {
  it.each([
    ["v2.zarr", (target: string) => writeZarr(dataset(), target, { zarrFormat: 2, chunks: { time: 2 } })],
    ["4.nc", (target: string) => writeNetcdf(dataset(), target, { unlimited: ["time"] })],
    ["3.nc", (target: string) => writeClassicNetcdf(dataset(), target)],
  ])("reads our %s", async (name, write) => {
    const target = path.join(temporary, name);
    await write(target);
    expect(JSON.parse(execFileSync(PYTHON, ["-c", SCRIPT, target], { encoding: "utf8" }))).toEqual({
      times: ["2013-01-01T00", "2013-01-01T06", "2013-01-02T06"],
      t: [1.5, 2, null, 4, 5, 0],
      dims: ["time", "latitude"],
      n: [0, -3],
      dtype: ["float32", "int16"],
      attrs: ["K", "é", "sample"],
    });
  });
});

const GRIB_KEYS = {
  edition: 2,
  shortName: "t",
  typeOfLevel: "isobaricInhPa",
  level: 850,
  dataDate: 20240101,
  dataTime: 600,
  stepRange: "12",
  number: 3,
  Ni: 36,
  Nj: 19,
  numberOfMissing: 1,
};
const GRIB_SCRIPT = `
import sys, json, eccodes
with open(sys.argv[1], "rb") as f: h = eccodes.codes_grib_new_from_file(f)
eccodes.codes_set(h, "missingValue", -1e9)
print(json.dumps({"keys": {k: eccodes.codes_get(h, k) for k in sys.argv[2].split(",")}, "packing": eccodes.codes_get(h, "packingType"),
  "values": list(eccodes.codes_get_values(h)), "latitudes": list(eccodes.codes_get_array(h, "latitudes"))[::36]}))
`;
const haveEccodes = spawnSync(PYTHON, ["-c", "import eccodes"]).status === 0;

describe.skipIf(!haveEccodes)("ecCodes (needs python3-eccodes)", () => {
  it.each([
    ["simple", "grid_simple"],
    ["ccsds", "grid_ccsds"],
  ] as const)("reads our GRIB 2, %s", (packing, packingType) => {
    const values = Float64Array.from({ length: 36 * 19 }, (_, i) => 273.15 + 20 * Math.sin(i / 17));
    values[40] = NaN;
    const target = path.join(temporary, `${packing}.grib2`);
    const latitude = Array.from({ length: 19 }, (_, j) => 90 - 10 * j);
    const bytes = encodeMessage(
      {
        parameter: "t",
        latitude,
        longitude: Array.from({ length: 36 }, (_, i) => 10 * i),
        values,
        time: Date.UTC(2024, 0, 1, 6),
        leadHours: 12,
        level: { type: "isobaricInhPa", value: 850 },
        member: { number: 3, of: 10 },
      },
      { packing, bits: 16 },
    );
    writeFileSync(target, bytes);
    const read = JSON.parse(
      execFileSync(PYTHON, ["-c", GRIB_SCRIPT, target, Object.keys(GRIB_KEYS).join()], { encoding: "utf8" }),
    ) as { keys: object; packing: string; values: number[]; latitudes: number[] };
    expect(read.keys).toEqual(GRIB_KEYS);
    expect(read.packing).toBe(packingType);
    expect(read.latitudes).toEqual(latitude);
    // half a step of 16 bits over a range of 40 K, which is packed in powers of two
    read.values.forEach((value, i) =>
      Number.isNaN(values[i]) ? expect(value).toBe(-1e9) : expect(Math.abs(value - values[i])).toBeLessThan(2 ** -10),
    );
  });
});
