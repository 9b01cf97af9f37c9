/**
 * Strategies of joint training. x: the shared model; D: the (weighted) mean of the sites' changes; K: local steps; eta: rates.
 * Where the published code of a method differs from its paper, the paper is followed.
 */
import { UsageError } from "../../errors.js";
import { difference, norm, scaled, tabulate, type Vector, zerosLike } from "../aggregate/rows.js";
import { fedAmd } from "./anchors.js";
import { annealed } from "./schedule.js";
import { scheduleFree } from "./schedule-free.js";
import { bySamples, byVolume, equally, type Memory, type Strategy } from "./strategy.js";

/** A vector of a memory, zeros at first. */
const recall = (memory: Memory | ReadonlyMap<string, Vector>, name: string, like: Vector): Vector =>
  memory.get(name) ?? zerosLike(like);

/** The mean of the sites' models, weighted by their data (McMahan et al. 2017). */
export function fedAvg({ rate = 1 }: { rate?: number } = {}): Strategy {
  return {
    name: "fedavg",
    source: "McMahan et al. 2017, Communication-efficient learning of deep networks from decentralized data",
    weights: bySamples,
    step: (_, model, mean) => tabulate(model, (i) => model[i] + rate * mean[i]),
  };
}

/** Sites are held near the shared model: loss + mu/2 |w - x|^2 (Li et al. 2020). */
export function fedProx({ mu = 0.01 }: { mu?: number } = {}): Strategy {
  return {
    ...fedAvg(),
    name: "fedprox",
    source: "Li et al. 2020, Federated optimization in heterogeneous networks",
    begin: (_, model) => ({ proximal: { weight: mu, anchor: model } }),
  };
}

/** Momentum at the hub: v <- beta v - D, x <- x - rate v (Hsu et al. 2019). */
export function fedAvgM({ rate = 1, momentum = 0.9 }: { rate?: number; momentum?: number } = {}): Strategy {
  return {
    ...fedAvg(),
    name: "fedavgm",
    source: "Hsu et al. 2019, Measuring the effects of non-identical data distribution",
    step(hub, model, mean) {
      const old = recall(hub, "momentum", model);
      const v = tabulate(model, (i) => momentum * old[i] - mean[i]);
      hub.set("momentum", v);
      return tabulate(model, (i) => model[i] - rate * v[i]);
    },
  };
}

export interface AdaptiveOptions {
  readonly rate?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly tau?: number;
  /** The part of the rate that is left at the end of the run, falling along a cosine; 1: it stays. */
  readonly floor?: number;
  /** x <- (1 - rate decay) x before each step (decoupled weight decay, Loshchilov and Hutter 2019). */
  readonly decay?: number;
  /** How much a site's volume of data counts in the mean: 1 as much as it is, 0 not at all. */
  readonly volume?: number;
  /**
   * 1: sites send their change in units of the hub's sqrt v, which comes with the model. Quantised and robust rules then see
   * every parameter at one scale, as the step does: without it the noise of few bits falls alike on parameters whose gradients
   * are a hundred times smaller, and Adam makes it large.
   */
  readonly units?: number;
}

/** Units are at least this part of their root mean square: a parameter without gradient must not drown the others when it wakes. */
const LEAST_UNIT = 0.01;

