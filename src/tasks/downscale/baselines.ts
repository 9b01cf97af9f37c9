/**
 * What a downscaling model must beat, fitted to the same training period. Where the coarse data hold the target: nearest,
 * bilinear and bicubic interpolation, and quantile mapping of the bilinear. Where they do not (perfect prognosis): ridge
 * regression on the coarse domain's principal components, quantile mapping of it, and analogs. Always: climatology.
 */
import { dateParts, hourOfDay } from "../../earth/time.js";
import { applyWeights, points, regridWeights } from "../../earth/regrid/index.js";
import { principalComponents } from "../baselines/components.js";
import { fitQuantileMap, interpolator } from "../baselines/downscaling.js";
import { solveSymmetric } from "../forecast/solve.js";
import { calendarOf } from "./features.js";
import type { Fitted } from "./fitted.js";
import { transformed } from "./fitted.js";
import { cellsOf, coarseAt, fineAt, type CoarseSet, type Pairs, type Split } from "./pairs.js";
import { rectilinear } from "../../earth/regrid/index.js";

/** A field as a forecast: its mean, and equally likely values (one for a single guess). */
export interface Guess {
  /** [row, column] */
  readonly mean: ArrayLike<number>;
  readonly members: readonly ArrayLike<number>[];
}

export interface DownscaleBaseline {
  readonly name: string;
  readonly description: string;
  /** The guess for a time index of the pairs. */
  at(time: number): Guess;
}

const single = (field: Float32Array): Guess => ({ mean: field, members: [field] });

/** The baselines of one target on one coarse set. `levels` of the quantiles that those which know a distribution give. */
export function fitDownscaleBaselines(
  pairs: Pairs,
  fitted: Fitted,
  set: CoarseSet,
  split: Split,
  target: number,
  levels: readonly number[],
): DownscaleBaseline[] {
  const cells = cellsOf(pairs);
  const truth = (t: number) => fineAt(pairs, t).subarray(target * cells, (target + 1) * cells);
  const floored = (field: Float32Array) => (fitted.positive[target] ? field.map((x) => (x < 0 ? 0 : x)) : field);
  const mapped = (name: string, description: string, of: (t: number) => Float32Array): DownscaleBaseline => {
    const map = fitQuantileMap(split.train.map(of), split.train.map(truth), {
      quantiles: Math.min(101, split.train.length),
    });
    return { name, description, at: (t) => single(floored(map(of(t)))) };
  };
  const season = climatology(pairs, split, target, levels.length > 0 ? levels : [0.5]);
  const base = fitted.base[target];
  if (base >= 0) {
    const size = set.grid.latitudes.length * set.grid.longitudes.length;
    const field = (t: number) => coarseAt(pairs, set, t).subarray(base * size, (base + 1) * size);
    const interpolated = (["nearest", "bilinear", "bicubic"] as const).map((method) => {
      const { grid } = pairs;
      const weights = () => regridWeights(set.grid, points(grid.latitudes, grid.longitudes), method);
      const spread = grid.axes
        ? interpolator(set.grid, rectilinear(grid.latitudes, grid.longitudes), method)
        : (
            (w) => (f: Float32Array) =>
              applyWeights(w, f)
          )(weights());
      return {
        name: method,
        description: `${method} interpolation of the coarse field`,
        of: (t: number) => floored(spread(field(t))),
      };
    });
    return [
      ...interpolated.map(({ name, description, of }) => ({ name, description, at: (t: number) => single(of(t)) })),
      mapped(
        "quantile-mapping",
        "bilinear interpolation, then the observed value of the same rank at each cell",
        interpolated[1].of,
      ),
      season,
    ];
  }
  const components = componentsOf(pairs, fitted, set, split);
  const regression = ridge(pairs, components, split, truth);
  return [
    { ...regression, at: (t) => single(floored(regression.of(t))) },
    mapped(
      "ridge-quantile-mapping",
      "the ridge regression, then the observed value of the same rank at each cell",
      regression.of,
    ),
    analogs(components, split, truth, levels),
    season,
  ];
}

/** Mean and quantiles of the training times of the month and its neighbours, at the same hour. */
function climatology(pairs: Pairs, split: Split, target: number, levels: readonly number[]): DownscaleBaseline {
  const cells = cellsOf(pairs);
  const month = (t: number) => dateParts(pairs.times[t], pairs.calendar).month;
  const near = (a: number, b: number) => [0, 1, 11].includes(Math.abs(a - b));
  const known = new Map<string, Guess>();
  return {
    name: "climatology",
    description:
      "mean and quantiles of the training times of the season and hour (of all where there are fewer than 5)",
    at(t) {
      const hour = hourOfDay(pairs.times[t]);
      const key = `${month(t)} ${hour}`;
      const found = known.get(key);
      if (found) return found;
      const same = split.train.filter((k) => near(month(k), month(t)) && hourOfDay(pairs.times[k]) === hour);
      const made = guessFrom(
        (same.length < 5 ? split.train : same).map((k) =>
          fineAt(pairs, k).subarray(target * cells, (target + 1) * cells),
        ),
        levels,
      );
      known.set(key, made);
      return made;
    },
  };
}

