/**
 * What a downscaling model knows before its network: normalisation of predictors and maps, and the climate of the targets, all
 * from the training period. Saved with the run.
 */
import { latitudeWeights } from "../../earth/weights.js";
import type { Calendar } from "../../earth/time.js";
import { quantity } from "../../earth/variables.js";
import { DataError, nearest, UsageError } from "../../errors.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { DownscaleConfig } from "./config.js";
import type { FieldGrid } from "./fields.js";
import { cellsOf, coarseAt, fineAt, type Pairs } from "./pairs.js";
import { interpolate, placesIn } from "./places.js";
import { fitRegression, type Regression } from "./regression.js";

export interface Fitted {
  readonly targets: readonly string[];
  readonly targetUnits: readonly string[];
  /** Whether a target cannot be negative (an amount). */
  readonly positive: readonly boolean[];
  /** Index of each target's first guess among the predictors; -1 for none. */
  readonly base: readonly number[];
  /** Deviation of truth less first guess over the training period, a target. */
  readonly scale: readonly number[];
  /** Mean and quantiles of that difference (at the run's levels), [target][level], and its mean by target. */
  readonly spacing: readonly (readonly number[])[];
  readonly offset: readonly number[];
  /** Of rain, over all cells: share of wet times, mean wet amount, gamma shape by moments. */
  readonly rain: readonly Rain[];
  readonly predictors: readonly string[];
  readonly predictorUnits: readonly string[];
  /** Whether ln(1 + x) is taken first: amounts. */
  readonly logged: readonly boolean[];
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  readonly maps: readonly string[];
  readonly mapMean: readonly number[];
  readonly mapDeviation: readonly number[];
  readonly calendar: Calendar;
  /** Training times, milliseconds: first and last. */
  readonly trained: readonly [number, number];
  readonly grid: FieldGrid;
  /** The coarse grid trained on (the first, of several). */
  readonly coarse: { readonly latitudes: Float64Array; readonly longitudes: Float64Array };
  /** Mean and deviation of each coarse value, [predictor, row, column], for networks that look at the whole of it. */
  readonly context: { readonly mean: Float32Array; readonly deviation: Float32Array };
  /** The run's own maps, [map, row, column], as read. */
  readonly mapValues: Float32Array;
  /**
   * Each cell's own climate, [map, target, row, column]: mean and deviation of truth less first guess; for rain ln odds of a wet
   * time, ln mean wet amount. NaN where the truth never has a value.
   */
  readonly local: Float32Array;
  /** How much more than the interpolated field each cell varies, where the run asks for it. */
  readonly regression?: Regression;
}

export interface Rain {
  readonly wet: number;
  readonly mean: number;
  readonly shape: number;
  /** Where the coarse data hold the target: ln odds of rain are a + b `logBase`. */
  readonly oddsByBase?: readonly [a: number, b: number];
}

/** The interpolated coarse amount as the first guess of rain takes it. */
export const logBase = (amount: number, dryUpTo: number): number => Math.log(Math.max(0, amount) + dryUpTo / 2 + 1e-3);

/** Maps in `local`. */
export const LOCAL_MAPS = 2;

const isAmount = (name: string): boolean => quantity(name.split("@")[0])?.kind === "amount";

/** A value as the network sees it. */
export const transformed = (value: number, logged: boolean): number =>
  logged ? Math.log1p(Math.max(0, value)) : value;

