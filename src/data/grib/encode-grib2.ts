/**
 * Writes fields as GRIB edition 2: simple or CCSDS packing on regular lat-lon and regular Gaussian grids, for analyses and
 * forecasts, single or of an ensemble, instantaneous or over an interval (templates 4.0, 4.1, 4.8, 4.11).
 *
 *     const bytes = encodeGrib2([{ parameter: "2t", values, latitude, longitude, time: Date.UTC(2024, 0, 1), leadHours: 6 }]);
 *
 * What is written is read back and must come out as the parameter that was asked for, so a field on a level at which the
 * parameter has another code is refused, not mislabelled. WMO Manual on Codes, FM 92-XIV GRIB.
 */
import { UsageError } from "../../errors.js";
import { bitWriter } from "./bit-writer.js";
import { gaussianLatitudes } from "./gaussian.js";
import { surfacesOf } from "./levels.js";
import { octets } from "./octets.js";
import { CCSDS_OPTIONS, encodeCcsds } from "./packing/ccsds-encode.js";
import { codeOf, parameterOf, parameterOfField } from "./parameters.js";
import { PROCESSES, readProduct } from "./product2.js";

export interface FieldToEncode {
  /** Values [nj, ni], rows by `latitude`; NaN where missing. */
  readonly values: ArrayLike<number>;
  /** Degrees, north to south or south to north, evenly spaced or Gaussian. */
  readonly latitude: ArrayLike<number>;
  /** Degrees, west to east, evenly spaced. */
  readonly longitude: ArrayLike<number>;
  /** ECMWF's short name or paramId, or a code of edition 2. */
  readonly parameter:
    string | number | { readonly discipline: number; readonly category: number; readonly number: number };
  /** The reference time in milliseconds since 1970. */
  readonly time: number;
  /** Hours to the field's time, or to the end of its interval. */
  readonly leadHours?: number;
  /** What was done over the last so many hours, as ecCodes' `stepType`: accum, avg, max, min, ... */
  readonly interval?: { readonly type: string; readonly hours: number };
  /** A type of `levels.ts` and its value in that type's unit; by default where the parameter lives, else the surface. */
  readonly level?: { readonly type: string; readonly value?: number; readonly bottom?: number };
  readonly member?: { readonly number: number; readonly of: number };
  /** WMO common code table C-11; 255, missing, by default. */
  readonly centre?: number;
}

export interface EncodeOptions {
  readonly packing?: "simple" | "ccsds";
  /** Bits of a packed value, 1 to 24: the error is at most range / 2^(bits+1) or so, rounded up to a power of two. */
  readonly bits?: number;
}

/** Messages of all fields, one after another. Throws UsageError where a field cannot be written as it is described. */
export function encodeGrib2(fields: Iterable<FieldToEncode>, options: EncodeOptions = {}): Uint8Array {
  const messages = [...fields].map((field) => encodeMessage(field, options));
  const out = new Uint8Array(messages.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const message of messages) {
    out.set(message, at);
    at += message.length;
  }
  return out;
}

/** One field as one message. */
export function encodeMessage(field: FieldToEncode, options: EncodeOptions = {}): Uint8Array {
  const { packing = "simple", bits = 16 } = options;
  if (!Number.isInteger(bits) || bits < 1 || bits > 24)
    throw new UsageError(`values are packed in 1 to 24 bits, not ${bits}`);
  const { values, latitude, longitude } = field;
  if (values.length !== latitude.length * longitude.length)
    throw new UsageError(
      `a grid of ${latitude.length} x ${longitude.length} points cannot take ${values.length} values`,
    );
  const { discipline, section: product } = productSection(field);
  const { representation, bitmap, data } = packValues(values, packing, bits);
  const sections = [identification(field), gridSection(latitude, longitude), product, representation, bitmap, data].map(
    ([number, body]) => section(number, body),
  );
  const length = 16 + sections.reduce((size, bytes) => size + bytes.length, 0) + 4;
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  out.set([0x47, 0x52, 0x49, 0x42, 0xff, 0xff, discipline, 2]);
  view.setUint32(12, length);
  let at = 16;
  for (const bytes of sections) {
    out.set(bytes, at);
    at += bytes.length;
  }
  out.fill(0x37, at);
  return out;
}

