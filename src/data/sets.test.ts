/** Every file of every set under ../shared/data opens, gives what others read in it (fixtures/make-sets.py), and is converted. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatTime } from "../earth/time.js";
import { convertDataset } from "./convert.node.js";
import { readTimes } from "./coords.js";
import { type Dataset, variable } from "./dataset.js";
import { describe as describeDataset, table } from "./info.js";
import { openDataset, type OpenOptions } from "./open.node.js";
import { sampleOf } from "./sample.js";

const shared = path.join(process.env["FOEHN_SHARED"] ?? path.join(import.meta.dirname, "../../../shared"), "data");
type Row = [shape: number[] | null, present: number, min: number, max: number, mean: number];
const reference = JSON.parse(readFileSync(new URL("./fixtures/sets.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, Row>
>;
const have = existsSync(shared);

/** What the files need said to be read, as a person would say it. */
const SAID: Readonly<Record<string, OpenOptions>> = {
  "cmip6-ipsl/tau.line_2012.12.txt": { table: { time: "year/mon" } },
  "forcing/annual.csv": { table: { station: "Source" } },
  "forcing/monthly.csv": { table: { station: "Source" } },
};
/** Columns of tables that become coordinates: instants, the stations' names and places. */
const COORDINATES = /^(time|date|year|month|day|hour|year\/mon|id|lat|lon|latitude|longitude|elevation|height)$/i;
/** Of a set of many files so many are read and converted in `npm test`; all in `npm run test:full`. */
const FILES = process.env["FOEHN_TEST"] === "full" ? Infinity : 4;
const first = (name: string): boolean => {
  const set = Object.keys(reference).filter((other) => path.dirname(other) === path.dirname(name));
  return set.indexOf(name) < FILES;
};

/** What differs from the reference, by variable. */
async function differences(dataset: Dataset, expected: Record<string, Row>): Promise<string[]> {
  const found: string[] = [];
  for (const [name, [shape, present, min, max, mean]] of Object.entries(expected)) {
    const v = dataset.variables.get(name);
    if (!v) found.push(`${name} is not there`);
    if (!v) continue;
    const sample = await sampleOf(v);
    const scale = Math.max(Math.abs(min), Math.abs(max), 1e-30);
    const got = [sample.min, sample.max, sample.mean];
    const same =
      (shape === null || v.shape.join() === shape.join()) &&
      sample.count - sample.infinite === present &&
      // float32 steps of packed values: 2^-23 of the largest
      [min, max, mean].every((wanted, i) => Math.abs(got[i] - wanted) <= 3e-7 * scale);
    if (!same) found.push(`${name}: ${JSON.stringify([v.shape, sample])}`);
  }
  return found;
}

