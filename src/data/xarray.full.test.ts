/** What Foehn writes, read by xarray (Debian's python3-xarray with zarr 2 and netCDF4), where these are installed. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { memoryDataset } from "./dataset.js";
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
