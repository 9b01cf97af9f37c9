/**
 * Averaging in place of a falling rate (Defazio et al. 2024, "The road less scheduled", algorithm 1 with Adam's second moment). The
 * hub's iterate z runs ahead, x is the mean of all z so far, and the model that sites are given lies between them:
 *
 *     y = (1 - beta) z + beta x
 *     v <- beta2 v + (1 - beta2) D^2,        D: the mean change that sites ask for at y
 *     z <- z + gamma (D / (sqrt(v / (1 - beta2^t)) + tau) - decay y),     gamma = rate min(1, t / warmup)
 *     x <- (1 - c) x + c z,                  c = gamma^2 / (sum of gamma^2)
 *
 * Sites thus always hold a model that hardly moves, whose noise is averaged out; nobody need know when the run ends.
 */
import { type Vector, zerosLike } from "../aggregate/rows.js";
import { byVolume, type Strategy } from "./strategy.js";

export interface ScheduleFreeOptions {
  readonly rate?: number;
  /** How far the sites' model lies from the iterate towards the mean. */
  readonly beta?: number;
  readonly beta2?: number;
  readonly tau?: number;
  /** Rounds over which the rate rises. */
  readonly warmup?: number;
  readonly decay?: number;
  /** How much a site's volume of data counts in the mean: 1 as much as it is, 0 not at all. */
  readonly volume?: number;
}

export function scheduleFree(options: ScheduleFreeOptions = {}): Strategy {
  const { rate = 0.01, beta = 0.9, beta2 = 0.99, tau = 1e-8, warmup = 10, decay = 0, volume = 1 } = options;
  return {
    name: "schedulefree",
    source: "Defazio et al. 2024, The road less scheduled",
    scalars: ["round", "weight"],
    weights: byVolume(volume),
    step(hub, y, mean) {
      const t = (hub.get("round")?.[0] ?? 0) + 1;
      const gamma = rate * Math.min(1, t / warmup);
      const weight = (hub.get("weight")?.[0] ?? 0) + gamma ** 2;
      const c = gamma ** 2 / weight;
      const [oldZ, oldV] = [hub.get("z") ?? y, hub.get("v") ?? zerosLike(y)];
      const [z, v, next]: Vector[] = [zerosLike(y), zerosLike(y), zerosLike(y)];
      for (let i = 0; i < y.length; i++) {
        v[i] = beta2 * oldV[i] + (1 - beta2) * mean[i] * mean[i];
        z[i] = oldZ[i] + gamma * (mean[i] / (Math.sqrt(v[i] / (1 - beta2 ** t)) + tau) - decay * y[i]);
        const x = (y[i] - (1 - beta) * oldZ[i]) / beta;
        next[i] = (1 - beta) * z[i] + beta * ((1 - c) * x + c * z[i]);
      }
      hub.set("z", z).set("v", v).set("round", Float64Array.of(t)).set("weight", Float64Array.of(weight));
      return next;
    },
  };
}
