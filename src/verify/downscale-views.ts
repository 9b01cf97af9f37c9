/** What a report of downscaling draws: the fields of a good, a middling and a bad time, and the spread of all values. */
import type { Calendar } from "../earth/time.js";
import type { Guess } from "../tasks/downscale/baselines.js";
import type { FieldGrid } from "../tasks/downscale/fields.js";
import type { DownscaleShape } from "./downscale-shape.js";

/** One variable from one coarse grid. */
export interface DownscaleView {
  readonly variable: string;
  readonly units: string;
  readonly region: string;
  /** Whether it is an amount, such as rain. */
  readonly positive: boolean;
  readonly grid: FieldGrid;
  /** What the coarse maps show: the coarse field that is sharpened, or the first predictor. */
  readonly coarse: {
    readonly name: string;
    readonly units: string;
    readonly sameField: boolean;
    readonly latitudes: Float64Array;
    readonly longitudes: Float64Array;
  };
  /** What 5 % of the training values exceed. */
  readonly threshold: number;
  readonly shapes: readonly DownscaleShape[];
  readonly truthQuantiles: Float64Array;
  readonly picks: readonly DownscalePick[];
}

/** The fields of one time. */
export interface DownscalePick {
  readonly label: string;
  readonly time: number;
  readonly calendar: Calendar;
  readonly coarse: Float32Array;
  readonly truth: Float32Array;
  /** Means: the model's first, then those of the drawn baselines. */
  readonly fields: readonly { readonly name: string | null; readonly mean: Float32Array; readonly error: number }[];
}

const PLACES = [
  ["A good time: at one in ten the model gained more", 0.9],
  ["A typical time: at half of them it gained more", 0.5],
  ["A bad time: at one in ten it gained less", 0.1],
] as const;

/**
 * Times to show, by what the model's RMSE is below that of the baseline with the least RMSE over the whole period, and the
 * baselines to draw: that one and the interpolation that the coarse field is usually seen through.
 */
export function choosePicks(
  shapes: readonly DownscaleShape[],
  best: string,
  fields: (k: number) => Omit<DownscalePick, "label" | "fields">,
  guesses: readonly { readonly name: string | null; readonly at: (k: number) => Guess }[],
): DownscalePick[] {
  const of = (name: string | null) => shapes.find((s) => s.name === name)!;
  const [own, rival] = [of(null), of(best)];
  const gains = own.errors.map((e, k) => rival.errors[k] - e);
  const order = [...gains.keys()].sort((a, b) => gains[a] - gains[b]);
  const drawn = new Set([null, "bilinear", best]);
  return PLACES.map(([label, place]) => {
    const k = order[Math.round(place * (order.length - 1))];
    return {
      label,
      ...fields(k),
      fields: guesses
        .filter(({ name }) => drawn.has(name))
        .map(({ name, at }) => ({ name, mean: Float32Array.from(at(k).mean), error: of(name).errors[k] })),
    };
  }).filter((pick, i, all) => all.findIndex((p) => p.time === pick.time) === i);
}
