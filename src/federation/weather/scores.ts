/**
 * Squared errors of a site's forecasts on one part of its record, beside those of persistence, climatology, damped anomaly
 * persistence and ridge regression from the same starts; and what they add up to, with intervals by a moving-block bootstrap over starts.
 */
import { blockLength, drawBlocks, interval, resampledSums } from "../../verify/bootstrap.js";
import type { SkillRow } from "../protocol/trainer.js";
import type { Member } from "./member.js";
import { areaWeights, type Pick } from "./samples.js";
import { type Part, PARTS } from "./split.js";
import { inSteps, lookBack, type SharedTask } from "./task.js";

export const BASELINES = ["persistence", "climatology", "damped", "ridge"] as const;
export type BaselineName = (typeof BASELINES)[number];
export type Forecaster = "model" | BaselineName;

/** Something of every baseline. */
export const everyBaseline = <T>(of: (name: BaselineName) => T): Record<BaselineName, T> =>
  Object.fromEntries(BASELINES.map((name) => [name, of(name)])) as Record<BaselineName, T>;

/** One variable at one lead of one member. */
export interface Column {
  readonly member: string;
  readonly variable: string;
  readonly lead: number;
}

/** Area-mean squared errors, [start][column]; zero where the truth is missing, as `counts` says. */
export interface Errors {
  readonly columns: readonly Column[];
  readonly starts: number;
  readonly squares: readonly Float64Array[];
  readonly counts: readonly Uint8Array[];
}

/** The time indices that forecasts of a part start from: at most about `most`, evenly spread, the same for every model. */
export function scoredStarts(member: Member, task: SharedTask, part: Part, most: number): number[] {
  const longest = Math.max(...inSteps(task, "leads"));
  const earliest = lookBack(task);
  const wanted = PARTS.indexOf(part);
  const { parts } = member;
  const all: number[] = [];
  for (let t = earliest, run = 0; t < parts.length; t++) {
    run = parts[t] === wanted ? run + 1 : 0;
    if (run > longest && t - longest >= earliest) all.push(t - longest);
  }
  const every = Math.max(1, Math.ceil(all.length / most));
  return all.filter((_, k) => k % every === 0);
}

/** Every start of every member with every lead. */
export const scoredPicks = (members: readonly Member[], task: SharedTask, starts: readonly number[]): Pick[] =>
  members.flatMap((member) =>
    task.forecast.leads.flatMap((_, lead) => starts.map((start): Pick => ({ member, start, lead }))),
  );

/**
 * Errors of one forecaster from `starts`. `corrections` to damped persistence are the model's or the ridge regression's, in the
 * order of `scoredPicks`; the other baselines have none.
 */
export function errorsOf(
  task: SharedTask,
  members: readonly Member[],
  variables: readonly string[],
  starts: readonly number[],
  forecaster: Forecaster,
  corrections?: readonly Float32Array[],
): Errors {
  const leads = inSteps(task, "leads");
  const columns = members.flatMap(({ name }) =>
    task.forecast.leads.flatMap((lead) => variables.map((variable): Column => ({ member: name, variable, lead }))),
  );
  const squares = starts.map(() => new Float64Array(columns.length));
  const counts = starts.map(() => new Uint8Array(columns.length));
  const width = variables.length;
  members.forEach((member, m) => {
    const { departures, normaliser: n } = member;
    const size = n.anomaly.length;
    const cells = size / width;
    const area = areaWeights(member);
    leads.forEach((lead, l) => {
      const at = (lead - 1) * size;
      starts.forEach((start, k) => {
        const now = departures.subarray(start * size, (start + 1) * size);
        const later = departures.subarray((start + lead) * size, (start + lead + 1) * size);
        const correction = corrections?.[(m * leads.length + l) * starts.length + k];
        const usual =
          forecaster === "persistence"
            ? [start, start + lead].map((t) => n.climatology.at(member.series.times[t]))
            : undefined;
        for (let c = 0; c < width; c++) {
          let [total, weight] = [0, 0];
          for (let p = c * cells; p < (c + 1) * cells; p++) {
            // In the channel's own units
            const damped = n.damping[at + p] * now[p];
            const guess =
              forecaster === "climatology"
                ? 0 * now[p]
                : forecaster === "persistence"
                  ? now[p] + (usual![0][p] - usual![1][p]) / n.anomaly[p]
                  : damped;
            const e = (later[p] - guess) * n.anomaly[p] - (correction ? correction[p] * n.residual[at + p] : 0);
            if (e !== e) continue;
            total += area[p] * e * e;
            weight += area[p];
          }
          if (weight === 0) continue;
          const column = (m * leads.length + l) * width + c;
          squares[k][column] = total / weight;
          counts[k][column] = 1;
        }
      });
    });
  });
  return { columns, starts: starts.length, squares, counts };
}