/** An adaptive optimiser at the hub, m <- beta1 m + (1 - beta1) D, x <- x + rate m / (sqrt v + tau) (Reddi et al. 2021). */
function adaptive(kind: "fedadam" | "fedyogi" | "fedadagrad", options: AdaptiveOptions = {}): Strategy {
  const {
    rate = 0.1,
    beta1 = kind === "fedadagrad" ? 0 : 0.9,
    beta2 = 0.99,
    tau = 1e-3,
    floor = 1,
    decay = 0,
    volume = 1,
    units = 0,
  } = options;
  return {
    ...fedAvg(),
    ...(units ? { shared: ["units"], units: (shared: ReadonlyMap<string, Vector>) => shared.get("units") } : {}),
    weights: byVolume(volume),
    name: kind,
    source: "Reddi et al. 2021, Adaptive federated optimization",
    scalars: ["round"],
    step(hub, model, given, { progress = 0 }) {
      const now = rate * annealed(progress, floor);
      const sent = hub.get("units");
      const mean = sent ? tabulate(given, (i) => given[i] * (sent[i] || 1)) : given;
      const oldM = recall(hub, "m", model);
      const oldV = recall(hub, "v", model);
      const round = (hub.get("round")?.[0] ?? 0) + 1;
      const m = tabulate(model, (i) => beta1 * oldM[i] + (1 - beta1) * mean[i]);
      const v = tabulate(model, (i) => {
        const square = mean[i] * mean[i];
        switch (kind) {
          case "fedadagrad":
            return oldV[i] + square;
          case "fedadam":
            return beta2 * oldV[i] + (1 - beta2) * square;
          case "fedyogi":
            return oldV[i] - (1 - beta2) * square * Math.sign(oldV[i] - square);
        }
      });
      // Adam's bias correction counts from the second round, as Flower's does, whose values are the reference.
      const corrected =
        kind === "fedadam" ? (now * Math.sqrt(1 - beta2 ** (round + 1))) / (1 - beta1 ** (round + 1)) : now;
      hub.set("m", m).set("v", v).set("round", Float64Array.of(round));
      if (units) {
        const least = (LEAST_UNIT * norm(v.map(Math.sqrt))) / Math.sqrt(v.length);
        hub.set(
          "units",
          tabulate(model, (i) => Math.max(Math.sqrt(v[i]), least)),
        );
      }
      return tabulate(model, (i) => (1 - now * decay) * model[i] + (corrected * m[i]) / (Math.sqrt(v[i]) + tau));
    },
  };
}
export const fedAdam = (options?: AdaptiveOptions): Strategy => adaptive("fedadam", options);
export const fedYogi = (options?: AdaptiveOptions): Strategy => adaptive("fedyogi", options);
export const fedAdagrad = (options?: AdaptiveOptions): Strategy => adaptive("fedadagrad", options);

/**
 * Sites that take more steps do not pull harder (Wang et al. 2020): each change is divided by its number of (momentum) steps a_i
 * and the mean is multiplied by the mean of the a_i.
 */
export function fedNova({ rate = 1 }: { rate?: number } = {}): Strategy {
  return {
    ...fedAvg({ rate }),
    name: "fednova",
    source: "Wang et al. 2020, Tackling the objective inconsistency problem",
    weights(facts) {
      const p = bySamples(facts);
      // a = (K - rho (1 - rho^K) / (1 - rho)) / (1 - rho); K for plain descent
      const a = facts.map(({ steps: K, momentum: rho = 0 }) => (K - (rho * (1 - rho ** K)) / (1 - rho)) / (1 - rho));
      const effective = p.reduce((s, share, i) => s + share * a[i], 0);
      return p.map((share, i) => (effective * share) / a[i]);
    },
  };
}

/**
 * Control variates take the drift of unlike sites out of their gradients (Karimireddy et al. 2020): local steps with
 * g + c - c_i; c_i+ = c_i - c + (x - y) / (K eta). Collapses where a site sees a single class.
 */
export function scaffold({ rate = 1 }: { rate?: number } = {}): Strategy {
  return {
    name: "scaffold",
    source: "Karimireddy et al. 2020, SCAFFOLD: stochastic controlled averaging",
    shared: ["control"],
    extras: ["control"],
    begin: (site, model, shared) => ({
      offset: difference(recall(shared, "control", model), recall(site, "control", model)),
    }),
    finish(site, model, { params, steps, learningRate }, shared) {
      const own = recall(site, "control", model);
      const common = recall(shared, "control", model);
      const next = tabulate(model, (i) => own[i] - common[i] + (model[i] - params[i]) / (steps * learningRate));
      return { extras: new Map([["control", difference(next, own)]]), memory: new Map([["control", next]]) };
    },
    weights: equally,
    step(hub, model, mean, { extras, count, members }) {
      const change = recall(extras, "control", model);
      const c = recall(hub, "control", model);
      hub.set(
        "control",
        tabulate(model, (i) => c[i] + (count / members) * change[i]),
      );
      return tabulate(model, (i) => model[i] + rate * mean[i]);
    },
  };
}

/**
 * Dynamic regularisation (Acar et al. 2021): local loss - <l_i, w> + alpha/2 |w - x|^2, l_i <- l_i - alpha (y_i - x);
 * hub: h <- h - alpha (S/N) D, x <- x + D - h / alpha.
 */
