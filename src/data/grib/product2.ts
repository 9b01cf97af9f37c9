/**
 * Section 4 of edition 2, the product definition section: templates 4.x as lists of the blocks they are made of, since
 * each template is the same few blocks in another order.
 */
import type { Ensemble, Step } from "./field.js";
import { type Level, level2, type Surface } from "./levels.js";
import { GribError, type Octets } from "./octets.js";
import { duration, instant } from "./times.js";

export interface Product {
  readonly category: number;
  readonly number: number;
  readonly step: Step;
  readonly level: Level;
  readonly ensemble?: Ensemble;
  readonly extra: Record<string, number>;
}

/** Octets of each block; `statistics` runs to the section's end, `partitions` says its own length in its first octet. */
const BLOCKS = {
  process: 3,
  time: 8, // cut-off hours and minutes, unit, forecast time
  shortTime: 6, // the same with a forecast time of 2 octets (template 4.44)
  horizontal: 12,
  ensemble: 3,
  derived: 2,
  probability: 13,
  percentile: 1,
  quantile: 4,
  constituent: 2,
  aerosolSize: 11,
  wavelength: 11,
  reforecast: 7,
  source: 2,
  categorical: 0,
  statistics: 0,
} as const;
type Block = keyof typeof BLOCKS;

const point: Block[] = ["process", "time", "horizontal"];
const chemical: Block[] = ["constituent", ...point];
const aerosol: Block[] = ["constituent", "aerosolSize", ...point];
const optical: Block[] = ["constituent", "aerosolSize", "wavelength", ...point];

/** After the parameter's category and number in octets 10 and 11. */
const TEMPLATES: Readonly<Record<number, readonly Block[]>> = {
  0: point,
  1: [...point, "ensemble"],
  2: [...point, "derived"],
  5: [...point, "probability"],
  6: [...point, "percentile"],
  7: point,
  8: [...point, "statistics"],
  9: [...point, "probability", "statistics"],
  10: [...point, "percentile", "statistics"],
  11: [...point, "ensemble", "statistics"],
  12: [...point, "derived", "statistics"],
  15: point,
  40: chemical,
  41: [...chemical, "ensemble"],
  42: [...chemical, "statistics"],
  43: [...chemical, "ensemble", "statistics"],
  44: ["constituent", "aerosolSize", "process", "shortTime", "horizontal"],
  45: [...aerosol, "ensemble"],
  46: [...aerosol, "statistics"],
  47: [...aerosol, "ensemble", "statistics"],
  48: optical,
  49: [...optical, "ensemble"],
  50: aerosol,
  60: [...point, "ensemble", "reforecast"],
  61: [...point, "ensemble", "reforecast", "statistics"],
  76: ["constituent", "source", ...point],
  77: ["constituent", "source", ...point, "ensemble"],
  78: ["constituent", "source", ...point, "statistics"],
  79: ["constituent", "source", ...point, "ensemble", "statistics"],
};

/** Code table 4.10 under ecCodes' names. */
export const PROCESSES: Readonly<Record<number, string>> = {
  0: "avg",
  1: "accum",
  2: "max",
  3: "min",
  4: "diff",
  5: "rms",
  6: "sd",
  7: "cov",
  8: "sdiff",
  9: "ratio",
  10: "stdanom",
  11: "sum",
  12: "return",
  100: "severity",
  101: "mode",
  255: "instant",
};

/** Reads the section; `time` is the reference time from which month-long units are counted. */
export function readProduct(section: Octets, time: number): Product {
  const template = section.u16(8);
  const blocks = TEMPLATES[template];
  if (!blocks)
    throw new GribError(
      `product definition template 4.${template} is not read; those read are ${Object.keys(TEMPLATES).join(", ")}`,
    );
  let step: Step = { start: 0, end: 0, type: "instant" };
  let level: Level | undefined;
  let ensemble: Ensemble | undefined;
  const extra: Record<string, number> = {};
  let at = 12;
  for (const block of blocks) {
    switch (block) {
      case "time":
      case "shortTime": {
        const start = duration(
          2,
          section.u8(at + 3),
          block === "time" ? section.s32(at + 4) : section.s16(at + 4),
          time,
        );
        step = { start, end: start, type: "instant" };
        break;
      }
      case "horizontal":
        level = level2(surface(section, at), surface(section, at + 6));
        break;
      case "ensemble":
        ensemble = { type: section.u8(at), member: section.u8(at + 1), size: section.u8(at + 2) };
        break;
      case "derived":
        extra["derivedForecast"] = section.u8(at);
        break;
      case "probability":
        extra["probabilityType"] = section.u8(at + 2);
        extra["lowerLimit"] = scaled(section, at + 3);
        extra["upperLimit"] = scaled(section, at + 8);
        break;
      case "percentile":
        extra["percentile"] = section.u8(at);
        break;
      case "constituent":
        extra["constituent"] = section.u16(at);
        break;
      case "aerosolSize":
        extra["aerosolSize"] = scaled(section, at + 1);
        break;
      case "wavelength":
        extra["wavelength"] = scaled(section, at + 1);
        break;
      case "statistics":
        step = statistics(section, at, step.start, time);
        break;
      default:
        break; // process, reforecast and source carry nothing that tells fields apart
    }
    at += BLOCKS[block];
  }
  for (const [name, value] of Object.entries(extra)) if (Number.isNaN(value)) delete extra[name];
  if (!level) throw new GribError(`product definition template 4.${template} has no level`);
  return { category: section.u8(10), number: section.u8(11), step, level, ensemble, extra };
}

/** A scale factor octet and a scaled value of 4: value * 10^-factor, NaN where it is missing. */
function scaled(section: Octets, at: number): number {
  const value = section.u32(at + 1);
  const factor = section.u8(at);
  if (value === 0xffffffff || factor === 0xff) return NaN;
  // Dividing by a power of ten keeps whole numbers whole; multiplying by 10^-factor does not.
  const exponent = section.s8(at);
  const signed = section.s32(at + 1);
  return exponent < 0 ? signed * 10 ** -exponent : signed / 10 ** exponent;
}

const surface = (section: Octets, at: number): Surface => ({ code: section.u8(at), value: scaled(section, at + 1) });

/**
 * The interval over which the field was computed: its end is a date; where that is not given, the outermost range's
 * length counts from the begin.
 */
function statistics(section: Octets, at: number, start: number, time: number): Step {
  const ranges = section.u8(at + 7);
  const type = PROCESSES[section.u8(at + 12)] ?? `process_${section.u8(at + 12)}`;
  const end = instant(
    section.u16(at),
    section.u8(at + 2),
    section.u8(at + 3),
    section.u8(at + 4),
    section.u8(at + 5),
    section.u8(at + 6),
  );
  if (ranges < 1) throw new GribError("a statistically processed field has no time range");
  // Some write the reference time there; an end before the begin says nothing.
  if (end - time >= start) return { start, end: end - time, type };
  return { start, end: start + duration(2, section.u8(at + 14), section.u32(at + 15), time + start), type };
}
