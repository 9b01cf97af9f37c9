/**
 * The vertical coordinate of a field under ecCodes' `typeOfLevel` names. Code tables 3 (edition 1) and 4.5 (edition 2) of
 * the WMO Manual on Codes; the names are checked against ecCodes' definitions where these are installed.
 */
import { nearest, UsageError } from "../../errors.js";

export interface Level {
  readonly type: string;
  /** In the unit of the type; the top of a layer. 0 where the type needs no value. */
  readonly value: number;
  /** The bottom of a layer, in the same unit. */
  readonly bottom?: number;
  readonly units: string;
  /** The surfaces as the file codes them; edition 1 has one, with its two octets as one number. */
  readonly first: Surface;
  readonly second?: Surface;
}

/** A fixed surface: its code (table 3 or 4.5) and value, NaN where the value is missing. */
export interface Surface {
  readonly code: number;
  readonly value: number;
}

interface LevelType {
  readonly type: string;
  readonly units: string;
  /** What the file's number is multiplied by to be in `units`; ecCodes' convention. */
  readonly factor?: number;
  /** Edition 1: octets 11 and 12 are top and bottom. */
  readonly layer?: boolean;
}

/** Types whose field has one place in the vertical, whatever number stands in the file. */
const NO_VALUE: ReadonlySet<string> = new Set([
  ...["surface", "meanSea", "cloudBase", "cloudTop", "isothermZero", "adiabaticCondensation"],
  ...["maxWind", "tropopause", "nominalTop", "seaBottom", "entireAtmosphere", "entireOcean"],
]);

/** Is the level part of the parameter (a surface, the tropopause) rather than a coordinate along which fields vary? */
export const hasValue = (level: Level): boolean => !NO_VALUE.has(level.type);

const EDITION_1: Readonly<Record<number, LevelType>> = {
  1: { type: "surface", units: "" },
  2: { type: "cloudBase", units: "" },
  3: { type: "cloudTop", units: "" },
  4: { type: "isothermZero", units: "" },
  5: { type: "adiabaticCondensation", units: "" },
  6: { type: "maxWind", units: "" },
  7: { type: "tropopause", units: "" },
  8: { type: "nominalTop", units: "" },
  9: { type: "seaBottom", units: "" },
  20: { type: "isothermal", units: "K", factor: 0.01 },
  100: { type: "isobaricInhPa", units: "hPa" },
  101: { type: "isobaricLayer", units: "kPa", layer: true },
  102: { type: "meanSea", units: "" },
  103: { type: "heightAboveSea", units: "m" },
  104: { type: "heightAboveSeaLayer", units: "hm", layer: true },
  105: { type: "heightAboveGround", units: "m" },
  106: { type: "heightAboveGroundLayer", units: "hm", layer: true },
  107: { type: "sigma", units: "1", factor: 1e-4 },
  108: { type: "sigmaLayer", units: "1", factor: 0.01, layer: true },
  109: { type: "hybrid", units: "1" },
  110: { type: "hybridLayer", units: "1", layer: true },
  111: { type: "depthBelowLand", units: "m", factor: 0.01 },
  112: { type: "depthBelowLandLayer", units: "cm", layer: true },
  113: { type: "theta", units: "K" },
  114: { type: "thetaLayer", units: "K", layer: true },
  115: { type: "pressureFromGround", units: "hPa" },
  116: { type: "pressureFromGroundLayer", units: "hPa", layer: true },
  117: { type: "potentialVorticity", units: "1e-9 K m2 kg-1 s-1" },
  119: { type: "eta", units: "1", factor: 1e-4 },
  160: { type: "depthBelowSea", units: "m" },
  200: { type: "entireAtmosphere", units: "" },
  201: { type: "entireOcean", units: "" },
  210: { type: "isobaricInPa", units: "Pa" },
};

/** The level of edition 1: type, then octets 11 and 12 as two numbers or one. */
export function level1(code: number, top: number, bottom: number): Level {
  const number = top * 256 + bottom;
  const first = { code, value: number };
  const { type, units, factor = 1, layer = false } = EDITION_1[code] ?? { type: `level_${code}`, units: "" };
  if (layer) return { type, units, value: top * factor, bottom: bottom * factor, first };
  return { type, units, value: NO_VALUE.has(type) ? 0 : number * factor, first };
}