export function fedDyn({ alpha = 0.1 }: { alpha?: number } = {}): Strategy {
  return {
    name: "feddyn",
    source: "Acar et al. 2021, Federated learning based on dynamic regularization",
    begin: (site, model) => ({
      offset: scaled(recall(site, "dual", model), -1),
      proximal: { weight: alpha, anchor: model },
    }),
    finish(site, model, { params }) {
      const dual = recall(site, "dual", model);
      const next = tabulate(model, (i) => dual[i] - alpha * (params[i] - model[i]));
      return { extras: new Map(), memory: new Map([["dual", next]]) };
    },
    weights: equally,
    step(hub, model, mean, { count, members }) {
      const old = recall(hub, "dual", model);
      const h = tabulate(model, (i) => old[i] - alpha * (count / members) * mean[i]);
      hub.set("dual", h);
      return tabulate(model, (i) => model[i] + mean[i] - h[i] / alpha);
    },
  };
}

/**
 * Long local phases and Nesterov momentum at the hub (DiLoCo, Douillard et al. 2023): g = -D, m <- momentum m + g,
 * x <- x - rate (g + momentum m). Sites keep their optimiser's state.
 */
export function diloco({ rate = 0.7, momentum = 0.9 }: { rate?: number; momentum?: number } = {}): Strategy {
  return {
    name: "diloco",
    source: "Douillard et al. 2023, DiLoCo: distributed low-communication training",
    weights: equally,
    step(hub, model, mean) {
      const old = recall(hub, "momentum", model);
      const m = tabulate(model, (i) => momentum * old[i] - mean[i]);
      hub.set("momentum", m);
      return tabulate(model, (i) => model[i] - rate * (-mean[i] + momentum * m[i]));
    },
  };
}

/**
 * Communication hidden behind the next local phase (CO2, Sun et al. 2024): the hub steps with the mean of one round ago, held
 * back by the staleness gap (how much the mean has grown since) and clipped in each coordinate.
 */
export function overlapped({
  rate = 0.7,
  momentum = 0.9,
  clip = 1,
}: {
  rate?: number;
  momentum?: number;
  clip?: number;
} = {}): Strategy {
  return {
    name: "co2",
    source: "Sun et al. 2024, CO2: efficient distributed training with full communication-computation overlap",
    weights: equally,
    step(hub, model, mean) {
      const late = hub.get("late");
      hub.set("late", mean.slice());
      if (!late) return model.slice();
      const gap = Math.max(1, norm(mean) / Math.max(norm(late), 1e-300));
      const old = recall(hub, "momentum", model);
      const m = tabulate(model, (i) => momentum * old[i] - Math.max(-clip, Math.min(clip, late[i] / gap)));
      hub.set("momentum", m);
      return tabulate(model, (i) => model[i] - rate * m[i]);
    },
  };
}

/**
 * Sites with a high loss F count more (q-FedAvg, Li et al. 2020). With L = 1 / local rate:
 * x <- x + sum F_i^q L delta_i / sum (q F_i^(q-1) |L delta_i|^2 + L F_i^q).
 */
export function qFedAvg({ q = 1 }: { q?: number } = {}): Strategy {
  return {
    ...fedAvg(),
    name: "qfedavg",
    source: "Li et al. 2020, Fair resource allocation in federated learning",
    weights(facts) {
      const terms = facts.map(({ site, loss, learningRate, norm: length }) => {
        if (loss === undefined || !(loss > 0))
          throw new UsageError(
            `q-FedAvg needs a positive loss of site '${site}', not ${loss}; have its trainer report one`,
          );
        const L = 1 / learningRate;
        return { pull: loss ** q * L, curvature: q * loss ** (q - 1) * (L * length) ** 2 + L * loss ** q };
      });
      const total = terms.reduce((s, { curvature }) => s + curvature, 0);
      return terms.map(({ pull }) => pull / total);
    },
  };
}

const BY_NAME = {
  fedavg: fedAvg,
  fedprox: fedProx,
  fedavgm: fedAvgM,
  fedadam: fedAdam,
  fedyogi: fedYogi,
  fedadagrad: fedAdagrad,
  fednova: fedNova,
  scaffold,
  feddyn: fedDyn,
  diloco,
  co2: overlapped,
  qfedavg: qFedAvg,
  fedamd: fedAmd,
  schedulefree: scheduleFree,
} as const;
export type StrategyName = keyof typeof BY_NAME;
export const STRATEGY_NAMES = Object.keys(BY_NAME) as [StrategyName, ...StrategyName[]];

/** A strategy by its name in a run's configuration, with its options. */
export const strategyNamed = (name: StrategyName, options: Readonly<Record<string, number>> = {}): Strategy =>
  BY_NAME[name](options);
