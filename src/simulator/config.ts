/**
 * What a simulation is told, with defaults, and the checks made before the first step: each refusal names the remedy.
 *
 *     const config = simulationConfig({ model: "dry", truncation: 21, days: 90, seed: 1 });
 */
import { nearest, UsageError } from "../errors.js";
import { defaultHalfLevels, sigmaLevels } from "./levels.js";
import { checkCo2, type Co2Table } from "./co2.js";
import { DAY } from "./planet.js";
import { VARIABLES } from "./variables.js";

export const MODELS = ["barotropic", "shallow-water", "dry", "moist"] as const;
export type ModelName = (typeof MODELS)[number];

export interface SimulationConfig {
  readonly model: ModelName;
  /** Largest total wavenumber: 21, 31, 42, 63, 85. */
  readonly truncation: number;
  /** How many sigma levels, or their half levels from 0 to 1. */
  readonly levels: number | readonly number[];
  /** Seconds; chosen from the truncation where not given. */
  readonly step: number;
  /** Date of the first output, `YYYY-MM-DD`. */
  readonly start: string;
  readonly days: number;
  readonly everyHours: number;
  /** Days run and thrown away before the first output. */
  readonly spinupDays: number;
  readonly seed: number;
  /** hPa. */
  readonly pressureLevels: readonly number[];
  /** Names of WeatherBench 2; all the model has where not given. */
  readonly variables: readonly string[];
  /** `none`, `idealised` mountains, or heights in metres on the model's grid [latitude][longitude], north to south. */
  readonly orography: "none" | "idealised" | Float64Array;
  /** K by which the hemispheres' equilibrium temperatures swing with the seasons (dry model; 0 as in Held and Suarez). */
  readonly seasons: number;
  /** `none` for an aquaplanet, `idealised` continents, or shares of land on the model's grid, laid out as the heights (moist model). */
  readonly land: "none" | "idealised" | Float64Array;
  /** Depth of the ocean's mixed layer, m (moist model). */
  readonly slabDepth: number;
  /** Whether the sun moves through the year, and through the day (moist model). */
  readonly seasonal: boolean;
  readonly diurnal: boolean;
  /** ppm: one value, or rows of (year, ppm) between which it is interpolated (moist model). */
  readonly co2: number | Co2Table;
  /** Relative spread of factors drawn from the seed for uncertain parameters: 0 for none, 0.2 for an ensemble (moist model). */
  readonly perturbedPhysics: number;
  /** Equilibrium warming per doubling of CO2, K (moist model). */
  readonly sensitivity: number;
}

/** The pressure levels of WeatherBench 2, hPa. */
export const PRESSURE_LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000];

const DEFAULTS: Omit<SimulationConfig, "step" | "levels" | "variables"> = {
  model: "dry",
  truncation: 21,
  start: "2001-01-01",
  days: 90,
  everyHours: 6,
  spinupDays: 60,
  seed: 0,
  pressureLevels: PRESSURE_LEVELS,
  orography: "none",
  seasons: 0,
  land: "none",
  slabDepth: 30,
  seasonal: true,
  diurnal: false,
  co2: 280,
  sensitivity: 3,
  perturbedPhysics: 0,
};

const KEYS = [...Object.keys(DEFAULTS), "step", "levels", "variables"];

/** Settings that the moist model alone listens to. */
export const MOIST_ONLY: readonly (keyof SimulationConfig)[] = [
  "land",
  "slabDepth",
  "seasonal",
  "diurnal",
  "co2",
  "sensitivity",
  "perturbedPhysics",
];

/** Variables each model gives. */
const ONE_LAYER = ["vorticity", "u_component_of_wind", "v_component_of_wind"];
const VARIABLES_OF: Record<ModelName, readonly string[]> = {
  barotropic: ONE_LAYER,
  "shallow-water": ["geopotential", ...ONE_LAYER],
  moist: VARIABLES.map((v) => v.name).filter((name) => name !== "vorticity"),
  dry: VARIABLES.map((v) => v.name).filter(
    (name) => !["specific_humidity", "total_precipitation", "skin_temperature", "vorticity"].includes(name),
  ),
};