/** Mean and quantiles of fields, cell by cell. */
function guessFrom(fields: readonly Float32Array[], levels: readonly number[]): Guess {
  const cells = fields[0].length;
  const mean = new Float32Array(cells);
  const members = levels.map(() => new Float32Array(cells));
  const sorted = new Float32Array(fields.length);
  for (let i = 0; i < cells; i++) {
    let sum = 0;
    fields.forEach((f, k) => (sum += sorted[k] = f[i]));
    mean[i] = sum / fields.length;
    sorted.sort();
    // Hazen's plotting position: level p stands at p n - 1/2 of the sorted values
    levels.forEach((p, q) => {
      const at = Math.min(fields.length - 1, Math.max(0, p * fields.length - 0.5));
      const k = Math.floor(at);
      members[q][i] = sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
    });
  }
  return { mean, members };
}

/** Coordinates of each time's coarse fields: their leading components, in units of their deviation, and the season. */
type Coordinates = (time: number) => Float64Array;

function componentsOf(pairs: Pairs, { context, logged, calendar }: Fitted, set: CoarseSet, split: Split): Coordinates {
  const rows = (t: number) => {
    const field = coarseAt(pairs, set, t);
    const each = field.length / logged.length;
    return field.map((v, i) => (transformed(v, logged[Math.floor(i / each)]) - context.mean[i]) / context.deviation[i]);
  };
  const { patterns, variances } = principalComponents(split.train.map(rows), 40);
  const known = new Map<number, Float64Array>();
  return (t) => {
    const found = known.get(t);
    if (found) return found;
    const row = rows(t);
    const z = Float64Array.from([
      ...patterns.map((p, k) => p.reduce((sum, w, i) => sum + w * row[i], 0) / Math.sqrt(variances[k])),
      ...calendarOf(pairs.times[t], calendar).slice(0, 4),
      1,
    ]);
    known.set(t, z);
    return z;
  };
}

/** Ridge regression of every cell on the coordinates; the strength with the least error on the validation period. */
function ridge(
  pairs: Pairs,
  coordinates: Coordinates,
  split: Split,
  truth: (t: number) => Float32Array,
): { name: string; description: string; of: (t: number) => Float32Array } {
  const cells = cellsOf(pairs);
  const n = coordinates(split.train[0]).length;
  const [zz, zy] = [new Float64Array(n * n), new Float64Array(n * cells)];
  for (const t of split.train) {
    const z = coordinates(t);
    const y = truth(t);
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) zz[a * n + b] += z[a] * z[b];
      for (let i = 0; i < cells; i++) if (y[i] === y[i]) zy[a * cells + i] += z[a] * y[i];
    }
  }
  const apply = (weights: Float64Array, t: number): Float32Array => {
    const z = coordinates(t);
    const out = new Float32Array(cells);
    for (let a = 0; a < n; a++) for (let i = 0; i < cells; i++) out[i] += z[a] * weights[a * cells + i];
    return out;
  };
  const empty = Uint8Array.from(truth(split.train[0]), (v) => (v === v ? 0 : 1));
  const fits = [0.003, 0.03, 0.1, 0.3, 1].map((strength) => {
    const regular = zz.slice();
    for (let a = 0; a < n - 1; a++) regular[a * n + a] += strength * split.train.length;
    const weights = solveSymmetric(regular, zy.slice(), n);
    for (let k = 0; k < weights.length; k++) if (empty[k % cells]) weights[k] = NaN;
    let error = 0;
    for (const t of split.validation) {
      const y = truth(t);
      apply(weights, t).forEach((f, i) => (error += y[i] === y[i] ? (f - y[i]) ** 2 : 0));
    }
    return { weights, error };
  });
  const best = fits.reduce((a, b) => (b.error < a.error ? b : a));
  return {
    name: "ridge",
    description: "ridge regression of each cell on 40 components of the coarse domain and the season",
    of: (t) => apply(best.weights, t),
  };
}

/** Days whose weather is most alike (Lorenz 1969; Zorita and von Storch 1999); as many as do best on the validation period. */
function analogs(
  coordinates: Coordinates,
  split: Split,
  truth: (t: number) => Float32Array,
  levels: readonly number[],
): DownscaleBaseline {
  const used = 15; // leading components, each as important
  const nearest = (t: number): number[] => {
    const z = coordinates(t);
    const distance = split.train.map((k) => {
      const other = coordinates(k);
      let d = 0;
      for (let a = 0; a < used; a++) d += (z[a] - other[a]) ** 2 / (1 + a); // earlier ones explain more
      return d;
    });
    return [...split.train.keys()]
      .sort((a, b) => distance[a] - distance[b])
      .slice(0, 160)
      .map((k) => split.train[k]);
  };
  const some = split.validation.filter((_, k) => k % Math.ceil(split.validation.length / 120) === 0);
  const found = some.map((t) => nearest(t));
  const errors = [10, 20, 40, 80, 160].map((count) => {
    let error = 0;
    some.forEach((t, k) => {
      const { mean } = guessFrom(found[k].slice(0, count).map(truth), []);
      truth(t).forEach((o, i) => (error += o === o ? (mean[i] - o) ** 2 : 0));
    });
    return { count, error };
  });
  const { count } = errors.reduce((a, b) => (b.error < a.error ? b : a));
  return {
    name: "analogs",
    description: `mean and quantiles of the ${count} training days whose weather over the coarse domain is most alike`,
    at: (t) => guessFrom(nearest(t).slice(0, count).map(truth), levels),
  };
}
