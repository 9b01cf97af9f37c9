/**
 * Experiments with a simulated atmosphere: ensembles from perturbed starts, and how fast two nearly equal ones part.
 *
 *     const growth = await errorGrowth({ model: "dry", spinupDays: 100 }, { days: 40 });
 *     console.log(describeGrowth(growth));
 */
import { UsageError } from "../errors.js";
import type { Saved } from "./atmosphere.js";
import { type SimulationConfig, simulationConfig } from "./config.js";
import { DAY } from "./planet.js";
import { checkRestart, perturbed } from "./restart.js";
import { atmosphere, type Progress, simulate, type SimulateOptions, type Snapshot } from "./simulate.js";

export interface EnsembleOptions extends Omit<SimulateOptions, "onProgress"> {
  readonly members: number;
  /** Relative change of every coefficient at the start. */
  readonly amplitude?: number;
  readonly onProgress?: (progress: Progress, member: number) => void;
}

/**
 * The members of an ensemble from one state (spun up, or `restart`): member 0 is the control, the others differ at first by
 * `amplitude` and, with `perturbedPhysics`, each has factors of its own. One after the other: `member` and its weather.
 */
export async function* ensemble(
  given: Partial<SimulationConfig>,
  options: EnsembleOptions,
): AsyncGenerator<{ member: number; snapshot: Snapshot }> {
  const { members, amplitude = 1e-3, onProgress, restart, ...rest } = options;
  if (!Number.isInteger(members) || members < 1)
    throw new UsageError(`an ensemble of ${members} members: give a whole number from 1`);
  const config = simulationConfig(given);
  const saved = restart ?? (await spunUp(config));
  for (let member = 0; member < members; member++) {
    const own = { ...config, seed: config.seed + member };
    const start = member === 0 ? saved : perturbed(saved, { seed: own.seed, amplitude });
    const progress = onProgress && ((p: Progress) => onProgress(p, member));
    for await (const snapshot of simulate(own, { ...rest, restart: start, onProgress: progress }))
      yield { member, snapshot };
  }
}

