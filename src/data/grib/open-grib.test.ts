import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NdArray } from "../../tensor/ndarray.js";
import { dataVariables, memoryDataset, resolveSelection, select } from "../dataset.js";
import { encodeGrib2, encodeMessage, type FieldToEncode } from "./encode-grib2.js";
import { openGrib } from "./open-grib.js";
import { indexGrib } from "./scan.js";
import { memorySource } from "../byte-source.js";
import { gribMessages } from "./write-grib.js";

const HOUR = 3_600_000;
const latitude = [30, 20, 10, 0];
const longitude = [0, 10, 20, 30, 40];
const grid = { latitude, longitude };
const time = Date.UTC(2024, 0, 1);
/** A field of whole numbers from `first`: with 8 bits or more they are packed without loss. */
const numbers = (first: number): Float64Array => Float64Array.from({ length: 20 }, (_, i) => first + i);
const field = (change: Partial<FieldToEncode> = {}): FieldToEncode => ({
  ...grid,
  parameter: "2t",
  values: numbers(0),
  time,
  ...change,
});
const open = (fields: FieldToEncode[], bits = 16) =>
  openGrib(memorySource(encodeGrib2(fields, { bits })), "test.grib2");
const bytesOf = (data: NdArray) => Array.from(data.data as Float32Array);