type Section = readonly [number: number, body: Uint8Array];

function section(number: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(5 + body.length);
  new DataView(out.buffer).setUint32(0, out.length);
  out[4] = number;
  out.set(body, 5);
  return out;
}

/** Big-endian integers of given widths in octets, negative ones as sign and magnitude. */
function pack(...parts: (readonly [value: number, octets: number])[]): Uint8Array {
  const out: number[] = [];
  for (const [value, width] of parts) {
    const limit = 2 ** (8 * width);
    const coded = value < 0 ? limit / 2 - value : value;
    if (!Number.isInteger(value) || coded >= limit)
      throw new UsageError(`${value} does not fit ${width} octets of a GRIB header`);
    for (let i = width - 1; i >= 0; i--) out.push(Math.floor(coded / 2 ** (8 * i)) % 256);
  }
  return Uint8Array.from(out);
}

function dateOctets(time: number): (readonly [number, number])[] {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) throw new UsageError(`${time} is not a time in milliseconds since 1970`);
  const parts = [
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  return [[date.getUTCFullYear(), 2], ...parts.map((part) => [part, 1] as const)];
}

/** Section 1. Type of data, table 1.4: 0 analysis, 1 forecast, 3 control, 4 perturbed forecast. */
function identification({ centre = 255, time, leadHours = 0, member }: FieldToEncode): Section {
  const type = member ? (member.number === 0 ? 3 : 4) : leadHours === 0 ? 0 : 1;
  const MASTER_TABLES = 21;
  return [1, pack([centre, 2], [0, 2], [MASTER_TABLES, 1], [0, 1], [1, 1], ...dateOctets(time), [0, 1], [type, 1])];
}

const MISSING_4 = 0xffffffff;
const micro = (degrees: number): number => Math.round(degrees * 1e6);

/** Section 3, template 3.0 or 3.40, on a sphere of radius 6371229 m (shape 6). */
function gridSection(latitude: ArrayLike<number>, longitude: ArrayLike<number>): Section {
  const [nj, ni] = [latitude.length, longitude.length];
  const [north, south] = [latitude[0], latitude[nj - 1]];
  const even = isEven(latitude);
  const gaussian = !even && nj % 2 === 0 && isGaussian(latitude);
  if (!even && !gaussian)
    throw new UsageError(`the ${nj} latitudes from ${north} to ${south} are neither evenly spaced nor Gaussian`);
  if (!isEven(longitude) || longitude[ni - 1] < longitude[0])
    throw new UsageError(
      `the ${ni} longitudes from ${longitude[0]} to ${longitude[ni - 1]} are not evenly spaced from west to east`,
    );
  const spacing = (axis: ArrayLike<number>) =>
    axis.length > 1 ? Math.abs(axis[axis.length - 1] - axis[0]) / (axis.length - 1) : 0;
  const east = (x: number) => micro(((x % 360) + 360) % 360);
  const shape = [
    [6, 1],
    [255, 1],
    [MISSING_4, 4],
    [255, 1],
    [MISSING_4, 4],
    [255, 1],
    [MISSING_4, 4],
  ] as const;
  return [
    3,
    pack(
      [0, 1],
      [ni * nj, 4],
      [0, 1],
      [0, 1],
      [gaussian ? 40 : 0, 2],
      ...shape,
      [ni, 4],
      [nj, 4],
      [0, 4],
      [MISSING_4, 4],
      [micro(north), 4],
      [east(longitude[0]), 4],
      [0x30, 1], // both increments are given
      [micro(south), 4],
      [east(longitude[ni - 1]), 4],
      [micro(spacing(longitude)), 4],
      [gaussian ? nj / 2 : micro(spacing(latitude)), 4],
      [north < south ? 0x40 : 0, 1],
    ),
  ];
}

