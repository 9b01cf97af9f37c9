/**
 * A dataset as GRIB edition 2, message by message: every variable on latitude and longitude whose other dimensions are
 * among member, time, lead_time and level. Memory holds one field at a time.
 *
 *     for await (const message of gribMessages(dataset, { packing: "ccsds" })) await file.write(message);
 */
import { conversion } from "../../earth/units.js";
import { identify } from "../../earth/variables.js";
import { DataError } from "../../errors.js";
import { toNumbers } from "../../tensor/ndarray.js";
import { readTimes } from "../coords.js";
import { type Attributes, dataVariables, type Dataset, type Variable, variable } from "../dataset.js";
import { type EncodeOptions, encodeMessage, type FieldToEncode } from "./encode-grib2.js";
import { FROM_REFERENCE_TIME } from "./open-grib.js";
import { codeOf, type Parameter, parameterNamed, parameterOf } from "./parameters.js";

const OUTER = ["member", "time", "lead_time", "level"];
const HOURS: Readonly<Record<string, number>> = {
  days: 24,
  hours: 1,
  hour: 1,
  h: 1,
  minutes: 1 / 60,
  seconds: 1 / 3600,
  milliseconds: 1 / 3_600_000,
};

export interface WriteGribOptions extends EncodeOptions {
  /** Variables to write; by default all that are data. */
  readonly variables?: readonly string[];
  /** WMO common code table C-11. */
  readonly centre?: number;
}

/** Messages of the dataset in the order of its variables and their dimensions. Throws DataError before the first message
 * where a variable cannot be written. */
export async function* gribMessages(dataset: Dataset, options: WriteGribOptions = {}): AsyncGenerator<Uint8Array> {
  const { variables: names, centre, ...encode } = options;
  const chosen = names ? names.map((name) => variable(dataset, name)) : dataVariables(dataset);
  const plans = await Promise.all(chosen.map((v) => planVariable(dataset, v, centre)));
  for (const { of, outer, toGrib, field } of plans) {
    const shape = outer.map((dim) => of.shape[of.dims.indexOf(dim)]);
    const total = shape.reduce((a, b) => a * b, 1);
    for (let cell = 0; cell < total; cell++) {
      const at: Record<string, number> = {};
      for (let axis = outer.length - 1, rest = cell; axis >= 0; rest = Math.floor(rest / shape[axis--]))
        at[outer[axis]] = rest % shape[axis];
      yield encodeMessage({ ...field(at), values: toGrib(toNumbers(await of.read(at))) }, encode);
    }
  }
}

interface Plan {
  readonly of: Variable;
  readonly outer: readonly string[];
  /** Values in the units of GRIB's parameter. */
  readonly toGrib: (values: ArrayLike<number>) => ArrayLike<number>;
  readonly field: (at: Readonly<Record<string, number>>) => Omit<FieldToEncode, "values">;
}

