/** Every set under ../shared/data opens; the gridded ones give what xarray reads (fixtures/make-sets.py). */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { convertDataset } from "./convert.node.js";
import { variable } from "./dataset.js";
import { describe as describeDataset, table } from "./info.js";
import { openDataset } from "./open.node.js";
import { sampleOf } from "./sample.js";

const shared = path.join(process.env["FOEHN_SHARED"] ?? path.join(import.meta.dirname, "../../../shared"), "data");
const reference = JSON.parse(readFileSync(new URL("./fixtures/sets.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, [shape: number[], missing: number, min: number, max: number, mean: number]>
>;
const have = existsSync(shared);

describe.skipIf(!have)("the shared sets (need ../shared/data)", () => {
  it.each(Object.keys(reference))("%s", async (name) => {
    const dataset = await openDataset(path.join(shared, name), { names: "original" });
    const differing: string[] = [];
    for (const [variableName, [shape, missing, min, max, mean]] of Object.entries(reference[name])) {
      const v = variable(dataset, variableName);
      const sample = await sampleOf(v);
      const scale = Math.max(Math.abs(min), Math.abs(max), 1e-30);
      const got = [sample.min, sample.max, sample.mean];
      const same =
        v.shape.join() === shape.join() &&
        sample.missing + sample.infinite === missing &&
        // float32 steps of packed values: 2^-23 of the largest
        [min, max, mean].every((wanted, i) => Math.abs(got[i] - wanted) <= 3e-7 * scale);
      if (!same) differing.push(`${variableName}: ${JSON.stringify([v.shape, sample])}`);
    }
    await dataset.close();
    expect(differing).toEqual([]);
  });

  const others = [
    "noaa-us-daily/daily.csv.gz",
    "uwme-ensemble/srft.csv.gz",
    "metar-global12/metar_2020-01.parquet",
    "forcing/annual.csv",
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