describe("fields become variables", () => {
  it("members, times, leads and levels are dimensions, and reads pick from them", async () => {
    const fields: FieldToEncode[] = [];
    for (const member of [0, 1])
      for (const step of [0, 6, 12])
        for (const level of [850, 500])
          fields.push(
            field({
              parameter: "t",
              values: numbers(member * 1000 + step * 10 + level / 50),
              leadHours: step,
              level: { type: "isobaricInhPa", value: level },
              member: { number: member, of: 2 },
            }),
          );
    const dataset = await open(fields);
    const t = dataset.variables.get("t")!;
    expect(t.dims).toEqual(["member", "time", "lead_time", "level", "latitude", "longitude"]);
    expect(t.shape).toEqual([2, 1, 3, 2, 4, 5]);
    expect(t.attrs).toMatchObject({ units: "K", standard_name: "air_temperature", GRIB_paramId: 130 });
    expect(dataset.attrs["problems"]).toBeUndefined();
    const level = dataset.variables.get("level")!;
    expect(bytesOf(await level.read())).toEqual([500, 850]);
    expect(level.attrs["units"]).toBe("hPa");
    const one = await t.read({ member: 1, time: 0, lead_time: 2, level: 1 });
    expect(one.shape).toEqual([4, 5]);
    expect(bytesOf(one)).toEqual([...numbers(1000 + 120 + 17)]);
  });

  it("any hyperslab equals the same of the whole", async () => {
    const fields = [0, 6, 12].map((leadHours) => field({ leadHours, values: numbers(leadHours * 10) }));
    const variable = (await open(fields)).variables.get("2t")!;
    const whole = await variable.read();
    const axis = (n: number) =>
      fc.oneof(
        fc.integer({ min: -n, max: n - 1 }),
        fc.array(fc.integer({ min: 0, max: n - 1 }), { maxLength: 4 }),
        fc.record({
          start: fc.integer({ min: 0, max: n }),
          stop: fc.integer({ min: 0, max: n }),
          step: fc.integer({ min: 1, max: 3 }),
        }),
      );
    const selection = fc.record({ lead_time: axis(3), latitude: axis(4), longitude: axis(5) }, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(selection, async (of) => {
        const part = await variable.read(of);
        expect(part).toEqual(select(whole, resolveSelection(variable, of, "test")));
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  it("what is absent reads as missing and is said", async () => {
    const level = (value: number) => ({ type: "isobaricInhPa", value });
    const dataset = await open([
      field({ parameter: "t", level: level(500), leadHours: 0 }),
      field({ parameter: "t", level: level(850), leadHours: 0 }),
      field({ parameter: "t", level: level(500), leadHours: 6 }),
    ]);
    expect(dataset.attrs["problems"]).toEqual(["'t' lacks 1 of 4 fields; they read as missing"]);
    const absent = await dataset.variables.get("t")!.read({ lead_time: 1, level: 1 });
    expect(bytesOf(absent).every(Number.isNaN)).toBe(true);
  });

  it("chained short forecasts lie along their time of validity", async () => {
    const chain = [0, 1, 2, 3].map((i) =>
      field({ time: time + Math.floor(i / 2) * 12 * HOUR, leadHours: i % 2 ? 9 : 3 }),
    );
    const full = await open(chain);
    expect(full.variables.get("2t")!.dims).toEqual(["time", "lead_time", "latitude", "longitude"]);
    const broken = await open(chain.slice(0, 3));
    expect(broken.variables.get("2t")!.dims).toEqual(["time", "latitude", "longitude"]);
    const times = broken.variables.get("time")!;
    expect(bytesOf(await times.read()).map((ms) => (ms - time) / HOUR)).toEqual([3, 9, 15]);
    expect(times.attrs["long_name"]).toBe("time of validity");
  });

  it("groups that do not fit one variable get a suffix, the largest the name", async () => {
    const isobaric = (value: number) => field({ parameter: "t", level: { type: "isobaricInhPa", value } });
    const dataset = await open([field({ parameter: "t", level: { type: "surface" } }), isobaric(500), isobaric(850)]);
    expect(dataVariables(dataset).map(({ name, shape }) => `${name} ${shape.join(" ")}`)).toEqual([
      "t 1 2 4 5",
      "t_surface 1 4 5",
    ]);
    expect(dataset.attrs["problems"]).toEqual([
      "'t' comes in groups that do not fit one variable; 1 fields are 't_surface'",
    ]);
  });

  it("intervals of two kinds that end together are two variables", async () => {
    const tp = (leadHours: number, hours: number) =>
      field({ parameter: 228228, leadHours, interval: { type: "accum", hours } });
    const dataset = await open([tp(6, 6), tp(12, 12), tp(12, 6)]);
    expect(dataVariables(dataset).map(({ name }) => name)).toEqual(["tp", "tp_6h"]);
  });

  it("a single run beside an ensemble's control is a variable of its own", async () => {
    const member = (number: number) => field({ member: { number, of: 3 }, values: numbers(number) });
    const dataset = await open([field({ values: numbers(50) }), member(0), member(1), member(2)]);
    expect(dataVariables(dataset).map(({ name, dims }) => `${name} ${dims[0]}`)).toEqual([
      "2t member",
      "2t_single time",
    ]);
    expect(bytesOf(await dataset.variables.get("2t_single")!.read())[0]).toBe(50);
  });

  it("float32 where it holds the packing's precision, else float64", async () => {
    const pressure = Float64Array.from({ length: 20 }, (_, i) => 100000 + i * 370);
    expect((await open([field({ parameter: "msl", values: pressure })], 12)).variables.get("msl")!.dtype).toBe(
      "float32",
    );
    expect((await open([field({ parameter: "msl", values: pressure })], 24)).variables.get("msl")!.dtype).toBe(
      "float64",
    );
  });
});

it("a dataset written as GRIB 2 and opened again is the same", async () => {
  const data = Float32Array.from({ length: 2 * 2 * 20 }, (_, i) => (i === 7 ? NaN : i));
  const coordinate = (values: number[], attrs = {}) => ({
    dims: [] as string[],
    data: { dtype: "float64" as const, shape: [values.length], data: Float64Array.from(values) },
    attrs,
  });
  const named = (dim: string, values: number[], attrs = {}) => ({ ...coordinate(values, attrs), dims: [dim] });
  const dataset = memoryDataset({
    time: named("time", [time / HOUR - 24, time / HOUR - 18], { units: "hours since 1970-01-02" }),
    level: named("level", [500, 850], { units: "hPa" }),
    latitude: named("latitude", latitude),
    longitude: named("longitude", longitude),
    u: {
      dims: ["time", "level", "latitude", "longitude"],
      data: { dtype: "float32", shape: [2, 2, 4, 5], data },
      attrs: { units: "m s-1" },
    },
  });
  const messages: Uint8Array[] = [];
  for await (const message of gribMessages(dataset, { packing: "ccsds" })) messages.push(message);
  const again = await openGrib(memorySource(Buffer.concat(messages)), "again.grib2");
  const u = again.variables.get("u")!;
  expect(u.dims).toEqual(["time", "level", "latitude", "longitude"]);
  expect(bytesOf(await u.read()).map((x) => Math.round(x * 100) / 100)).toEqual([...data]);
  expect(bytesOf(await again.variables.get("time")!.read())).toEqual([time, time + 6 * HOUR]);
  const wrong = memoryDataset({
    ...(await loaded(again)),
    u: { dims: u.dims, data: await u.read(), attrs: { units: "knots" } },
  });
  const inKnots = await openGrib(memorySource((await gribMessages(wrong).next()).value as Uint8Array), "knots.grib2");
  const slower = bytesOf(await inKnots.variables.get("u")!.read());
  slower.forEach((x, i) => expect(x - (data[i] * 1852) / 3600 || 0).toBeCloseTo(0, 3));
  const warm = memoryDataset({
    ...(await loaded(again)),
    u: { dims: u.dims, data: await u.read(), attrs: { units: "K" } },
  });
  await expect(gribMessages(warm).next()).rejects.toThrow("'u' cannot be written as GRIB: it is in 'K', which is not");
});

async function loaded(dataset: Awaited<ReturnType<typeof openGrib>>) {
  const entries = [...dataset.variables.values()].map(
    async (v) => [v.name, { dims: v.dims, attrs: v.attrs, data: await v.read() }] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

it("is written under GRIB's name whatever it is called, with what never changes once", async () => {
  const axis = (dim: string, values: number[], attrs: Record<string, string> = {}) => ({
    dims: [dim],
    data: { dtype: "float64" as const, shape: [values.length], data: Float64Array.from(values) },
    attrs,
  });
  const given = (dims: string[], shape: number[], attrs: Record<string, string>) => ({
    dims,
    data: { dtype: "float32" as const, shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(280) },
    attrs,
  });
  const dataset = memoryDataset({
    time: axis("time", [0, 1], { units: "days since 2001-07-01", calendar: "proleptic_gregorian" }),
    level: axis("level", [500], { units: "hPa" }),
    latitude: axis("latitude", [10, 0]),
    longitude: axis("longitude", [0, 10]),
    "2m_temperature": given(["time", "latitude", "longitude"], [2, 2, 2], { units: "K" }),
    temperature: given(["time", "level", "latitude", "longitude"], [2, 1, 2, 2], { units: "degC" }),
    geopotential_at_surface: given(["latitude", "longitude"], [2, 2], { units: "m2 s-2" }),
    z500: given(["time", "latitude", "longitude"], [2, 2, 2], { units: "m2 s-2" }),
    total_precipitation: given(["time", "latitude", "longitude"], [2, 2, 2], {
      units: "mm",
      cell_methods: "time: sum",
    }),
  });
  const messages: Uint8Array[] = [];
  for await (const message of gribMessages(dataset)) messages.push(message);
  const { fields } = await indexGrib(memorySource(Buffer.concat(messages)), "x");
  const dates = fields.map(({ time }) => new Date(time).toISOString().slice(0, 10));
  // sums of the day before are forecasts from its start
  const days = [
    "2001-07-01",
    "2001-07-02",
    "2001-07-01",
    "2001-07-02",
    "2001-07-01",
    "2001-07-01",
    "2001-07-02",
    "2001-06-30",
    "2001-07-01",
  ];
  expect(dates).toEqual(days);
  expect(fields[5].level.first).toMatchObject({ code: 100, value: 50000 });
  expect(fields.slice(-2).map(({ step: { start, end, type } }) => [start / HOUR, end / HOUR, type])).toEqual([
    [0, 24, "accum"],
    [0, 24, "accum"],
  ]);
  const again = await openGrib(memorySource(Buffer.concat(messages)), "x");
  expect([...again.variables.keys()]).toEqual(expect.arrayContaining(["2t", "t", "z", "tp"]));
  expect(bytesOf(await again.variables.get("t")!.read())[0]).toBeCloseTo(553.15, 3);
  const noleap = memoryDataset({
    ...(await loaded(dataset)),
    time: axis("time", [0, 1], { units: "days since 2001-07-01", calendar: "noleap" }),
  });
  await expect(gribMessages(noleap).next()).rejects.toThrow("its times are in the noleap calendar");
});

it("accumulations since the start of a run keep their intervals when written again", async () => {
  const tp = [6, 12].map((hours) => field({ parameter: 228228, leadHours: hours, interval: { type: "accum", hours } }));
  const dataset = await open(tp);
  expect(dataset.variables.get("tp")!.attrs["GRIB_interval"]).toBe("from the reference time");
  const messages: Uint8Array[] = [];
  for await (const message of gribMessages(dataset)) messages.push(message);
  const { fields } = await indexGrib(memorySource(Buffer.concat(messages)), "x");
  expect(fields.map(({ step: { start, end, type } }) => [start / HOUR, end / HOUR, type])).toEqual([
    [0, 6, "accum"],
    [0, 12, "accum"],
  ]);
});

describe("messages", () => {
  const sections = (message: Uint8Array): Uint8Array[] => {
    const found: Uint8Array[] = [];
    const view = new DataView(message.buffer, message.byteOffset);
    for (let at = 16; at < message.length - 4;) {
      const length = view.getUint32(at);
      found.push(message.subarray(at, at + length));
      at += length;
    }
    return found;
  };
  const joined = (parts: Uint8Array[]): Uint8Array => {
    const body = Buffer.concat([...parts, Buffer.from("7777")]);
    const head = Buffer.from([0x47, 0x52, 0x49, 0x42, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32BE(16 + body.length, 12);
    return new Uint8Array(Buffer.concat([head, body]));
  };

  it("several fields in one message, the second with the bitmap of the first", async () => {
    const holes = numbers(3).map((x, i) => (i === 4 ? NaN : x));
    const [s1, s3, ...first] = sections(encodeMessage(field({ values: holes })));
    const second = sections(encodeMessage(field({ parameter: "2d", values: holes.map((x) => x + 100) }))).slice(2);
    const sameBitmap = Uint8Array.of(0, 0, 0, 6, 6, 254);
    const message = joined([s1, s3, ...first, second[0], second[1], sameBitmap, second[3]]);
    const dataset = await openGrib(memorySource(message), "multi.grib2");
    expect(bytesOf(await dataset.variables.get("2t")!.read())).toEqual([...holes]);
    expect(bytesOf(await dataset.variables.get("2d")!.read())).toEqual([...holes.map((x) => x + 100)]);
  });

  it("what lies between messages is skipped", async () => {
    const message = encodeMessage(field());
    const junk = new TextEncoder().encode("****0000000123****\nGRI GRIBble ");
    const { fields, problems } = await indexGrib(
      memorySource(new Uint8Array(Buffer.concat([junk, message, new Uint8Array(70_000), message]))),
      "x",
    );
    expect(fields.map(({ message: { offset } }) => offset)).toEqual([
      junk.length,
      junk.length + message.length + 70_000,
    ]);
    expect(problems).toEqual([
      {
        offset: 23,
        message: expect.stringMatching(/^GRIB message at byte 23: GRIB edition \d+ does not exist/) as string,
      },
    ]);
  });

  it("a file cut short says so", async () => {
    const message = encodeMessage(field());
    await expect(openGrib(memorySource(message.subarray(0, -7)), "cut.grib2")).rejects.toThrow(
      `cut.grib2: GRIB message at byte 0: it says it has ${message.length} bytes, but ${message.length - 7} are left`,
    );
    await expect(openGrib(memorySource(new Uint8Array(0)), "empty.grib2")).rejects.toThrow(
      "empty.grib2: there is no GRIB message in it",
    );
  });

  it("a small message cannot ask for a large array", async () => {
    const message = encodeMessage(field({ values: numbers(0).fill(1) }));
    const view = new DataView(message.buffer);
    const gridAt = 16 + 21;
    for (const [at, value] of [
      [6, 2 ** 30],
      [30, 2 ** 20],
      [34, 2 ** 10],
    ])
      view.setUint32(gridAt + at, value);
    const dataset = await openGrib(memorySource(message), "bomb.grib2");
    await expect(dataset.variables.get("2t")!.read({ time: 0, y: 0, x: 0 })).rejects.toThrow(
      /bomb\.grib2: GRIB message at byte 0: the field has 1073741824 points, more than the limit of 268435456/,
    );
  });

  it("edition 1's length of long messages, in units of 120 bytes", async () => {
    const file = readFileSync(new URL("fixtures/packings.grib", import.meta.url));
    const [{ message: range, data }] = (await indexGrib(memorySource(file), "packings.grib")).fields;
    const message = Uint8Array.from(file.subarray(range.offset, range.offset + range.length));
    const units = Math.ceil((message.length - 4) / 120);
    const excess = units * 120 + 4 - message.length;
    message.set([0x80 | (units >> 16), (units >> 8) & 255, units & 255], 4);
    message.set([0, 0, excess], data.offset - range.offset);
    const { fields, problems } = await indexGrib(memorySource(message), "long.grib");
    expect(problems).toEqual([]);
    expect(fields[0].message.length).toBe(range.length);
  });
});