/** Evenly spaced to a few microdegrees, the resolution of the format, or to what float32 keeps of a coordinate. */
function isEven(axis: ArrayLike<number>): boolean {
  const n = axis.length;
  const step = n > 1 ? (axis[n - 1] - axis[0]) / (n - 1) : 0;
  return Array.from(axis).every((x, i) => Math.abs(x - axis[0] - i * step) < 5e-5);
}

function isGaussian(latitude: ArrayLike<number>): boolean {
  const expected = gaussianLatitudes(latitude.length / 2);
  const sign = latitude[0] > 0 ? 1 : -1;
  return Array.from(latitude).every((x, i) => Math.abs(x - sign * expected[i]) < 1e-3);
}

/** Section 4, checked by reading it back. */
function productSection(field: FieldToEncode): { discipline: number; section: Section } {
  const { parameter, time, leadHours = 0, interval, member, centre = 255 } = field;
  const code = typeof parameter === "object" ? undefined : codeOf(parameter);
  if (typeof parameter !== "object" && !code)
    throw new UsageError(
      `parameter '${parameter}' has no code in edition 2 that Foehn knows; give its discipline, category and number`,
    );
  const [discipline, category, number] =
    typeof parameter === "object" ? [parameter.discipline, parameter.category, parameter.number] : code!.triple;
  const conditions = code?.conditions ?? new Map<string, number>();
  const [first, second] = field.level ? surfacesOf(field.level) : conditionSurfaces(conditions);
  const statType = interval?.type ?? PROCESSES[conditions.get("stat") ?? 255];
  if (statType !== "instant" && !interval)
    throw new UsageError(`parameter '${JSON.stringify(parameter)}' is ${statType} over an interval; give its hours`);
  const process = Object.keys(PROCESSES).find((key) => PROCESSES[Number(key)] === statType);
  if (process === undefined)
    throw new UsageError(`'${statType}' is no statistical process of GRIB; ${Object.values(PROCESSES).join(", ")} are`);
  const [template, ensemble] = [(interval ? 8 : 0) + (member ? (interval ? 3 : 1) : 0), member];
  const hours = interval?.hours ?? 0;
  const minutes = !Number.isInteger(leadHours) || !Number.isInteger(hours);
  const [unit, scale] = minutes ? [0, 60] : [1, 1];
  const units = (value: number) => Math.round(value * scale);
  const surface = ({ code: type, value }: { code: number; value: number }) => {
    if (Number.isNaN(value))
      return [
        [type, 1],
        [255, 1],
        [MISSING_4, 4],
      ] as const;
    let factor = 0;
    while (factor < 9 && Math.abs(value * 10 ** factor - Math.round(value * 10 ** factor)) > 1e-9 * Math.abs(value))
      factor++;
    return [
      [type, 1],
      [factor, 1],
      [Math.round(value * 10 ** factor), 4],
    ] as const;
  };
  const body = pack(
    [0, 2],
    [template, 2],
    [category, 1],
    [number, 1],
    [ensemble ? 4 : leadHours === 0 ? 0 : 2, 1], // generating process: ensemble forecast, analysis, forecast
    [255, 1],
    [255, 1],
    [0, 2],
    [0, 1],
    [unit, 1],
    [units(leadHours - hours), 4],
    ...surface(first),
    ...surface(second),
    ...(ensemble
      ? ([
          [ensemble.number === 0 ? 1 : 3, 1],
          [ensemble.number, 1],
          [ensemble.of, 1],
        ] as const)
      : []),
    ...(interval
      ? ([
          ...dateOctets(time + leadHours * 3_600_000),
          [1, 1],
          [0, 4],
          [Number(process), 1],
          [2, 1],
          [unit, 1],
          [units(hours), 4],
          [255, 1],
          [0, 4],
        ] as const)
      : []),
  );
  if (typeof parameter !== "object") {
    const { level, step, extra } = readProduct(octets(section(4, body), "section 4"), time);
    const read = parameterOfField({
      parameter: { edition: 2, centre, discipline, category, number },
      level,
      step,
      extra,
    });
    const wanted = typeof parameter === "number" ? parameterOf(parameter)?.shortName : parameter;
    if (read.shortName !== wanted)
      throw new UsageError(
        `'${wanted}' on level ${level.type} ${level.value} (${step.type}) would be read as '${read.shortName}'; give the level and interval it belongs to`,
      );
  }
  return { discipline, section: [4, body] };
}

