/**
 * Runs an atmosphere and hands out its weather, one output time after the other:
 *
 *     for await (const { time, fields } of simulate({ model: "dry", days: 30, seed: 1 })) ...
 *     const dataset = await simulateDataset({ model: "dry", days: 90, seed: 1 });
 */
import { memoryDataset, type Dataset, type MemoryVariable } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import type { Atmosphere, Saved } from "./atmosphere.js";
import { co2At } from "./co2.js";
import { type SimulationConfig, simulationConfig } from "./config.js";
import { dryAtmosphere } from "./dry.js";
import { moistAtmosphere } from "./moist.js";
import { oneLayerAtmosphere } from "./one-layer.js";
import { DAY } from "./planet.js";
import { checkRestart } from "./restart.js";
import { BlowUpError } from "./stability.js";
import { variableInfo } from "./variables.js";

/** The weather at one time. */
export interface Snapshot {
  /** Milliseconds since 1970-01-01T00:00Z. */
  readonly time: number;
  /** [level][latitude][longitude] or [latitude][longitude]. */
  readonly fields: Readonly<Record<string, Float32Array>>;
}

export interface Progress {
  /** Days done and to do, spin-up among them. */
  readonly day: number;
  readonly days: number;
  readonly spinup: boolean;
  /** Simulated years per wall-clock day so far. */
  readonly yearsPerDay: number;
  /** m/s. */
  readonly fastest: number;
}

export interface SimulateOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** Goes on from here (its spin-up is over); of the same configuration. */
  readonly restart?: Saved;
  /** Given the state after every output: for restart files, from which a run goes on with the next output. */
  readonly onState?: (saved: () => Saved, time: number) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

/** Names, dimensions, attributes and coordinates of what a simulation gives, before it runs. */
export interface SimulationLayout {
  readonly config: SimulationConfig;
  /** Degrees, north to south and eastward. */
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  /** Output times, ms since 1970. */
  readonly times: Float64Array;
  readonly variables: readonly {
    readonly name: string;
    readonly dims: readonly string[];
    readonly shape: readonly number[];
    readonly attrs: Readonly<Record<string, string | number>>;
  }[];
  /** What stands still: `geopotential_at_surface` over mountains, `land_sea_mask` where there is land. */
  readonly statics: Readonly<Record<string, MemoryVariable>>;
}

const MS = 1000;
/** The March equinox of 2001, ms, and the tropical year, s. */
const EQUINOX = Date.UTC(2001, 2, 20, 13, 31);
export const TROPICAL_YEAR = 365.2422 * DAY;
/** The same equinox as a year of the calendar. */
const EQUINOX_YEAR = 2001 + 78.56 / 365.2422;

/** The atmosphere that a configuration asks for, at the beginning of its spin-up. */
export function atmosphere(config: SimulationConfig): Atmosphere {
  const origin = Date.parse(config.start) - config.spinupDays * DAY * MS;
  const yearFraction = (seconds: number): number => ((origin - EQUINOX) / MS + seconds) / TROPICAL_YEAR;
  if (config.model === "dry") return dryAtmosphere(config, { yearFraction });
  if (config.model !== "moist") return oneLayerAtmosphere(config);
  return moistAtmosphere(config, {
    yearFraction,
    dayFraction: (seconds) => (origin / MS + seconds) / DAY, // the calendar begins at midnight
    co2: (seconds) => co2At(config.co2, yearFraction(seconds) + EQUINOX_YEAR),
  });
}

const outputTimes = (config: SimulationConfig): Float64Array =>
  Float64Array.from(
    { length: Math.floor((config.days * 24) / config.everyHours + 1e-9) },
    (_, i) => Date.parse(config.start) + i * config.everyHours * 3600 * MS,
  );

/** What `simulate(given, { restart })` will give: for writers that lay out their file first. */
export function simulationLayout(
  given: Partial<SimulationConfig>,
  { restart }: Pick<SimulateOptions, "restart"> = {},
): SimulationLayout {
  return layoutOf(simulationConfig(given), restart);
}

function layoutOf(config: SimulationConfig, restart?: Saved): SimulationLayout {
  const { transform, surfaceGeopotential, land } = atmosphere({ ...config, spinupDays: 0 });
  const { nlat, nlon, latitudes, longitudes } = transform;
  const times = outputTimes(config).slice(restart ? firstOutput(config, restart) : 0);
  return {
    config,
    latitudes,
    longitudes,
    times,
    statics: {
      ...(surfaceGeopotential && config.orography !== "none"
        ? { geopotential_at_surface: still("surface_geopotential", "m2 s-2", surfaceGeopotential, transform) }
        : {}),
      ...(land && config.land !== "none" ? { land_sea_mask: still("land_area_fraction", "1", land, transform) } : {}),
    },
    variables: config.variables.map((name) => {
      const { onLevels, attrs } = variableInfo(name)!;
      const level = onLevels ? [config.pressureLevels.length] : [];
      return {
        name,
        dims: ["time", ...(onLevels ? ["level"] : []), "latitude", "longitude"],
        shape: [times.length, ...level, nlat, nlon],
        attrs: attrs as Record<string, string | number>,
      };
    }),
  };
}

/** The first output time after a saved state. */
function firstOutput({ spinupDays, everyHours, step }: SimulationConfig, { steps, outputs }: Saved): number {
  const spinup = Math.round((spinupDays * DAY) / step);
  const perOutput = Math.round((everyHours * 3600) / step);
  return outputs ?? Math.max(0, Math.ceil((steps - spinup) / perOutput));
}

