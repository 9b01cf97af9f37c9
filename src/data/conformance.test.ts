/**
 * Every NetCDF and HDF5 file of ../shared/data/conform-nc-hdf-zarr against its expected.json (values decoded by
 * netCDF4-python and jHDF), and every Zarr fixture against the numbers its name promises.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { DataError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { type Dataset, type Variable } from "./dataset.js";
import { openDataset } from "./open.node.js";

const folder = path.join(
  process.env["FOEHN_SHARED"] ?? path.join(import.meta.dirname, "../../../shared"),
  "data/conform-nc-hdf-zarr",
);
const have = existsSync(folder);

interface ExpectedVariable {
  dims?: string[];
  shape: number[];
  dtype: string;
  note?: string;
  missing?: number;
  min?: number;
  max?: number;
  mean?: number;
}
const expected = (have ? JSON.parse(readFileSync(path.join(folder, "expected.json"), "utf8")) : {}) as Record<
  string,
  { error?: string; variables?: Record<string, ExpectedVariable> }
>;

/** netCDF4-python masks these in integers without a `_FillValue`; Foehn keeps integers as they are. */
const DEFAULT_FILL: Readonly<Record<string, number>> = {
  int8: -127,
  int16: -32767,
  int32: -2147483647,
  uint16: 65535,
  uint32: 4294967295,
};

/** Why a variable is not among ours. */
const LEFT_OUT = /^<class|^\{|^\[|object|^\|?[SO]/;

async function check(v: Variable, want: ExpectedVariable): Promise<void> {
  if (v.readStrings) {
    await v.readStrings();
    return;
  }
  expect(v.shape).toEqual(want.shape);
  const fill = "_FillValue" in v.attrs ? undefined : DEFAULT_FILL[v.dtype];
  const all = Array.from(toNumbers(await v.read()));
  const known = all.filter((x) => Number.isFinite(x) && x !== fill);
  if (want.missing !== undefined) expect(all.length - known.length).toBe(want.missing);
  if (want.min === undefined || known.length === 0) return;
  const close = (got: number, wanted: number): void => {
    // float32 means are sums in another order
    const scale = Math.max(Math.abs(want.min!), Math.abs(want.max!), 1e-30);
    expect(Math.abs(got - wanted) / scale).toBeLessThan(1e-6);
  };
  close(
    known.reduce((a, b) => Math.min(a, b)),
    want.min,
  );
  close(
    known.reduce((a, b) => Math.max(a, b)),
    want.max!,
  );
  const largest = Math.max(Math.abs(want.min), Math.abs(want.max!));
  if (largest < 1e30)
    close(
      known.reduce((a, b) => a + b / known.length, 0),
      want.mean!,
    );
}

describe.skipIf(!have)("conform-nc-hdf-zarr (needs ../shared/data/conform-nc-hdf-zarr)", () => {
  it.each(Object.keys(expected))("%s", async (name) => {
    const { error, variables = {} } = expected[name];
    let dataset: Dataset;
    try {
      dataset = await openDataset(path.join(folder, name), { names: "original" });
    } catch (reason) {
      expect(reason).toBeInstanceOf(DataError);
      expect(error, String(reason)).toBeDefined();
      return;
    }
    const problems: string[] = [];
    for (const [variableName, want] of Object.entries(variables)) {
      const v = dataset.variables.get(variableName);
      if (!v) {
        if (!LEFT_OUT.test(want.dtype) && !want.note) problems.push(`${variableName} (${want.dtype}) is not there`);
        continue;
      }
      try {
        await check(v, want);
      } catch (reason) {
        const refused = reason instanceof DataError && (want.note !== undefined || /lzf/.test(reason.message));
        if (!refused) problems.push(`${variableName}: ${(reason as Error).message.split("\n")[0]}`);
      }
    }
    await dataset.close();
    expect(problems).toEqual([]);
  });

  it.each([
    "v2/data.zarr",
    "v3/data.zarr",
    "v2/data.zipped_from_parent.zarr.zip",
    "v2/data.zipped_from_within.zarr.zip",
    "v3/data.uncompressed.zarr.zip",
    "v3/data.zipped_from_parent.zarr.zip",
  ])("fixtures/%s", async (name) => {
    const dataset = await openDataset(path.join(folder, "fixtures", name));
    expect(dataset.variables.size).toBeGreaterThan(30);
    for (const v of dataset.variables.values()) {
      if (v.readStrings) {
        expect((await v.readStrings()).length).toBe(v.shape.reduce((a, b) => a * b, 1));
        continue;
      }
      const values = Array.from(toNumbers(await v.read()));
      if (/filled/.test(v.name)) continue;
      if (/\.i[24]$/.test(v.name) && v.shape.length === 1 && !/shuffle/.test(v.name))
        expect(values.slice(0, 4)).toEqual(/nested/.test(v.name) ? [10, 20, 30, 40] : [1, 2, 3, 4]);
      // the 3d fixtures count up from 0 in row-major order, however they are stored
      if (/3d\..*i[24]/.test(v.name)) expect(values).toEqual(values.map((_, i) => i));
      if (/\.f4\.[bl]e|sharded\.f4|f2\.le/.test(v.name)) expect(values).toEqual([-1000.5, 0, 1000.5, 0]);
      if (/\.b1$/.test(v.name)) expect(values).toEqual([1, 0, 1, 0]);
    }
    await dataset.close();
  });
});
