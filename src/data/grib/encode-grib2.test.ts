import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeField } from "./decode.js";
import { encodeGrib2, encodeMessage, type FieldToEncode } from "./encode-grib2.js";
import { gaussianLatitudes } from "./gaussian.js";
import { unpackCcsds } from "./packing/ccsds.js";
import { CCSDS_OPTIONS, encodeCcsds } from "./packing/ccsds-encode.js";
import { parameterOfField } from "./parameters.js";
import { indexGrib } from "./scan.js";
import { memorySource } from "../byte-source.js";

const latitude = Array.from({ length: 19 }, (_, j) => 90 - 10 * j);
const longitude = Array.from({ length: 36 }, (_, i) => 10 * i);
const smooth = Float64Array.from({ length: 19 * 36 }, (_, p) => 280 + 25 * Math.cos(p / 90) + 3 * Math.sin(p * 1.7));
const holes = smooth.map((x, p) => (p % 11 === 3 ? NaN : x));
const time = Date.UTC(2024, 1, 29, 18);
const base = { latitude, longitude, time };
const fields: FieldToEncode[] = [
  { ...base, parameter: "2t", values: smooth, leadHours: 6 },
  {
    ...base,
    parameter: "t",
    values: holes,
    leadHours: 30,
    level: { type: "isobaricInhPa", value: 850 },
    member: { number: 7, of: 50 },
  },
  {
    ...base,
    parameter: 228228,
    values: smooth,
    leadHours: 24,
    interval: { type: "accum", hours: 6 },
    member: { number: 0, of: 50 },
  },
  { ...base, parameter: "msl", values: smooth.map(() => 101325), leadHours: 1.5 },
  {
    ...base,
    parameter: "z",
    values: smooth,
    latitude: [...latitude].reverse(),
    level: { type: "isobaricInhPa", value: 500 },
  },
  { ...base, parameter: "sst", values: smooth.map(() => NaN) },
  {
    ...base,
    parameter: { discipline: 0, category: 2, number: 2 },
    values: smooth.subarray(0, 18 * 36),
    latitude: gaussianLatitudes(9),
    level: { type: "hybrid", value: 137 },
  },
];

async function readBack(bytes: Uint8Array) {
  const source = memorySource(bytes);
  const { fields: read, problems } = await indexGrib(source, "encoded.grib2");
  expect(problems).toEqual([]);
  return Promise.all(read.map(async (field) => ({ field, values: await decodeField(source, field) })));
}

/** Half a packing step, and what float64 loses on the way. */
function tolerance(values: ArrayLike<number>, bits: number): number {
  const present = Array.from(values).filter((x) => !Number.isNaN(x));
  const range = Math.max(...present) - Math.min(...present);
  return range === 0 || !present.length ? 0 : 2 ** Math.ceil(Math.log2((range + 1e-4) / (2 ** bits - 1))) / 2 + 1e-9;
}

function expectNear(values: ArrayLike<number>, wanted: ArrayLike<number>, within: number): void {
  expect(values.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++)
    if (Number.isNaN(wanted[i])) expect(values[i]).toBeNaN();
    else expect(Math.abs(values[i] - wanted[i])).toBeLessThanOrEqual(within);
}

describe.each(["simple", "ccsds"] as const)("%s packing", (packing) => {
  it.each([1, 8, 11, 16, 17, 24])("reads back to half a packing step in %i bits", async (bits) => {
    const read = await readBack(encodeGrib2(fields, { packing, bits }));
    read.forEach(({ values }, i) => expectNear(values, fields[i].values, tolerance(fields[i].values, bits)));
  });

  it("keeps what the field is", async () => {
    const read = await readBack(encodeGrib2(fields, { packing }));
    const told = read.map(({ field }) => [
      parameterOfField(field).shortName,
      `${field.level.type} ${field.level.value}`,
      [field.step.start / 3.6e6, field.step.end / 3.6e6, field.step.type].join(" "),
      field.ensemble?.member,
    ]);
    expect(told).toEqual([
      ["2t", "heightAboveGround 2", "6 6 instant", undefined],
      ["t", "isobaricInhPa 850", "30 30 instant", 7],
      ["tp", "surface 0", "18 24 accum", 0],
      ["msl", "meanSea 0", "1.5 1.5 instant", undefined],
      ["z", "isobaricInhPa 500", "0 0 instant", undefined],
      ["sst", "surface 0", "0 0 instant", undefined],
      ["u", "hybrid 137", "0 0 instant", undefined],
    ]);
    expect(read.every(({ field }) => field.time === time)).toBe(true);
    expect(read.at(-1)!.field.grid).toMatchObject({ kind: "gaussian", n: 9 });
  });
});

