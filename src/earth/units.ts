/**
 * Units of measurement, spelt as CF and the centres spell them, and the conversions between them.
 *
 * A unit is a scale, an offset and the powers of the base units m, kg, s, K, mol, A and rad, after UDUNITS. A conversion
 * between different kinds of quantity is refused; the two that weather data need besides are made only where the caller
 * says so: millimetres of water as kg m-2 (`water`), geopotential as height (`geopotential`).
 *
 *     convertUnits([20], "degC", "K");                         // [293.15]
 *     conversion("mm day-1", "kg m-2 s-1", { water: true });   // { scale: 1 / 86400, offset: 0 }
 */
import { FoehnError, nearest } from "../errors.js";

/** value in base units = scale * value + offset. */
export interface Unit {
  readonly scale: number;
  readonly offset: number;
  /** Powers of m, kg, s, K, mol, A, rad. */
  readonly powers: readonly number[];
}

/** to = scale * from + offset. */
export interface Conversion {
  readonly scale: number;
  readonly offset: number;
}

const BASES = ["m", "kg", "s", "K", "mol", "A", "rad"] as const;
const NONE = BASES.map(() => 0);

/** Standard acceleration of gravity, m s-2 (CGPM 1901): geopotential height = geopotential / g0. */
export const STANDARD_GRAVITY = 9.80665;
/** Density of water by which precipitation depths are counted, kg m-3. */
export const WATER_DENSITY = 1000;

const unit = (scale: number, powers: Partial<Record<(typeof BASES)[number], number>>, offset = 0): Unit => ({
  scale,
  offset,
  powers: BASES.map((base) => powers[base] ?? 0),
});

const PASCAL = { kg: 1, m: -1, s: -2 };
const JOULE = { kg: 1, m: 2, s: -2 };
const number = (scale: number): Unit => unit(scale, {});

/** Named units; those in the first table take prefixes too. */
const PREFIXABLE: Readonly<Record<string, Unit>> = {
  m: unit(1, { m: 1 }),
  metre: unit(1, { m: 1 }),
  meter: unit(1, { m: 1 }),
  g: unit(1e-3, { kg: 1 }),
  gram: unit(1e-3, { kg: 1 }),
  s: unit(1, { s: 1 }),
  second: unit(1, { s: 1 }),
  sec: unit(1, { s: 1 }),
  K: unit(1, { K: 1 }),
  kelvin: unit(1, { K: 1 }),
  mol: unit(1, { mol: 1 }),
  mole: unit(1, { mol: 1 }),
  A: unit(1, { A: 1 }),
  rad: unit(1, { rad: 1 }),
  radian: unit(1, { rad: 1 }),
  Pa: unit(1, PASCAL),
  pascal: unit(1, PASCAL),
  bar: unit(1e5, PASCAL),
  J: unit(1, JOULE),
  joule: unit(1, JOULE),
  W: unit(1, { kg: 1, m: 2, s: -3 }),
  watt: unit(1, { kg: 1, m: 2, s: -3 }),
  N: unit(1, { kg: 1, m: 1, s: -2 }),
  newton: unit(1, { kg: 1, m: 1, s: -2 }),
  Hz: unit(1, { s: -1 }),
  hertz: unit(1, { s: -1 }),
  L: unit(1e-3, { m: 3 }),
  l: unit(1e-3, { m: 3 }),
  litre: unit(1e-3, { m: 3 }),
  V: unit(1, { kg: 1, m: 2, s: -3, A: -1 }),
  Sv: unit(1, { m: 2, s: -2 }),
};

const DEGREE = unit(Math.PI / 180, { rad: 1 });
const FAHRENHEIT_SCALE = 5 / 9;
const FAHRENHEIT_ZERO = 459.67 * FAHRENHEIT_SCALE;
const CELSIUS = unit(1, { K: 1 }, 273.15);
const FAHRENHEIT = unit(FAHRENHEIT_SCALE, { K: 1 }, FAHRENHEIT_ZERO);
const KNOT = unit(1852 / 3600, { m: 1, s: -1 });
const MILE = unit(1609.344, { m: 1 });
const FOOT = unit(0.3048, { m: 1 });
const INCH = unit(0.0254, { m: 1 });
const DAY = unit(86_400, { s: 1 });
const HOUR = unit(3600, { s: 1 });
const MINUTE = unit(60, { s: 1 });
/** A geopotential metre is counted as a metre, as CF's geopotential_height is. */
const METRE = unit(1, { m: 1 });