const temporary = mkdtempSync(path.join(os.tmpdir(), "foehn-sets-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

describe.skipIf(!have)("the shared sets (need ../shared/data)", () => {
  it("every file has a reference, or a reason for none", () => {
    const files = readdirSync(shared, { recursive: true, encoding: "utf8" }).filter(
      (name) =>
        // the conformance sets have references of their own
        !/^conform|\.zarr\/|\.(md|json)$|LICEN[CS]E/.test(name) && /\.[a-z0-9]+$/.test(path.basename(name)),
    );
    const without = files.filter((name) => !(name in reference));
    // pandas reads Parquet only with pyarrow, which Debian does not have; tables.test.ts checks its columns
    expect(without).toEqual(["metar-global12/metar_2020-01.parquet"]);
  });

  it.each(Object.keys(reference).filter(first))("%s", async (name) => {
    const file = path.join(shared, name);
    const isTable = /\.(csv|csv\.gz|txt)$/.test(name);
    const expected = Object.fromEntries(
      Object.entries(reference[name]).filter(([variable]) => !isTable || !COORDINATES.test(variable)),
    );
    const dataset = await openDataset(file, { ...SAID[name], names: "original" });
    expect(await differences(dataset, expected)).toEqual([]);
    await dataset.close();

    const source = await openDataset(file, SAID[name]);
    const target = path.join(temporary, `${path.basename(name)}${isTable && source.dims["time"] ? ".csv" : ".zarr"}`);
    await convertDataset(source, target);
    const written = await openDataset(target);
    // coordinates have Foehn's names now, and times its units
    const kept = Object.entries(expected).filter(([variable]) => source.variables.has(variable));
    const data = kept.filter(([variable]) => variable !== "time");
    expect(data.length).toBeGreaterThan(Object.keys(expected).length > 0 ? 0 : -1);
    expect(await differences(written, Object.fromEntries(data))).toEqual([]);
    await source.close();
    await written.close();
  });

  const others = [
    "noaa-us-daily/daily.csv.gz",
    "uwme-ensemble/srft.csv.gz",
    "metar-global12/metar_2020-01.parquet",
    "forcing/annual.csv",
    "forcing/monthly.csv",
    "forcing/ghg_concentrations.csv",
    "forcing/ssp245_emiss-constraints_rf.csv",
    "meteonet-nw/radar_coords_NW.npz",
    "meteonet-nw/NW_masks.grib",
    "era5-uk-2t/era5-2mt-2019-03-uk.grib",
    "knmi-radar/RAD_NL25_RAP_5min_201008260000.h5",
    "gfs-wind-png/2016112000.png",
  ];
  it.each(others)("%s tells what it is", async (name) => {
    const dataset = await openDataset(path.join(shared, name));
    const text = table(await describeDataset(dataset, { maxValues: 1e5 }));
    expect(text.split("\n").length).toBeLessThan(80);
    expect(text).toMatch(/No problems found\.|Problems:/);
    await dataset.close();
  });

  it.skipIf(!existsSync(path.join(shared, "knmi-radar")))("read radar images as their calibration says", async () => {
    const name = "RAD_NL25_RAP_5min_201008260000.h5";
    const expected = JSON.parse(readFileSync(path.join(shared, "knmi-radar/expected.json"), "utf8")) as Record<
      string,
      { variables: Record<string, { missing: number; max: number; mean: number }> }
    >;
    const dataset = await openDataset(path.join(shared, "knmi-radar", name));
    const v = variable(dataset, "image1/image_data");
    const sample = await sampleOf(v);
    const counts = expected[name].variables["image1/image_data"];
    // GEO=0.01*PV+0.0 of ACCUMULATED_PRECIPITATION_[MM]; the reference values are counts
    expect(v.attrs["units"]).toBe("mm");
    expect(sample.missing).toBe(counts.missing);
    expect(sample.max).toBeCloseTo(0.01 * counts.max, 6);
    expect(sample.mean).toBeCloseTo(0.01 * counts.mean, 6);
    expect(v.dims).toEqual(["time", "y", "x"]);
    const { values } = await readTimes(dataset);
    expect(formatTime(values[0])).toBe("2010-08-26T00:00:00Z");
    // PROJ's places of the middles of five pixels: cs2cs +proj=stere +lat_0=90 +lon_0=0 +lat_ts=60 +a=6378137 +b=6356752
    // +to +proj=longlat, at x = 1000 (column + 0.5), y = -1000 (3650 + row + 0.5)
    for (const [y, x, longitude, latitude] of [
      [0, 0, 0.007847662, 55.969160591],
      [0, 699, 10.847392171, 55.385453321],
      [382, 349, 4.953492521, 52.505953777],
      [764, 0, 0.006489498, 49.366292673],
      [764, 699, 9.003948891, 48.900133395],
    ]) {
      expect((await variable(dataset, "latitude").read({ y, x })).data[0]).toBeCloseTo(latitude, 8);
      expect((await variable(dataset, "longitude").read({ y, x })).data[0]).toBeCloseTo(longitude, 8);
    }
    await dataset.close();
  });

  it("go on in time where a pattern names their years", async () => {
    const dataset = await openDataset(path.join(shared, "cmip6-ipsl/tas_ann_*_r1i1p1f1_g025.nc"));
    expect(dataset.dims["time"]).toBe(251);
    await dataset.close();
  });

  it("tell their times once the units are said (storm-na)", async () => {
    const dataset = await openDataset(path.join(shared, "storm-na/Pstorm.cdf"), {
      units: { timestep: "hours since 1996-01-05", p: "Pa" },
    });
    const info = await describeDataset(dataset);
    expect(info.time).toMatchObject({ start: "1996-01-05T00:00:00Z", end: "1996-01-20T18:00:00Z", step: "6 hours" });
  });

  it("are converted: a part, another grid, other units", async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "foehn-convert-"));
    const dataset = await openDataset(path.join(shared, "ncep-air-na/air_temperature.zarr"));
    for (const target of ["a.zarr", "a.nc"]) {
      await convertDataset(dataset, path.join(folder, target), {
        variables: ["air"],
        box: { south: 30, north: 60, west: -120, east: -60 },
        time: { start: "2013-07", end: "2013-07" },
        rename: { air: "t2m" },
        units: { air: "degC" },
      });
      const written = await openDataset(path.join(folder, target));
      expect(written.dims).toEqual({ time: 124, latitude: 13, longitude: 25 });
      const t2m = variable(written, "t2m");
      expect(t2m.attrs["units"]).toBe("degC");
      const one = (await t2m.read({ time: 0, latitude: 0, longitude: 0 })).data[0] as number;
      // 60 N, 240 E at 2013-07-01T00 (step 724, row 6, column 16 of the whole)
      const whole = (await variable(dataset, "air").read({ time: 724, latitude: 6, longitude: 16 })).data[0] as number;
      expect(one).toBeCloseTo(whole - 273.15, 4);
      await written.close();
    }
    expect(readdirSync(folder).sort()).toEqual(["a.nc", "a.zarr"]);
    await expect(convertDataset(dataset, path.join(folder, "b.xyz"))).rejects.toThrow(/names no format Foehn writes/);
    await expect(convertDataset(dataset, path.join(folder, "b.nc"), { units: { air: "hPa" } })).rejects.toThrow(
      /'degK' cannot be converted to 'hPa'/,
    );
    rmSync(folder, { recursive: true });
  });
});