export function fitDownscaling(pairs: Pairs, config: DownscaleConfig, train: readonly number[]): Fitted {
  const { head, dryUpTo, base: wish } = config.downscale;
  const levels = config.downscale.quantiles;
  const targets = pairs.targets.length;
  const cells = cellsOf(pairs);
  const [first] = pairs.coarse;
  if (wish && !pairs.predictors.includes(wish)) {
    const near = nearest(wish, pairs.predictors);
    throw new UsageError(
      `downscale.base: there is no predictor '${wish}'${near ? `; did you mean '${near}'?` : ""} There are ${pairs.predictors.join(", ")}`,
    );
  }
  const base = pairs.targets.map((name) => (wish === "" ? -1 : pairs.predictors.indexOf(wish ?? name)));
  const logged = pairs.predictors.map(isAmount);

  // Predictors: one mean and deviation each, over all sets
  const mean: number[] = [];
  const deviation: number[] = [];
  pairs.predictors.forEach((_, p) => {
    const m = new Moments();
    for (const set of pairs.coarse) {
      const size = set.grid.latitudes.length * set.grid.longitudes.length;
      for (const t of train)
        for (const v of coarseAt(pairs, set, t).subarray(p * size, (p + 1) * size)) m.add(transformed(v, logged[p]));
    }
    if (m.count === 0) throw new DataError("training data", `predictor '${pairs.predictors[p]}' has no value`);
    mean.push(m.mean());
    deviation.push(m.deviation() || 1);
  });
  const size = pairs.predictors.length * first.grid.latitudes.length * first.grid.longitudes.length;
  const context = { mean: new Float32Array(size), deviation: new Float32Array(size) };
  for (let i = 0; i < size; i++) {
    const p = Math.floor((i * pairs.predictors.length) / size);
    const m = new Moments();
    for (const t of train) m.add(transformed(coarseAt(pairs, first, t)[i], logged[p]));
    context.mean[i] = m.mean();
    context.deviation[i] = m.deviation() || 1;
  }

  // Maps: cells without truth (sea, say) may lack a value too
  const mapMoments = pairs.maps.map((_, k) => {
    const m = new Moments();
    for (const v of pairs.mapValues.subarray(k * cells, (k + 1) * cells)) m.add(v);
    return m;
  });

  const regression = regressionOf(pairs, config, base, train);

  // Truth less first guess, by cell and over all
  const places = placesIn(first.grid, pairs.grid);
  const guess = new Float32Array(cells);
  const perCell = Array.from({ length: targets * cells }, () => new Moments());
  const wet = Array.from({ length: targets * cells }, () => new Moments());
  const all = pairs.targets.map(() => new Moments());
  const samples: number[][] = pairs.targets.map(() => []);
  const rainSamples: [x: number, wet: number][][] = pairs.targets.map(() => []);
  const stride = Math.max(1, Math.floor((train.length * cells) / 200_000));
  let counter = 0;
  const coarseCells = first.grid.latitudes.length * first.grid.longitudes.length;
  for (const t of train) {
    const truth = fineAt(pairs, t);
    for (let v = 0; v < targets; v++) {
      if (base[v] < 0) guess.fill(0);
      else
        interpolate(
          places,
          coarseAt(pairs, first, t).subarray(base[v] * coarseCells, (base[v] + 1) * coarseCells),
          guess,
        );
      if (regression)
        for (let i = 0, k = v * cells; i < cells; i++, k++)
          guess[i] += regression.gain[k] * (guess[i] - regression.centre[k]);
      for (let i = 0; i < cells; i++) {
        const o = truth[v * cells + i];
        const d = o - guess[i];
        if (d !== d) continue;
        perCell[v * cells + i].add(d);
        all[v].add(d);
        if (o > dryUpTo) wet[v * cells + i].add(o);
        if (counter++ % stride !== 0) continue;
        samples[v].push(d);
        if (head === "bernoulli-gamma" && base[v] >= 0)
          rainSamples[v].push([logBase(guess[i], dryUpTo), Number(o > dryUpTo)]);
      }
    }
  }
  all.forEach((m, v) => {
    if (m.count === 0)
      throw new DataError("training data", `'${pairs.targets[v]}' has no value in the training period`);
  });
  const rain = pairs.targets.map((_, v) => {
    const total = new Moments();
    for (let i = 0; i < cells; i++) total.join(wet[v * cells + i]);
    if (head === "bernoulli-gamma" && total.count < 10)
      throw new DataError(
        "training data",
        `'${pairs.targets[v]}' exceeds downscale.dryUpTo = ${dryUpTo} in ${total.count} values only; too few for a law of amounts`,
      );
    return {
      wet: total.count / all[v].count,
      mean: total.mean() || 1,
      shape: Math.min(5, Math.max(0.2, total.mean() ** 2 / (total.variance() || 1))),
      ...(rainSamples[v].length > 0 && { oddsByBase: logistic(rainSamples[v]) }),
    };
  });
  const local = new Float32Array(LOCAL_MAPS * targets * cells).fill(NaN);
  for (let v = 0; v < targets; v++)
    for (let i = 0; i < cells; i++) {
      const k = v * cells + i;
      const m = perCell[k];
      if (m.count === 0) continue;
      if (head === "bernoulli-gamma") {
        // Drawn towards the whole grid's climate by as much as ten more times of it
        const share = (wet[k].count + 10 * rain[v].wet) / (m.count + 10);
        const amount = (wet[k].count * wet[k].mean() + 10 * rain[v].mean) / (wet[k].count + 10);
        local[k] = Math.log(share / (1 - share));
        local[targets * cells + k] = Math.log(amount);
      } else {
        local[k] = m.mean();
        local[targets * cells + k] = m.deviation();
      }
    }
  const { latitudes, longitudes } = first.grid;
  return {
    targets: pairs.targets,
    targetUnits: pairs.targetUnits,
    positive: pairs.targets.map(isAmount),
    base,
    scale: all.map((m) => m.deviation() || 1),
    offset: all.map((m) => m.mean()),
    spacing: samples.map((values) => {
      const sorted = Float64Array.from(values).sort();
      return Array.from({ length: levels }, (_, i) => sorted[Math.floor(((i + 0.5) / levels) * sorted.length)]);
    }),
    rain,
    predictors: pairs.predictors,
    predictorUnits: pairs.predictorUnits,
    logged,
    mean,
    deviation,
    maps: pairs.maps,
    mapMean: mapMoments.map((m) => m.mean()),
    mapDeviation: mapMoments.map((m) => m.deviation() || 1),
    calendar: pairs.calendar,
    trained: [pairs.times[train[0]], pairs.times[train[train.length - 1]]],
    grid: pairs.grid,
    coarse: { latitudes, longitudes },
    context,
    mapValues: pairs.mapValues,
    local,
    ...(regression && { regression }),
  };
}