async function planVariable(dataset: Dataset, of: Variable, centre: number | undefined): Promise<Plan> {
  const fail = (why: string) =>
    new DataError(dataset.source, `variable '${of.name}' cannot be written as GRIB: ${why}`);
  const kinds = of.dims.map((dim) => dim.replace(/_\d+$/, "")); // level_2 is a level
  if (kinds.at(-2) !== "latitude" || kinds.at(-1) !== "longitude")
    throw fail(`its last dimensions are ${of.dims.slice(-2).join(", ")}, not latitude, longitude; regrid it first`);
  const outer = of.dims.slice(0, -2);
  const foreign = outer.find((_, i) => !OUTER.includes(kinds[i]));
  if (foreign) throw fail(`it has the dimension '${foreign}'; only ${OUTER.join(", ")} can be written`);
  const coordinate = async (
    kind: string,
  ): Promise<{ dim: string; values: ArrayLike<number>; units: string } | undefined> => {
    const dim = of.dims[kinds.indexOf(kind)];
    if (dim === undefined) return undefined;
    const found = variable(dataset, dim);
    return { dim, values: toNumbers(await found.read()), units: String(found.attrs["units"] ?? "") };
  };
  const [latitude, longitude, time, lead, level, member] = await Promise.all(
    ["latitude", "longitude", "time", "lead_time", "level", "member"].map(coordinate),
  );
  if (!time && !("time" in dataset.dims)) throw fail("neither it nor the dataset has a dimension 'time'");
  const { values: instants, calendar } = await readTimes(dataset, time?.dim);
  if (calendar !== "standard" && calendar !== "proleptic_gregorian")
    throw fail(`its times are in the ${calendar} calendar, and GRIB's are those of everyday`);
  const perHour = lead ? HOURS[lead.units] : 1;
  if (perHour === undefined)
    throw fail(`its lead_time is in '${lead!.units}'; one of ${Object.keys(HOURS).join(", ")} is needed`);
  const { attrs } = of;
  const known = parameterOfVariable(of);
  if (!known)
    throw fail(
      "GRIB has no parameter for it that Foehn knows; rename it to ECMWF's short name (--rename), or leave it out (--variables)",
    );
  const toGrib = unitsOfGrib(of, known, fail);
  const named = level || attrs["GRIB_typeOfLevel"] ? undefined : pressureInName(of);
  const toldType = named === undefined ? attrs["GRIB_typeOfLevel"] : "isobaricInhPa";
  const levelType = level ? (pressureType(level.units) ?? toldType) : toldType;
  if (level && typeof levelType !== "string")
    throw fail(`its level is in '${level.units}', neither a pressure nor said by the attribute GRIB_typeOfLevel`);
  const fixedLevel = typeof attrs["GRIB_level"] === "number" ? attrs["GRIB_level"] : named;
  const stepType = attrs["GRIB_stepType"];
  const hours = attrs["GRIB_interval_hours"];
  const fromStart = attrs["GRIB_interval"] === FROM_REFERENCE_TIME;
  const processed = typeof stepType === "string" && stepType !== "instant";
  const gathered = codeOf(known.paramId ?? known.shortName)?.conditions.has("stat") === true;
  // sums since the time before: a forecast from then on, as reanalyses code them
  const sinceBefore = gathered && !processed && !lead && isSum(attrs) ? evenHours(instants) : undefined;
  if ((processed && typeof hours !== "number" && !fromStart) || (gathered && !processed && sinceBefore === undefined))
    throw fail(
      `it is ${processed ? `'${stepType}'` : `'${known.shortName}', an amount`} over an interval, but neither the attributes GRIB_stepType and GRIB_interval_hours nor even steps of time with cell_methods 'time: sum' say which; leave it out (--variables), or write Zarr or NetCDF`,
    );
  return {
    of,
    outer,
    toGrib,
    field: (at) => {
      const leadHours = lead ? lead.values[at[lead.dim]] * perHour : (sinceBefore ?? 0);
      const instant = instants[time ? at[time.dim] : 0]; // what never changes is written once, at the first time
      return {
        parameter: known.paramId ?? known.shortName,
        latitude: latitude!.values,
        longitude: longitude!.values,
        time: instant - (sinceBefore ?? 0) * 3_600_000,
        leadHours,
        ...(member && { member: { number: member.values[at[member.dim]], of: member.values.length } }),
        ...(typeof levelType === "string" && {
          level: { type: levelType, value: level ? level.values[at[level.dim]] : fixedLevel },
        }),
        ...(processed && { interval: { type: stepType, hours: fromStart ? leadHours : Number(hours) } }),
        ...(sinceBefore !== undefined && { interval: { type: "accum", hours: sinceBefore } }),
        ...(centre !== undefined && { centre }),
      };
    },
  };
}

/** hPa, where a quantity on levels says its own in its name: `z500`, `t_850`. */
function pressureInName(of: Variable): number | undefined {
  const digits = /\D_?(\d{2,4})$/.exec(of.name)?.[1];
  return digits && identify(of)?.surface === false ? Number(digits) : undefined;
}

const isSum = (attrs: Attributes): boolean => /\btime: sum\b/.test(String(attrs["cell_methods"] ?? ""));

/** Hours between instants that lie evenly; undefined where they do not. */
function evenHours(instants: ArrayLike<number>): number | undefined {
  const step = instants[1] - instants[0];
  for (let i = 2; i < instants.length; i++) if (instants[i] - instants[i - 1] !== step) return undefined;
  return step > 0 ? step / 3_600_000 : undefined;
}

/** GRIB's parameter for a variable: by its paramId, ECMWF's short name, or what it is under whatever name. */
function parameterOfVariable(of: Variable): Parameter | undefined {
  const paramId = of.attrs["GRIB_paramId"];
  const told = typeof paramId === "number" ? parameterOf(paramId) : undefined;
  const quantity = identify(of);
  const known = [told, parameterNamed(of.name), parameterOf(quantity?.paramId ?? -1)];
  const found = known.find((parameter) => parameter && codeOf(parameter.paramId ?? parameter.shortName));
  // ECMWF's oldest numbers of amounts have no code of edition 2, but their short names do
  return found ?? (quantity?.shortName ? parameterNamed(quantity.shortName) : undefined);
}

/** How a variable's values become those of a parameter in its own units. */
function unitsOfGrib(
  of: Variable,
  { shortName, units }: Parameter,
  fail: (why: string) => Error,
): (values: ArrayLike<number>) => ArrayLike<number> {
  const from = of.attrs["units"];
  if (typeof from !== "string" || !units || from === units) return (values) => values;
  const quantity = identify(of);
  let scale: number;
  let offset: number;
  try {
    ({ scale, offset } = conversion(from, units, { water: quantity?.water, geopotential: quantity?.geopotential }));
  } catch {
    throw fail(`it is in '${from}', which is not what GRIB's '${shortName}' measures, in '${units}'; rename it`);
  }
  if (scale === 1 && offset === 0) return (values) => values;
  return (values) => Float64Array.from(values, (x) => scale * x + offset);
}

const pressureType = (units: string): string | undefined =>
  ({ hPa: "isobaricInhPa", millibars: "isobaricInhPa", mbar: "isobaricInhPa", Pa: "isobaricInPa" })[units];