const NAMED: Readonly<Record<string, Unit>> = {
  degC: CELSIUS,
  deg_C: CELSIUS,
  celsius: CELSIUS,
  Celsius: CELSIUS,
  degree_C: CELSIUS,
  degree_Celsius: CELSIUS,
  degrees_C: CELSIUS,
  degrees_Celsius: CELSIUS,
  degreesC: CELSIUS,
  degree_celsius: CELSIUS,
  "°C": CELSIUS,
  C: CELSIUS,
  degF: FAHRENHEIT,
  deg_F: FAHRENHEIT,
  fahrenheit: FAHRENHEIT,
  Fahrenheit: FAHRENHEIT,
  degree_F: FAHRENHEIT,
  degree_Fahrenheit: FAHRENHEIT,
  "°F": FAHRENHEIT,
  F: FAHRENHEIT,
  degK: unit(1, { K: 1 }),
  deg_K: unit(1, { K: 1 }),
  degree_K: unit(1, { K: 1 }),
  degrees_K: unit(1, { K: 1 }),
  degreesK: unit(1, { K: 1 }),
  kelvins: unit(1, { K: 1 }),
  millibar: unit(100, PASCAL),
  millibars: unit(100, PASCAL),
  mb: unit(100, PASCAL),
  atm: unit(101_325, PASCAL),
  inHg: unit(3386.38864034127, PASCAL),
  mmHg: unit(133.322387415, PASCAL),
  min: MINUTE,
  minute: MINUTE,
  h: HOUR,
  hr: HOUR,
  hour: HOUR,
  d: DAY,
  day: DAY,
  week: unit(604_800, { s: 1 }),
  knot: KNOT,
  kt: KNOT,
  kts: KNOT,
  kn: KNOT,
  mph: unit(1609.344 / 3600, { m: 1, s: -1 }),
  kmh: unit(1 / 3.6, { m: 1, s: -1 }),
  kph: unit(1 / 3.6, { m: 1, s: -1 }),
  mps: unit(1, { m: 1, s: -1 }),
  mile: MILE,
  miles: MILE,
  mi: MILE,
  nautical_mile: unit(1852, { m: 1 }),
  nmi: unit(1852, { m: 1 }),
  NM: unit(1852, { m: 1 }),
  ft: FOOT,
  foot: FOOT,
  feet: FOOT,
  in: INCH,
  inch: INCH,
  inches: INCH,
  micron: unit(1e-6, { m: 1 }),
  gpm: METRE,
  gpdam: unit(10, { m: 1 }),
  gpdm: unit(10, { m: 1 }),
  kg: unit(1, { kg: 1 }),
  tonne: unit(1000, { kg: 1 }),
  degree: DEGREE,
  degrees: DEGREE,
  deg: DEGREE,
  "°": DEGREE,
  degrees_north: DEGREE,
  degree_north: DEGREE,
  degrees_east: DEGREE,
  degree_east: DEGREE,
  degrees_true: DEGREE,
  degree_true: DEGREE,
  ha: unit(1e4, { m: 2 }),
  ac: unit(4046.8564224, { m: 2 }),
  "1": number(1),
  "": number(1),
  "%": number(0.01),
  percent: number(0.01),
  pct: number(0.01),
  ppm: number(1e-6),
  ppmv: number(1e-6),
  ppb: number(1e-9),
  ppbv: number(1e-9),
  ppt: number(1e-12),
  fraction: number(1),
  proportion: number(1),
  dimensionless: number(1),
  none: number(1),
  unitless: number(1),
  numeric: number(1),
  "(0 - 1)": number(1),
  "0-1": number(1),
  okta: number(0.125),
  oktas: number(0.125),
  octa: number(0.125),
  octas: number(0.125),
  DU: unit(4.4615e-4, { mol: 1, m: -2 }),
  dobson: unit(4.4615e-4, { mol: 1, m: -2 }),
  "m of water equivalent": METRE,
  PVU: unit(1e-6, { K: 1, m: 2, kg: -1, s: -1 }),
};

const PREFIXES: Readonly<Record<string, number>> = {
  T: 1e12,
  G: 1e9,
  M: 1e6,
  k: 1e3,
  h: 1e2,
  da: 1e1,
  d: 1e-1,
  c: 1e-2,
  m: 1e-3,
  u: 1e-6,
  µ: 1e-6,
  μ: 1e-6,
  n: 1e-9,
  p: 1e-12,
  hecto: 1e2,
  kilo: 1e3,
  mega: 1e6,
  centi: 1e-2,
  milli: 1e-3,
  micro: 1e-6,
  nano: 1e-9,
};

/** A word of a unit: named, prefixed, or a plural of either. */
function named(word: string): Unit | undefined {
  const direct = NAMED[word] ?? PREFIXABLE[word] ?? NAMED[word.toLowerCase()] ?? PREFIXABLE[word.toLowerCase()];
  if (direct) return direct;
  for (const [prefix, factor] of Object.entries(PREFIXES)) {
    const base = word.startsWith(prefix) ? PREFIXABLE[word.slice(prefix.length)] : undefined;
    if (base) return { ...base, scale: base.scale * factor };
  }
  return word.length > 2 && word.endsWith("s") ? named(word.slice(0, -1)) : undefined;
}

