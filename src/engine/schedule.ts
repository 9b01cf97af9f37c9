/** Learning rates by step: functions from the step (counted from 1) to a rate. */

export type Schedule = (step: number) => number;

export interface ScheduleOptions {
  /** The greatest rate. */
  peak: number;
  /** Steps of linear rise at the start. */
  warmup?: number;
  /** All steps, the rise included. */
  total: number;
  /** What the rate falls to, as a part of the peak. */
  floor?: number;
}

const rise = (step: number, { peak, warmup = 0 }: ScheduleOptions): number | undefined =>
  step <= warmup ? (peak * step) / warmup : undefined;

export const constant =
  (options: Pick<ScheduleOptions, "peak" | "warmup">): Schedule =>
  (step) =>
    rise(step, { ...options, total: Infinity }) ?? options.peak;

/** floor + (1 - floor) (1 + cos(pi x)) / 2 over the steps after the rise (Loshchilov and Hutter 2017). */
export const cosine =
  (options: ScheduleOptions): Schedule =>
  (step) => {
    const { peak, warmup = 0, total, floor = 0 } = options;
    const x = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
    return rise(step, options) ?? peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * x))) / 2);
  };

/** Warm-up, stable, decay (Hu et al. 2024): the peak is held until the last part, then the rate falls linearly. */
export const warmupStableDecay =
  (options: ScheduleOptions & { decay?: number }): Schedule =>
  (step) => {
    const { peak, total, floor = 0, decay = 0.2 } = options;
    const begin = total * (1 - decay);
    if (step <= begin) return rise(step, options) ?? peak;
    return peak * (floor + (1 - floor) * Math.max(0, (total - step) / (total - begin)));
  };

/** One cycle (Smith and Topin 2018): up to the peak along a cosine over `rise` of the steps, then down to nearly nothing. */
export const oneCycle =
  (options: ScheduleOptions & { rise?: number; start?: number }): Schedule =>
  (step) => {
    const { peak, total, floor = 1e-4, rise: part = 0.3, start = 0.04 } = options;
    const top = total * part;
    const between = (from: number, to: number, x: number) => to + ((from - to) * (1 + Math.cos(Math.PI * x))) / 2;
    return step <= top
      ? between(peak * start, peak, step / top)
      : between(peak, peak * floor, Math.min(1, (step - top) / (total - top)));
  };
