/**
 * Forecasts as a dataset in WeatherBench 2's layout: `time` is the start, `prediction_timedelta` the lead, then `level`,
 * `latitude`, `longitude`; channels such as `z@500` and `z@850` become one variable with levels.
 */
import type { Template, TemplateVariable } from "../../data/template.js";
import { encodeTimes } from "../../earth/time.js";
import type { NdArray } from "../../tensor/ndarray.js";
import { float32 } from "../../tensor/ndarray.js";
import type { Attributes, Selection } from "../../data/dataset.js";
import type { Normaliser } from "./normaliser.js";

export interface ForecastVariable {
  readonly name: string;
  /** Pressure levels, where the variable has them. */
  readonly levels: readonly number[];
  /** Channels of the model, in the order of the levels. */
  readonly channels: readonly number[];
  readonly attrs: Attributes;
}

/** The variables that a model's channels make up. */
export function forecastVariables({ channels, units }: Pick<Normaliser, "channels" | "units">): ForecastVariable[] {
  const byName = new Map<string, { level?: number; channel: number }[]>();
  channels.forEach((label, channel) => {
    const [name, level] = label.split("@");
    byName.set(name, [
      ...(byName.get(name) ?? []),
      { level: level === undefined ? undefined : Number(level), channel },
    ]);
  });
  return [...byName].map(([name, members]) => {
    const sorted = [...members].sort((a, b) => (a.level ?? 0) - (b.level ?? 0));
    const unit = units[sorted[0].channel];
    const attrs: Attributes = unit ? { units: unit } : {};
    return {
      name,
      levels: sorted.flatMap((m) => (m.level === undefined ? [] : [m.level])),
      channels: sorted.map((m) => m.channel),
      attrs,
    };
  });
}

const TIME_UNITS = "hours since 1970-01-01";

export interface ForecastLayout {
  readonly template: Template;
  readonly variables: readonly ForecastVariable[];
  /** Coordinates with their values. */
  readonly coordinates: ReadonlyMap<string, NdArray | readonly string[]>;
}

/** Where forecasts are: a grid, or stations, whose latitudes and longitudes are one each. */
export type ForecastPlaces = Pick<Normaliser, "latitudes" | "longitudes"> & { readonly stations?: readonly string[] };

/** The whole of a forecast file before its fields are known. Leads in hours. */
export function forecastLayout(
  n: Pick<Normaliser, "channels" | "units" | "calendar"> & ForecastPlaces,
  times: readonly number[],
  leadHours: readonly number[],
  attrs: Attributes,
): ForecastLayout {
  const variables = forecastVariables(n);
  const levels = [...new Set(variables.flatMap((v) => v.levels))].sort((a, b) => a - b);
  const axis = (values: ArrayLike<number>): NdArray => ({
    dtype: "float64",
    shape: [values.length],
    data: Float64Array.from(values),
  });
  const coordinates = new Map<string, NdArray | readonly string[]>([
    ["time", axis(encodeTimes(times, TIME_UNITS, n.calendar))],
    ["prediction_timedelta", axis(leadHours)],
    ...(levels.length > 0 ? [["level", axis(levels)] as const] : []),
    ...(n.stations ? [["station", n.stations] as const] : []),
    ["latitude", axis(n.latitudes)],
    ["longitude", axis(n.longitudes)],
  ]);
  const coordinateAttrs: Record<string, Attributes> = {
    time: { standard_name: "forecast_reference_time", units: TIME_UNITS, calendar: n.calendar },
    prediction_timedelta: { standard_name: "forecast_period", long_name: "lead time", units: "hours" },
    level: { standard_name: "air_pressure", units: "hPa", positive: "down" },
    station: { cf_role: "timeseries_id" },
    latitude: { standard_name: "latitude", units: "degrees_north" },
    longitude: { standard_name: "longitude", units: "degrees_east" },
  };
  const places = n.stations ? ["station"] : ["latitude", "longitude"];
  const entries: [string, TemplateVariable][] = [...coordinates].map(([name, values]) => [
    name,
    {
      dims: n.stations && (name === "latitude" || name === "longitude") ? ["station"] : [name],
      dtype: "data" in values ? "float64" : "string",
      attrs: coordinateAttrs[name],
    },
  ]);
  for (const v of variables)
    entries.push([
      v.name,
      {
        dims: ["time", "prediction_timedelta", ...(v.levels.length > 0 ? ["level"] : []), ...places],
        dtype: "float32",
        attrs: v.attrs,
      },
    ]);
  const lengths = Object.fromEntries(
    [...coordinates].map(([name, values]) => [name, "data" in values ? values.shape[0] : values.length]),
  );
  const dims = Object.fromEntries(
    Object.entries(lengths).filter(([name]) => places.includes(name) || !["latitude", "longitude"].includes(name)),
  );
  return {
    template: { dims, variables: Object.fromEntries(entries), attrs: { Conventions: "CF-1.11", ...attrs } },
    variables,
    coordinates,
  };
}

/** One state, [channel, place], as the pieces that a writer takes: [place] or [level, place] for each variable. */
export function piecesOf(
  layout: ForecastLayout,
  state: Float32Array,
  at: { time: number; lead: number },
): { name: string; selection: Selection; values: NdArray }[] {
  const { dims } = layout.template;
  const places = "station" in dims ? [dims["station"]] : [dims["latitude"], dims["longitude"]];
  const cells = places.reduce((a, b) => a * b);
  const levels = dims["level"] ? ((layout.coordinates.get("level") as NdArray).data as Float64Array) : undefined;
  return layout.variables.map((v) => {
    const selection = { time: at.time, prediction_timedelta: at.lead };
    const field = (channel: number) => state.subarray(channel * cells, (channel + 1) * cells);
    if (v.levels.length === 0) return { name: v.name, selection, values: float32(places, field(v.channels[0])) };
    const out = new Float32Array(levels!.length * cells).fill(NaN); // a level that this variable does not have is missing
    v.levels.forEach((level, i) => out.set(field(v.channels[i]), levels!.indexOf(level) * cells));
    return {
      name: v.name,
      selection,
      values: { dtype: "float32", shape: [levels!.length, ...places], data: out },
    };
  });
}