/** The state at the end of a configuration's spin-up. */
async function spunUp(config: SimulationConfig): Promise<Saved> {
  const air = atmosphere(config);
  const perDay = DAY / config.step;
  for (let s = 0; s < Math.round(config.spinupDays * perDay); s++) {
    air.step();
    if (s % Math.ceil(perDay) === 0) await pause();
  }
  air.fields([], []); // empties the rain gauge
  return air.save();
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

export interface ErrorGrowth {
  readonly field: string;
  readonly units: string;
  /** Root-mean-square difference of the perturbed runs from the control, over the globe and them all, by day from 0. */
  readonly rms: readonly number[];
  /** sqrt(2) times the standard deviation in time: where the difference of strangers ends (Lorenz 1982). */
  readonly saturation: number;
  /** Days in which the difference doubles while it grows from 0.1 to 10 % of saturation. */
  readonly doublingDays: number;
  /** The first day on which the difference exceeds half of saturation; NaN, here and below, where it never does. */
  readonly halfDay: number;
  /** That on which it exceeds 1 / sqrt(2) of saturation, the standard deviation in time: climatology is now as good a forecast. */
  readonly climatologyDay: number;
  /** That on which it exceeds 90 % of saturation. */
  readonly saturationDay: number;
}

export interface GrowthOptions {
  readonly days?: number;
  readonly amplitude?: number;
  /** How many perturbed runs are compared with the control. */
  readonly members?: number;
  /** Begins here instead of with a spin-up. */
  readonly restart?: Saved;
  readonly onDay?: (day: number) => void;
}

/**
 * A control and runs that differ from it by `amplitude` (relative) on day 0, compared day by day in the geopotential of 500 hPa.
 * Throws a `UsageError` for a growth that could not be measured.
 */
export async function errorGrowth(
  given: Partial<SimulationConfig>,
  { days = 45, amplitude = 1e-6, members = 1, restart, onDay }: GrowthOptions = {},
): Promise<ErrorGrowth> {
  if (!Number.isInteger(days) || days < 2)
    throw new UsageError(
      `a growth over ${days} days cannot be measured: follow it for a whole number of days from 2, such as 45`,
    );
  if (!(amplitude > 0 && amplitude <= 0.1))
    throw new UsageError(
      `an amplitude of ${amplitude} starts no growth: give more than 0 and at most 0.1, such as 1e-6`,
    );
  if (!Number.isInteger(members) || members < 1)
    throw new UsageError(`${members} perturbed runs: give a whole number from 1`);
  const field = "geopotential";
  const config = simulationConfig({ ...given, days, everyHours: 24, pressureLevels: [500], variables: [field] });
  const air = atmosphere(config);
  const perDay = DAY / config.step;
  const start = restart ?? (await spunUp(config));
  checkRestart(air.save(), start);
  air.restore(start);
  const twins = Array.from({ length: members }, (_, i) => {
    const twin = atmosphere(config);
    twin.restore(perturbed(start, { seed: config.seed + i, amplitude }));
    return twin;
  });
  const { nlon, weights, points } = air.transform;
  const sum = new Float64Array(points);
  const square = new Float64Array(points);
  const rms: number[] = [];
  for (let day = 0; day < days; day++) {
    const [control, ...others] = [air, ...twins].map((run) => run.fields([field], [500])[field]);
    let error = 0;
    for (let p = 0; p < points; p++) {
      const weight = weights[Math.floor(p / nlon)] / (2 * nlon);
      for (const other of others) error += (weight * (other[p] - control[p]) ** 2) / members;
      sum[p] += control[p];
      square[p] += control[p] ** 2;
    }
    rms.push(Math.sqrt(error));
    for (let s = 0; s < perDay; s++) for (const run of [air, ...twins]) run.step();
    onDay?.(day + 1);
    await pause();
  }
  let variance = 0;
  for (let p = 0; p < points; p++)
    variance += (weights[Math.floor(p / nlon)] / (2 * nlon)) * (square[p] / days - (sum[p] / days) ** 2);
  const saturation = Math.sqrt(2 * variance);
  return {
    field: "geopotential at 500 hPa",
    units: "m2 s-2",
    rms,
    saturation,
    doublingDays: doublingTime(rms, 1e-3 * saturation, 0.1 * saturation),
    halfDay: firstAbove(rms, 0.5 * saturation),
    climatologyDay: firstAbove(rms, Math.SQRT1_2 * saturation),
    saturationDay: firstAbove(rms, 0.9 * saturation),
  };
}

const firstAbove = (values: readonly number[], bound: number): number => {
  const day = values.findIndex((x) => x > bound);
  return day < 0 ? Number.NaN : day;
};

/** Days per doubling between two bounds, by least squares on the logarithm, once what the perturbation did to the balance is gone. */
function doublingTime(rms: readonly number[], low: number, high: number): number {
  const least = rms.indexOf(Math.min(...rms));
  const rows = rms
    .map((x, day) => [day, Math.log2(x)] as const)
    .filter(([day, y]) => day >= least && y >= Math.log2(low) && y <= Math.log2(high));
  const n = rows.length;
  if (n < 3) return Number.NaN;
  const [mx, my] = [0, 1].map((i) => rows.reduce((sum, row) => sum + row[i], 0) / n);
  const slope =
    rows.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / rows.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return 1 / slope;
}

/** A growth as lines to print. */
export function describeGrowth(growth: ErrorGrowth): string {
  const { field, units, rms, saturation, doublingDays, halfDay, climatologyDay, saturationDay } = growth;
  const lines = rms
    .map((x, day) => [day, x] as const)
    .filter(([day]) => day % 3 === 0)
    .map(([day, x]) => {
      const bar = "#".repeat(Math.max(0, Math.round(60 + 10 * Math.log10(x / saturation))));
      return `day ${String(day).padStart(3)}  ${x.toExponential(2).padStart(9)}  ${bar}`;
    });
  const most = `${((100 * Math.max(...rms)) / saturation).toFixed(0)} % of saturation at most`;
  const reached = [
    [halfDay, "half of saturation"],
    [climatologyDay, "climatology's own spread (71 %)"],
    [saturationDay, "90 %"],
  ].flatMap(([day, what]) => (Number.isNaN(day) ? [] : [`${what} on day ${day}`]));
  const doubling = Number.isNaN(doublingDays)
    ? "too few days between 0.1 and 10 % of saturation to tell a doubling"
    : `doubling in ${doublingDays.toFixed(1)} days`;
  return [
    `difference of ${field}, ${units} (a bar's length is its logarithm)`,
    ...lines,
    `saturation ${saturation.toFixed(0)}; ${doubling}; ${reached.join(", ") || most}`,
  ].join("\n");
}