/** A factor of a product: an optional number, a name, an optional power (`m2`, `m^2`, `m**2`, `s-1`). */
const FACTOR = /^([A-Za-z_%°µμ]+[A-Za-z_°]*?)(?:(?:\*\*|\^)?([+-]?\d+))?$/;

/**
 * Reads a unit: `m s-1`, `m s**-1`, `m/s`, `kg m^-2 s^-1`, `mm/day`, `W m-2`, `hPa`, `degF`, `%`, `1`, `1e-5 s-1`.
 *
 * @throws where a word is not known, naming the nearest that is
 */
export function parseUnit(text: string): Unit {
  const trimmed = text.trim();
  const whole = named(trimmed);
  if (whole) return whole;
  const powers = [...NONE];
  let scale = 1;
  let inverse = false;
  // "per" and "/" turn what follows; "*", "." between letters and blanks multiply
  const tokens = trimmed
    .replace(/\*\*/g, "^")
    .replace(/\bper\b/g, "/")
    .replace(/([A-Za-z0-9)])\.(?=[A-Za-z(])/g, "$1 ")
    .replace(/[*·]/g, " ")
    .replace(/\//g, " / ")
    .replace(/[()]/g, " ")
    .split(/\s+/)
    .filter(Boolean);
  for (const token of tokens) {
    if (token === "/") {
      inverse = true;
      continue;
    }
    const plain = Number(token);
    if (Number.isFinite(plain)) scale *= inverse ? 1 / plain : plain;
    else {
      const { base, power } = factorOf(token, text);
      const signed = inverse ? -power : power;
      scale *= base.scale ** signed;
      base.powers.forEach((p, i) => (powers[i] += p * signed));
    }
    inverse = false;
  }
  return { scale, offset: 0, powers };
}

function factorOf(token: string, text: string): { base: Unit; power: number } {
  const match = FACTOR.exec(token);
  const base = match && named(match[1]);
  if (!match || !base) {
    const near = nearest(token, [...Object.keys(NAMED), ...Object.keys(PREFIXABLE)]);
    throw new FoehnError(`'${text}' is not a unit Foehn knows${near ? `; did you mean '${near}'?` : ""}`);
  }
  return { base, power: match[2] === undefined ? 1 : Number(match[2]) };
}

/** True where the text is a unit Foehn knows. */
export function isUnit(text: string): boolean {
  try {
    parseUnit(text);
    return true;
  } catch {
    return false;
  }
}

const sameKind = (a: Unit, b: Unit): boolean =>
  // an angle is a number: rad s-1 and s-1 are both vorticities
  a.powers.every((p, i) => p === b.powers[i] || BASES[i] === "rad");

export interface ConversionOptions {
  /** The quantity is an amount or rate of water: 1 kg m-2 is 1 mm. */
  readonly water?: boolean;
  /** The quantity is geopotential (m2 s-2) on one side and its height (m) on the other. */
  readonly geopotential?: boolean;
  /** The quantity is a difference (a trend, an error): offsets do not apply. */
  readonly difference?: boolean;
}

/**
 * How to get from one unit to another: `to = scale * from + offset`.
 *
 * @throws where the units measure different things
 */
export function conversion(from: string, to: string, options: ConversionOptions = {}): Conversion {
  const { water = false, geopotential = false, difference = false } = options;
  const a = parseUnit(from);
  const b = parseUnit(to);
  let bridge = 1;
  if (!sameKind(a, b)) {
    const ratio = a.powers.map((p, i) => p - b.powers[i]);
    const density = [-3, 1, 0, 0, 0, 0];
    const gravity = [1, 0, -2, 0, 0, 0];
    const is = (kind: number[], sign: number): boolean => kind.every((p, i) => ratio[i] === sign * p);
    if (water && is(density, 1)) bridge = 1 / WATER_DENSITY;
    else if (water && is(density, -1)) bridge = WATER_DENSITY;
    else if (geopotential && is(gravity, 1)) bridge = 1 / STANDARD_GRAVITY;
    else if (geopotential && is(gravity, -1)) bridge = STANDARD_GRAVITY;
    else
      throw new FoehnError(
        `'${from}' cannot be converted to '${to}': they measure different things${is(density, 1) || is(density, -1) ? " (unless it is water: 1 kg m-2 = 1 mm)" : is(gravity, 1) || is(gravity, -1) ? " (unless it is geopotential: height = geopotential / 9.80665)" : ""}`,
      );
  }
  // base = a.scale x + a.offset; to = (base - b.offset) / b.scale
  const scale = (a.scale / b.scale) * bridge;
  return { scale, offset: difference ? 0 : (a.offset - b.offset) / b.scale };
}

/** Values in other units, in float64. */
export function convertUnits(
  values: ArrayLike<number>,
  from: string,
  to: string,
  options: ConversionOptions = {},
): Float64Array {
  const { scale, offset } = conversion(from, to, options);
  return Float64Array.from(values, (x) => x * scale + offset);
}