/** Completes and checks a configuration; throws a `UsageError` with the remedy. */
export function simulationConfig(given: Partial<SimulationConfig> = {}): SimulationConfig {
  for (const key of Object.keys(given))
    if (!KEYS.includes(key)) {
      const near = nearest(key, KEYS);
      throw new UsageError(
        `a simulation has no setting '${key}'${near ? `; did you mean '${near}'?` : `; it has ${KEYS.join(", ")}`}`,
      );
    }
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as typeof given;
  const base = { ...DEFAULTS, ...present };
  oneOf("model", base.model, MODELS);
  number("truncation", base.truncation, { least: 5, most: 170, whole: true });
  number("days", base.days, { least: 0 });
  number("spinupDays", base.spinupDays, { least: 0 });
  number("everyHours", base.everyHours, { least: 0.25, most: 24 * 366 });
  number("seed", base.seed, { least: 0, whole: true });
  if (!/^\d{4}-\d\d-\d\d$/.test(base.start) || Number.isNaN(Date.parse(base.start)))
    throw new UsageError(`start '${base.start}' is not a date: write it as YYYY-MM-DD, such as 2001-01-01`);
  for (const key of ["land", "orography"] as const)
    if (!(base[key] instanceof Float64Array)) oneOf(key, base[key], ["none", "idealised"]);
  number("slabDepth", base.slabDepth, { least: 1, most: 1000 });
  number("perturbedPhysics", base.perturbedPhysics, { least: 0, most: 1 });
  number("sensitivity", base.sensitivity, { least: 0, most: 10 });
  const firstYear =
    Number(base.start.slice(0, 4)) + (Date.parse(base.start) - Date.parse(base.start.slice(0, 4))) / YEAR;
  checkCo2(base.co2, [firstYear - (base.spinupDays * DAY * 1000) / YEAR, firstYear + (base.days * DAY * 1000) / YEAR]);
  const levels = base.levels ?? (base.model === "moist" ? 8 : 5);
  sigmaLevels(typeof levels === "number" ? defaultHalfLevels(levels) : levels);
  for (const p of base.pressureLevels)
    if (!(p > 0 && p <= 1100))
      throw new UsageError(`pressure level ${p} is not between 0 and 1100 hPa: give levels in hPa, such as 500, 850`);
  const known = VARIABLES_OF[base.model];
  for (const name of base.variables ?? [])
    if (!known.includes(name)) {
      const near = nearest(name, known);
      throw new UsageError(
        `the ${base.model} model has no variable '${name}'${near ? `; did you mean '${near}'?` : `: it has ${known.join(", ")}`}`,
      );
    }
  const oneLayer = base.model === "barotropic" || base.model === "shallow-water";
  return {
    ...base,
    levels,
    pressureLevels: oneLayer ? [500] : base.pressureLevels,
    variables: base.variables ?? known,
    step: checkedStep(base.step, base.truncation, base.everyHours, base.model === "moist" ? 2700 : 3600),
  };
}

/** ms. */
const YEAR = 365.2425 * DAY * 1000;

function number(
  key: string,
  value: unknown,
  { least, most = Number.POSITIVE_INFINITY, whole = false }: { least: number; most?: number; whole?: boolean },
): void {
  if (typeof value !== "number" || !(value >= least && value <= most) || (whole && !Number.isInteger(value)))
    throw new UsageError(
      `${key} is ${String(value)}: give a ${whole ? "whole " : ""}number of at least ${least}${Number.isFinite(most) ? ` and at most ${most}` : ""}`,
    );
}

function oneOf(key: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  const near = nearest(value, known);
  throw new UsageError(
    `${key} '${value}' is not known${near ? `; did you mean '${near}'?` : `: take one of ${known.join(", ")}`}`,
  );
}

/** Wind (m/s) that a step must carry: a strong jet and its waves. */
const DESIGN_WIND = 90;
const RADIUS = 6.371e6;

/** s: beyond it the Coriolis force, which leapfrog takes explicitly, is unstable whatever the truncation (2 Omega dt near 1). */
const LONGEST_STEP = 4800;

/**
 * The step in seconds: the longest that divides the output interval, is no longer than `most` and keeps the CFL number of a
 * 90 m/s wind, u dt T / a, below 0.85. (Convection strikes everywhere at once in the moist model's first days: at T15 with an
 * hour every second start blew up.) A given step is checked against looser bounds, beyond which leapfrog surely fails.
 */
function checkedStep(given: number | undefined, truncation: number, everyHours: number, most: number): number {
  const interval = Math.round(everyHours * 3600);
  const courant = (step: number): number => (DESIGN_WIND * step * truncation) / RADIUS;
  const longest = (bound: number): number => {
    for (let count = 1; ; count++)
      if (interval % count === 0 && courant(interval / count) <= bound && interval / count <= most)
        return interval / count;
  };
  if (given === undefined) return longest(0.85);
  number("step", given, { least: 1, most: DAY });
  if (interval % given !== 0)
    throw new UsageError(
      `a step of ${given} s does not divide the output interval of ${everyHours} h: take ${longest(0.85)} s`,
    );
  if (given > LONGEST_STEP)
    throw new UsageError(
      `a step of ${given} s is unstable: the Coriolis force allows ${LONGEST_STEP} s at most; take ${longest(0.85)} s`,
    );
  if (courant(given) > 1.2)
    throw new UsageError(
      `a step of ${given} s is unstable at T${truncation}: a wind of ${DESIGN_WIND} m/s has CFL number ${courant(given).toFixed(2)}; take ${longest(0.85)} s or less`,
    );
  return given;
}