it("CCSDS coding is lossless", () => {
  const samples = fc.integer({ min: 1, max: 24 }).chain((bits) => {
    const any = fc.integer({ min: 0, max: 2 ** bits - 1 });
    // Runs of equal samples make runs of zero blocks, across segments and intervals.
    const runs = fc.array(fc.tuple(any, fc.integer({ min: 1, max: 6000 })), { minLength: 1, maxLength: 4 });
    const loose = fc.array(any, { minLength: 1, maxLength: 300 });
    const joined = runs.map((list) => list.flatMap(([x, n]) => new Array<number>(n).fill(x)));
    return fc.tuple(fc.constant(bits), fc.oneof(loose, joined));
  });
  fc.assert(
    fc.property(samples, ([bits, list]) => {
      const out = new Float64Array(list.length);
      const bytes = encodeCcsds(Uint32Array.from(list), bits);
      unpackCcsds(
        bytes,
        { kind: "ccsds", bits, scaling: { reference: 0, binary: 1, decimal: 1 }, ...CCSDS_OPTIONS },
        out,
      );
      expect(out).toEqual(Float64Array.from(list));
    }),
    { numRuns: 100, seed: 4 },
  );
});

describe("what cannot be written is refused", () => {
  const one = fields[0];
  it.each<[string, Partial<FieldToEncode>, RegExp]>([
    ["an unknown parameter", { parameter: "nonsense" }, /parameter 'nonsense' has no code in edition 2/],
    [
      "a level that makes it another parameter",
      { level: { type: "isobaricInhPa", value: 500 } },
      /would be read as 't'/,
    ],
    ["an unknown level", { level: { type: "isobaricInhpa", value: 500 } }, /did you mean 'isobaricInhPa'/],
    [
      "uneven latitudes",
      { latitude: latitude.map((x, j) => (j === 4 ? x + 1 : x)) },
      /neither evenly spaced nor Gaussian/,
    ],
    ["too few values", { values: [1, 2] }, /cannot take 2 values/],
    ["infinities", { values: smooth.map((x, p) => (p === 9 ? Infinity : x)) }, /infinite values cannot be packed/],
    ["no time", { time: NaN }, /NaN is not a time/],
  ])("%s", (_, change, message) => {
    expect(() => encodeMessage({ ...one, ...change })).toThrow(message);
  });
});

const haveEccodes = (() => {
  try {
    execFileSync("grib_ls", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!haveEccodes)("ecCodes reads what is written (needs grib_ls and grib_get_data)", () => {
  it.each(["simple", "ccsds"] as const)("%s packing", (packing) => {
    const folder = mkdtempSync(join(tmpdir(), "foehn-grib-"));
    try {
      const path = join(folder, "x.grib2");
      writeFileSync(path, encodeGrib2(fields, { packing }));
      const keys = "shortName,typeOfLevel,level,dataDate,dataTime,stepRange:s,stepType,gridType,packingType";
      const listed = execFileSync("grib_get", ["-p", keys, path], { encoding: "utf8" }).trim().split("\n");
      expect(listed).toEqual([
        `2t heightAboveGround 2 20240229 1800 6 instant regular_ll grid_${packing}`,
        `t isobaricInhPa 850 20240229 1800 30 instant regular_ll grid_${packing}`,
        `tp surface 0 20240229 1800 18-24 accum regular_ll grid_${packing}`,
        `msl meanSea 0 20240229 1800 90 instant regular_ll grid_${packing}`, // in minutes
        `z isobaricInhPa 500 20240229 1800 0 instant regular_ll grid_${packing}`,
        `sst surface 0 20240229 1800 0 instant regular_ll grid_${packing}`,
        `u hybrid 137 20240229 1800 0 instant regular_gg grid_${packing}`,
      ]);
      const text = execFileSync("grib_get_data", ["-m", "NaN", "-F", "%.12g", path], {
        encoding: "utf8",
        maxBuffer: 1 << 26,
      });
      const rows = text
        .trim()
        .split("\n")
        .filter((line) => !line.startsWith("Lat"))
        .map((line) =>
          line
            .trim()
            .split(/[\s,]+/)
            .map(Number),
        );
      const written = fields.flatMap(({ values, latitude: lats, longitude: lons }) =>
        Array.from(values, (x, p) => [lats[Math.floor(p / lons.length)], lons[p % lons.length], x]),
      );
      expect(rows.length).toBe(written.length);
      rows.forEach(([lat, lon, x], i) => {
        expect(Math.abs(lat - written[i][0])).toBeLessThan(1e-3);
        expect(Math.abs(lon - written[i][1])).toBeLessThan(1e-3);
        if (Number.isNaN(written[i][2])) expect(x).toBeNaN();
        else expect(Math.abs(x - written[i][2])).toBeLessThan(1e-3);
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