function regressionOf(
  pairs: Pairs,
  { downscale, model }: DownscaleConfig,
  base: readonly number[],
  train: readonly number[],
): Regression | undefined {
  if (downscale.guess !== "regression") return undefined;
  const refusal = !downscale.localClimate
    ? "it belongs to the run's own cells; set downscale.localClimate to true"
    : downscale.head === "bernoulli-gamma"
      ? "that head begins with the chance of rain; take the head 'quantile' or 'mean'"
      : model.name === "invertible"
        ? "the model 'invertible' begins with means over blocks"
        : base.every((p) => p < 0)
          ? "the coarse data do not hold the target"
          : undefined;
  if (refusal) throw new UsageError(`downscale.guess: regression: ${refusal}, or leave downscale.guess out`);
  return fitRegression(pairs, base, train);
}

/** Logistic regression on one number by Newton's method. */
function logistic(samples: readonly [x: number, wet: number][]): [a: number, b: number] {
  let a = 0;
  let b = 0;
  for (let i = 0; i < 25; i++) {
    // One declaration each: V8 keeps sums that are destructured from an array as boxed numbers
    let ga = 0;
    let gb = 0;
    let haa = 1e-6;
    let hab = 0;
    let hbb = 1e-6;
    for (const [x, wet] of samples) {
      const p = 1 / (1 + Math.exp(-(a + b * x)));
      const h = p * (1 - p);
      ga += wet - p;
      gb += (wet - p) * x;
      haa += h;
      hab += h * x;
      hbb += h * x * x;
    }
    const det = haa * hbb - hab * hab;
    a += Math.max(-1, Math.min(1, (hbb * ga - hab * gb) / det));
    b += Math.max(-1, Math.min(1, (haa * gb - hab * ga) / det));
  }
  return [a, b];
}

/**
 * Running count, mean and variance (Welford 1962); missing values are left out. A class, since V8 writes its fields in place: what
 * a closure captures becomes a new object with every sum.
 */
class Moments {
  count = 0;
  private average = 0;
  private squares = 0;

