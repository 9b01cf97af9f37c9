import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dataVariables } from "../dataset.js";
import { decodeField } from "./decode.js";
import { openGrib } from "./open-grib.js";
import { parameterOfField } from "./parameters.js";
import { indexGrib } from "./scan.js";
import { memorySource } from "../byte-source.js";

const SHARED = process.env["FOEHN_SHARED"] ?? join(import.meta.dirname, "../../../../shared");
const folder = join(SHARED, "data/conform-grib");
const have = existsSync(join(folder, "expected.json"));

interface Expected {
  error?: string;
  numberOfDataPoints: number;
  missing: number;
  min?: number;
  max?: number;
  mean?: number;
  samples: Record<string, number | null>;
  paramId: number;
  shortName: string;
  typeOfLevel: string;
  level: number;
  gridType: string;
  dataDate: number;
  dataTime: number;
  stepRange: string;
}
const expected = have
  ? (JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Record<string, Expected[] | { error: string }>)
  : {};
const gribFiles = Object.entries(expected).filter(([name]) => !name.endsWith(".bufr"));
const load = (name: string) => memorySource(new Uint8Array(readFileSync(join(folder, name))));

/** Files of which ecCodes 2.28 says less than is there; what we do instead. */
const BEYOND_ECCODES: Record<string, string> = {
  "era5-levels-corrupted.grib": "the first message's length is wrong; the rest is read and the damage said",
  "healpix_H8.grib2": "ecCodes 2.28 does not know template 3.150; values are read",
};

describe.skipIf(!have)("files of many centres decode to ecCodes' values (needs ../shared/data/conform-grib)", () => {
  it.each(gribFiles.filter(([name]) => !(name in BEYOND_ECCODES)))("%s", async (name, rows) => {
    const messages = rows as Expected[];
    const source = load(name);
    const { fields, problems } = await indexGrib(source, name);
    expect(problems).toEqual([]);
    expect(fields.length).toBe(messages.length);
    for (const [i, want] of messages.entries()) {
      const field = fields[i];
      const values = await decodeField(source, field);
      let [low, high, sum, missing] = [Infinity, -Infinity, 0, 0];
      for (const x of values) {
        if (Number.isNaN(x)) missing++;
        else {
          low = Math.min(low, x);
          high = Math.max(high, x);
          sum += x;
        }
      }
      expect(missing).toBe(want.missing);
      if (field.grid.kind !== "spectral") expect(values.length).toBe(want.numberOfDataPoints);
      const scale = 1e-12 * Math.max(Math.abs(low), Math.abs(high), 1e-30);
      const near = (a: number, b: number, times = 1) => expect(Math.abs(a - b)).toBeLessThanOrEqual(times * scale);
      if (want.min !== undefined) {
        near(low, want.min);
        near(high, want.max!);
        near(sum / (values.length - missing), want.mean!, 100); // summed in another order
      }
      for (const [at, x] of Object.entries(want.samples))
        if (x === null) expect(values[Number(at)]).toBeNaN();
        else near(values[Number(at)], x);
      const { paramId, shortName } = parameterOfField(field);
      const date = new Date(field.time);
      const hours = [field.step.start, field.step.end].map((ms) => String(ms / 3_600_000));
      const facts = {
        paramId,
        shortName,
        typeOfLevel: field.level.type,
        level: Math.trunc(field.level.value), // ecCodes' integer
        gridType: field.grid.type,
        dataDate: date.getUTCFullYear() * 10000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate(),
        dataTime: date.getUTCHours() * 100 + date.getUTCMinutes(),
        stepRange: [...new Set(hours)].join("-"),
      };
      const { typeOfLevel, level, gridType, dataDate, dataTime, stepRange } = want;
      // The end of this one's interval is before its begin; ecCodes then says 2^32 - 1.
      const saidStep = stepRange.endsWith("-4294967296") ? facts.stepRange : stepRange;
      expect(facts).toEqual({
        ...{ paramId: want.paramId, shortName: want.shortName, typeOfLevel, level, gridType, dataDate, dataTime },
        stepRange: saidStep,
      });
    }
  });

  it("the file broken on purpose is read but for its first message, and says so", async () => {
    const dataset = await openGrib(load("era5-levels-corrupted.grib"), "era5-levels-corrupted.grib");
    expect(dataset.attrs["problems"]).toEqual([
      expect.stringMatching(/^GRIB message at byte 0: .*its length is wrong$/),
    ]);
  });

  it("HEALPix is read", async () => {
    const dataset = await openGrib(load("healpix_H8.grib2"), "healpix_H8.grib2");
    const t = await dataset.variables.get("t")!.read({ lead_time: 0 });
    expect(t.shape).toEqual([1, 1, 768]);
    expect(Math.min(...(t.data as Float32Array))).toBeGreaterThan(200);
    expect(dataset.variables.get("latitude")!.dims).toEqual(["values"]);
  });

  it("BUFR is refused as what it is not", async () => {
    await expect(openGrib(load("temp_10.bufr"), "temp_10.bufr")).rejects.toThrow(
      "temp_10.bufr: there is no GRIB message in it",
    );
  });

  it("opens as datasets whose variables are the messages", async () => {
    const dimsOf = async (name: string) => {
      const dataset = await openGrib(load(name), name);
      return Object.fromEntries(
        dataVariables(dataset).map((v) => [v.name, v.dims.map((dim, i) => `${dim} ${v.shape[i]}`).join(", ")]),
      );
    };
    expect(await dimsOf("era5-levels-members.grib")).toEqual({
      z: "member 10, time 4, level 2, latitude 61, longitude 120",
      t: "member 10, time 4, level 2, latitude 61, longitude 120",
    });
    expect(await dimsOf("multi_param_on_multi_dims.grib")).toMatchObject({
      u: "time 1, lead_time 4, level 4, latitude 37, longitude 72",
    });
    expect(await dimsOf("hpa_and_pa.grib")).toEqual({ t: "time 1, lead_time 1, level 3, latitude 37, longitude 72" });
    expect(await dimsOf("tp_on_different_grid_resolutions.grib")).toEqual({
      tp: "time 1, lead_time 1, latitude 37, longitude 72",
      tp_grid2: "time_2 1, lead_time 1, latitude_2 46, longitude_2 90",
    });
    expect(await dimsOf("cfrzr_and_cprat.grib")).toMatchObject({
      cprat: "time 1, lead_time 1, latitude 45, longitude 90",
      cprat_avg: "time 1, lead_time 1, latitude 45, longitude 90",
    });
    expect(await dimsOf("wave_spectra.grib")).toEqual({
      "2dfd": "time 1, direction 6, frequency 3, latitude 7, longitude 12",
    });
  });
});