const EDITION_2: Readonly<Record<number, LevelType>> = {
  1: { type: "surface", units: "" },
  2: { type: "cloudBase", units: "" },
  3: { type: "cloudTop", units: "" },
  4: { type: "isothermZero", units: "" },
  5: { type: "adiabaticCondensation", units: "" },
  6: { type: "maxWind", units: "" },
  7: { type: "tropopause", units: "" },
  8: { type: "nominalTop", units: "" },
  9: { type: "seaBottom", units: "" },
  10: { type: "atmosphere", units: "" },
  17: { type: "mostUnstableParcel", units: "" },
  18: { type: "mixedLayerParcel", units: "" },
  20: { type: "isothermal", units: "K" },
  101: { type: "meanSea", units: "" },
  102: { type: "heightAboveSea", units: "m" },
  103: { type: "heightAboveGround", units: "m" },
  104: { type: "sigma", units: "1" },
  105: { type: "hybrid", units: "1" },
  106: { type: "depthBelowLand", units: "m" },
  107: { type: "theta", units: "K" },
  108: { type: "pressureFromGround", units: "Pa" },
  109: { type: "potentialVorticity", units: "1e-9 K m2 kg-1 s-1", factor: 1e9 },
  111: { type: "eta", units: "1" },
  114: { type: "snow", units: "1" },
  117: { type: "mixedLayerDepthGeneric", units: "m" },
  118: { type: "hybridHeight", units: "1" },
  119: { type: "hybridPressure", units: "1" },
  151: { type: "soil", units: "1" },
  152: { type: "seaIce", units: "1" },
  160: { type: "depthBelowSea", units: "m" },
  162: { type: "lakeBottom", units: "" },
  166: { type: "mixingLayer", units: "" },
  168: { type: "oceanModel", units: "1" },
  169: { type: "mixedLayerDepthByDensity", units: "m" },
  170: { type: "mixedLayerDepthByTemperature", units: "m" },
  171: { type: "mixedLayerDepthByDiffusivity", units: "m" },
  174: { type: "iceTopOnWater", units: "" },
  175: { type: "iceTopUnderSnowOnWater", units: "" },
  176: { type: "iceBottomOnWater", units: "" },
  177: { type: "indefiniteSoilDepth", units: "" },
};

/** Pairs of different surfaces that bound a layer. */
const COLUMNS: Readonly<Record<string, string>> = {
  "1-8": "entireAtmosphere",
  "1-9": "entireOcean",
  "1-162": "entireLake",
  "160-9": "oceanSurfaceToBottom",
  "173-175": "snowLayerOverIceOnWater",
  "174-176": "iceLayerOnWater",
  "175-176": "iceLayerUnderSnowOnWater",
};

/** The level of edition 2 from its two fixed surfaces (code 255: no second one). */
export function level2(first: Surface, second: Surface): Level {
  return { ...describeLevel(first, second), first, second };
}

function describeLevel(first: Surface, second: Surface): Omit<Level, "first"> {
  const numeric = (value: number, factor = 1) => (Number.isNaN(value) ? 0 : value * factor);
  if (first.code === 100) {
    if (second.code === 100)
      return { type: "isobaricLayer", units: "Pa", value: numeric(first.value), bottom: numeric(second.value) };
    // ecCodes: whole hectopascals are hPa, anything finer Pa.
    const pascals = numeric(first.value);
    return pascals % 100 === 0
      ? { type: "isobaricInhPa", units: "hPa", value: pascals / 100 }
      : { type: "isobaricInPa", units: "Pa", value: pascals };
  }
  const column = COLUMNS[`${first.code}-${second.code}`];
  if (column) return { type: column, units: "", value: 0 };
  const { type, units, factor } = EDITION_2[first.code] ?? { type: `level_${first.code}`, units: "" };
  if (second.code === first.code)
    return { type: `${type}Layer`, units, value: numeric(first.value, factor), bottom: numeric(second.value, factor) };
  return { type, units, value: NO_VALUE.has(type) ? 0 : numeric(first.value, factor) };
}

/** The fixed surfaces of edition 2 of a level type and its values in the type's unit; the second's code is 255 for none. */
export function surfacesOf(level: { type: string; value?: number; bottom?: number }): readonly [Surface, Surface] {
  const { type, value = NaN, bottom = NaN } = level;
  const none: Surface = { code: 255, value: NaN };
  if (type === "isobaricInhPa" || type === "isobaricInPa")
    return [{ code: 100, value: type === "isobaricInPa" ? value : value * 100 }, none];
  const column = Object.keys(COLUMNS).find((key) => COLUMNS[key] === type);
  if (column) {
    const [first, second] = column.split("-").map(Number);
    return [
      { code: first, value: NaN },
      { code: second, value: NaN },
    ];
  }
  const layer = type.endsWith("Layer") ? type.slice(0, -"Layer".length) : undefined;
  const code = Object.keys(EDITION_2).find((key) => EDITION_2[Number(key)].type === (layer ?? type));
  if (code === undefined && type !== "isobaricLayer") {
    const near = nearest(type, [...Object.values(EDITION_2).map((known) => known.type), "isobaricInhPa"]);
    throw new UsageError(`'${type}' is no level of GRIB edition 2${near ? `; did you mean '${near}'?` : ""}`);
  }
  const number = code === undefined ? 100 : Number(code);
  const factor = EDITION_2[number]?.factor ?? 1;
  const at = (x: number): Surface => ({
    code: number,
    value: NO_VALUE.has(type) ? (type === "surface" ? 0 : NaN) : x / factor,
  });
  return [at(value), layer ? at(bottom) : none];
}