  add(x: number): void {
    if (x !== x) return;
    this.count++;
    const d = x - this.average;
    this.average += d / this.count;
    this.squares += d * (x - this.average);
  }

  /** Takes over what another has seen (Chan et al. 1979). */
  join(other: Moments): void {
    if (other.count === 0) return;
    const n = this.count + other.count;
    const d = other.average - this.average;
    this.squares += other.squares + (d * d * this.count * other.count) / n;
    this.average += (d * other.count) / n;
    this.count = n;
  }

  mean(): number {
    return this.count > 0 ? this.average : 0;
  }

  variance(): number {
    return this.count > 0 ? this.squares / this.count : 0;
  }

  deviation(): number {
    return Math.sqrt(this.variance());
  }
}

/** Area weights of the fine cells, mean 1: by latitude, equal on a projected grid. */
export function cellWeights({ rows, columns, latitudes, axes }: FieldGrid): Float32Array {
  if (!axes || rows < 2) return new Float32Array(rows * columns).fill(1);
  const byRow = latitudeWeights(latitudes, "exact");
  return Float32Array.from({ length: rows * columns }, (_, i) => byRow[Math.floor(i / columns)]);
}

/** The fitted numbers as arrays and a text, for one file. */
export function packFitted(f: Fitted): { arrays: [string, NdArray][]; metadata: Record<string, string> } {
  const { grid, coarse, context, mapValues, local, regression, ...facts } = f;
  const axis = (values: Float64Array): NdArray => ({ dtype: "float64", shape: [values.length], data: values });
  const flat = (values: Float32Array): NdArray => float32([values.length], values);
  const { latitudes, longitudes, projected, ...shape } = grid;
  return {
    arrays: [
      ["grid.latitudes", axis(latitudes)],
      ["grid.longitudes", axis(longitudes)],
      ...(projected
        ? [
            ["grid.y", axis(projected.y.values)] as [string, NdArray],
            ["grid.x", axis(projected.x.values)] as [string, NdArray],
          ]
        : []),
      ["coarse.latitudes", axis(coarse.latitudes)],
      ["coarse.longitudes", axis(coarse.longitudes)],
      ["context.mean", flat(context.mean)],
      ["context.deviation", flat(context.deviation)],
      ["maps", flat(mapValues)],
      ["local", flat(local)],
      ...(regression
        ? [
            ["regression.gain", flat(regression.gain)] as [string, NdArray],
            ["regression.centre", flat(regression.centre)] as [string, NdArray],
          ]
        : []),
    ],
    metadata: {
      fitted: JSON.stringify({
        ...facts,
        grid: {
          ...shape,
          ...(projected && {
            projected: {
              y: { name: projected.y.name, units: projected.y.units },
              x: { name: projected.x.name, units: projected.x.units },
            },
          }),
        },
      }),
    },
  };
}

export function unpackFitted(
  arrays: ReadonlyMap<string, NdArray>,
  metadata: Readonly<Record<string, string>>,
  source: string,
): Fitted {
  if (!metadata["fitted"]) throw new DataError(source, "it holds no downscaling normalisation; train the model again");
  const facts = JSON.parse(metadata["fitted"]) as Fitted;
  const axis = (name: string) => arrays.get(name)!.data as Float64Array;
  const flat = (name: string) => arrays.get(name)!.data as Float32Array;
  const { projected } = facts.grid;
  return {
    ...facts,
    grid: {
      ...facts.grid,
      latitudes: axis("grid.latitudes"),
      longitudes: axis("grid.longitudes"),
      ...(projected && {
        projected: { y: { ...projected.y, values: axis("grid.y") }, x: { ...projected.x, values: axis("grid.x") } },
      }),
    },
    coarse: { latitudes: axis("coarse.latitudes"), longitudes: axis("coarse.longitudes") },
    context: { mean: flat("context.mean"), deviation: flat("context.deviation") },
    mapValues: flat("maps"),
    local: flat("local"),
    ...(arrays.has("regression.gain") && {
      regression: { gain: flat("regression.gain"), centre: flat("regression.centre") },
    }),
  };
}