function still(
  standard: string,
  units: string,
  values: Float64Array,
  { nlat, nlon }: { nlat: number; nlon: number },
): MemoryVariable {
  return {
    dims: ["latitude", "longitude"],
    data: ndarray("float32", [nlat, nlon], Float32Array.from(values)),
    attrs: { standard_name: standard, long_name: standard.replaceAll("_", " "), units },
  };
}

/** Long work on one thread lets others have a turn this often, ms. */
const TURN = 50;

/**
 * The weather at every output time, the first being `start`, after the spin-up.
 * Throws `UsageError` before the run for an impossible configuration, `BlowUpError` (with `lastGood`, the last sound state) in it.
 */
export async function* simulate(
  given: Partial<SimulationConfig> = {},
  options: SimulateOptions = {},
): AsyncGenerator<Snapshot> {
  const config = simulationConfig(given);
  const { onProgress, restart, onState, signal } = options;
  const air = atmosphere(config);
  if (restart) {
    checkRestart(air.save(), restart);
    air.restore(restart);
  }
  const perDay = DAY / config.step;
  const spinup = Math.round(config.spinupDays * perDay);
  const perOutput = Math.round((config.everyHours * 3600) / config.step);
  const times = outputTimes(config);
  const began = performance.now();
  const firstStep = air.steps;
  let turn = began;
  let good = restart ?? air.save();

  const advanceTo = async (step: number): Promise<void> => {
    while (air.steps < step) {
      try {
        air.step();
      } catch (error) {
        throw error instanceof BlowUpError ? error.withState(good) : error;
      }
      if (air.steps % Math.ceil(perDay) === 0) good = air.save();
      const now = performance.now();
      if (now - turn < TURN) continue;
      onProgress?.({
        day: air.steps / perDay,
        days: config.spinupDays + config.days,
        spinup: air.steps < spinup,
        yearsPerDay: ((air.steps - firstStep) / perDay / 365.25 / (now - began)) * DAY * MS,
        fastest: air.fastest,
      });
      await new Promise((resolve) => setTimeout(resolve, 0));
      signal?.throwIfAborted();
      turn = performance.now();
    }
  };

  if (!restart || air.steps < spinup) {
    await advanceTo(spinup);
    air.fields([], []); // the spin-up's rain is nobody's
  }
  const first = restart ? firstOutput(config, restart) : 0;
  for (let i = first; i < times.length; i++) {
    const step = spinup + i * perOutput;
    await advanceTo(step);
    yield { time: times[i], fields: air.fields(config.variables, config.pressureLevels) };
    await onState?.(() => ({ ...air.save(), outputs: i + 1 }), times[i]);
  }
}

/** A whole simulation in memory, as a dataset on the model's Gaussian grid; times in `hours since 2001-01-01`. */
export async function simulateDataset(
  given: Partial<SimulationConfig> = {},
  options: SimulateOptions = {},
): Promise<Dataset> {
  const layout = layoutOf(simulationConfig(given), options.restart);
  const data = layout.variables.map(({ shape }) => new Float32Array(shape.reduce((product, n) => product * n, 1)));
  let at = 0;
  for await (const { fields } of simulate(layout.config, options)) {
    layout.variables.forEach(({ name }, i) => data[i].set(fields[name], at * fields[name].length));
    at++;
  }
  const variables = layout.variables.map(({ name, dims, shape, attrs }, i): [string, MemoryVariable] => [
    name,
    { dims, data: ndarray("float32", shape, data[i]), attrs },
  ]);
  return memoryDataset(
    { ...coordinates(layout), ...layout.statics, ...Object.fromEntries(variables) },
    {
      source: `simulation (${layout.config.model}, T${layout.config.truncation}, seed ${layout.config.seed})`,
      attrs: attributes(layout.config),
    },
  );
}

/** Hours since this, in the files. */
const TIME_ORIGIN = Date.UTC(2001, 0, 1);

/** The coordinate variables of a simulation, with CF attributes. */
export function coordinates(layout: SimulationLayout): Record<string, MemoryVariable> {
  const { latitudes, longitudes, times, config } = layout;
  const axis = (name: string, values: Float64Array, attrs: Record<string, string>): MemoryVariable => ({
    dims: [name],
    data: ndarray("float64", [values.length], values),
    attrs,
  });
  return {
    time: axis(
      "time",
      times.map((t) => (t - TIME_ORIGIN) / 3_600_000),
      {
        standard_name: "time",
        units: "hours since 2001-01-01",
        calendar: "proleptic_gregorian",
      },
    ),
    level: axis("level", Float64Array.from(config.pressureLevels), {
      standard_name: "air_pressure",
      units: "hPa",
      positive: "down",
    }),
    latitude: axis("latitude", latitudes, { standard_name: "latitude", units: "degrees_north" }),
    longitude: axis("longitude", longitudes, { standard_name: "longitude", units: "degrees_east" }),
  };
}

/** Global attributes: what made it. */
export function attributes(config: SimulationConfig): Record<string, string | number> {
  return {
    Conventions: "CF-1.11",
    title: `Simulated weather: ${config.model} atmosphere at T${config.truncation}`,
    source: "Foehn's embedded atmosphere",
    seed: config.seed,
    truncation: config.truncation,
    step_seconds: config.step,
  };
}