type SurfacePair = readonly [{ code: number; value: number }, { code: number; value: number }];

/** Where a parameter's code says it lives; the surface where it does not say. */
function conditionSurfaces(conditions: ReadonlyMap<string, number>): SurfacePair {
  const at = (which: number, absent: number) => ({
    code: conditions.get(`s${which}`) ?? absent,
    value: conditions.get(`v${which}`) ?? NaN,
  });
  return [at(1, 1), at(2, 255)];
}

/** Sections 5 to 7. */
function packValues(
  values: ArrayLike<number>,
  packing: "simple" | "ccsds",
  bits: number,
): { representation: Section; bitmap: Section; data: Section } {
  let [low, high, present] = [Infinity, -Infinity, 0];
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    if (Number.isNaN(x)) continue;
    if (x < low) low = x;
    if (x > high) high = x;
    present++;
  }
  if (present && !(Number.isFinite(low) && Number.isFinite(high)))
    throw new UsageError("infinite values cannot be packed in GRIB");
  const reference = present ? float32Below(low) : 0;
  // The smallest power of two with which all values fit.
  const width = high > low ? bits : 0;
  const binary = width ? Math.ceil(Math.log2((high - reference) / (2 ** width - 1))) : 0;
  const step = 2 ** binary;
  const samples = new Uint32Array(present);
  const mask = new Uint8Array(present < values.length ? Math.ceil(values.length / 8) : 0);
  for (let i = 0, next = 0; i < values.length; i++) {
    const x = values[i];
    if (Number.isNaN(x)) continue;
    samples[next++] = width ? Math.min(2 ** width - 1, Math.round((x - reference) / step)) : 0;
    if (mask.length) mask[i >> 3] |= 0x80 >> (i & 7);
  }
  const bitmap = new Uint8Array(1 + mask.length);
  bitmap[0] = mask.length ? 0 : 255;
  bitmap.set(mask, 1);
  const ccsds = packing === "ccsds";
  const float = new DataView(new ArrayBuffer(4));
  float.setFloat32(0, width ? reference : present ? low : 0);
  const { flags, blockSize, interval } = CCSDS_OPTIONS;
  const representation = pack(
    [present, 4],
    [ccsds ? 42 : 0, 2],
    [float.getUint32(0), 4],
    [binary, 2],
    [0, 2],
    [width, 1],
    [0, 1],
    ...(ccsds
      ? ([
          [flags, 1],
          [blockSize, 1],
          [interval, 2],
        ] as const)
      : []),
  );
  const data = !width ? new Uint8Array(0) : ccsds ? encodeCcsds(samples, width) : packSimple(samples, width);
  return { representation: [5, representation], bitmap: [6, bitmap], data: [7, data] };
}

function packSimple(samples: Uint32Array, bits: number): Uint8Array {
  const out = bitWriter(Math.ceil((samples.length * bits) / 8) + 1);
  for (const sample of samples) out.write(sample, bits);
  return out.bytes();
}

/** The largest float32 that is not above x. */
function float32Below(x: number): number {
  const near = Math.fround(x);
  if (near <= x) return near;
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, near);
  // One step towards minus infinity: down in magnitude above zero, up in magnitude below.
  const bitsOf = view.getInt32(0);
  if (near === 0) view.setInt32(0, 0x80000001 | 0);
  else view.setInt32(0, near > 0 ? bitsOf - 1 : bitsOf + 1);
  return view.getFloat32(0);
}