/** Sums over starts of each column. */
const summed = (rows: readonly ArrayLike<number>[]): Float64Array => {
  const out = new Float64Array(rows[0].length);
  for (const row of rows) for (let i = 0; i < out.length; i++) out[i] += row[i];
  return out;
};

/** Mean over columns of the ratio of two sums; columns without truth are left out. */
export function meanRatio(sums: ArrayLike<number>, reference: ArrayLike<number>): number {
  let [total, seen] = [0, 0];
  for (let i = 0; i < sums.length; i++)
    if (reference[i] > 0) {
      total += sums[i] / reference[i];
      seen++;
    }
  return total / seen;
}

/** Squared error in units of damped persistence's, mean over variables, leads and members: 1 is no better. */
export const relativeError = (errors: Errors, damped: Errors): number =>
  meanRatio(summed(errors.squares), summed(damped.squares));

/** `relativeError` of several forecasts in the same resamples: [forecast][resample]. */
export function resampledErrors(
  forecasts: readonly Errors[],
  damped: Errors,
  options: { resamples?: number; seed?: number } = {},
): number[][] {
  const draw = drawBlocks(damped.starts, blockFor(damped), options);
  // One row holds the forecast's squares and damped persistence's, so that both are redrawn alike
  const width = damped.columns.length;
  return forecasts.map(({ squares }) =>
    Array.from(
      resampledSums(sideBySide(squares, damped.squares), draw).map((row) =>
        meanRatio(row.subarray(0, width), row.subarray(width)),
      ),
    ),
  );
}

const sideBySide = (a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number[][] =>
  a.map((row, t) => [...Array.from(row), ...Array.from(b[t])]);

/** Block length from the mean error of each start. */
const blockFor = (errors: Errors): number =>
  blockLength(errors.squares.map((row) => row.reduce((s, v) => s + v, 0) / row.length));

/** What a site reports of a model: the relative error with its interval and the baselines', then each variable's RMSE beside them. */
export function skillRows(
  model: Errors,
  baselines: Readonly<Record<BaselineName, Errors>>,
  options: { resamples?: number } = {},
): SkillRow[] {
  const [samples] = resampledErrors([model], baselines.damped, options);
  const [low, high] = interval(samples);
  const n = model.starts;
  const rows: SkillRow[] = [
    { metric: "relative-mse", value: relativeError(model, baselines.damped), low, high, n },
    ...BASELINES.map((name) => ({
      metric: `relative-mse of ${name}`,
      value: relativeError(baselines[name], baselines.damped),
      n,
    })),
  ];
  const draw = drawBlocks(n, blockFor(model), options);
  for (const variable of new Set(model.columns.map((c) => c.variable))) {
    const mine = model.columns.flatMap((c, i) => (c.variable === variable ? [i] : []));
    const rmse = (sums: ArrayLike<number>, counts: ArrayLike<number>): number => {
      const add = (of: ArrayLike<number>) => mine.reduce((s, i) => s + of[i], 0);
      return Math.sqrt(add(sums) / add(counts));
    };
    const width = model.columns.length;
    const values = resampledSums(sideBySide(model.squares, model.counts), draw).map((row) =>
      rmse(row.subarray(0, width), row.subarray(width)),
    );
    const [lowest, highest] = interval(values);
    const of = ({ squares, counts: seen }: Errors) => rmse(summed(squares), summed(seen));
    if (Number.isNaN(of(model))) continue;
    rows.push({ metric: "rmse", variable, value: of(model), low: lowest, high: highest, n });
    for (const name of BASELINES) rows.push({ metric: `rmse of ${name}`, variable, value: of(baselines[name]), n });
  }
  return rows;
}
