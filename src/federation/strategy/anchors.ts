/**
 * FedAMD (Wu et al. 2023, Anchor sampling for federated learning with partial client participation): each round a site is an anchor
 * with probability p and sends a large-batch gradient, or a miner and walks from the mean of all sites' last anchors with recursive
 * variance reduction. The hub keeps the mean direction; a site keeps its last anchor.
 *
 *   anchor:  v_i = grad f_i(x), sends v_i - (its last)          miner:  h_0 = v,  y <- y - eta h,  h <- h - grad(y_{k-1}) + grad(y_k)
 *   hub:     v <- v + (1/N) sum (v_i - last),  x <- x + rate mean over miners of (y - x)
 */
import { difference, sum, tabulate, type Vector, zerosLike } from "../aggregate/rows.js";
import { random } from "../../tensor/random.js";
import type { Strategy } from "./strategy.js";

/** Gradients of a site's loss. */
export interface GradientOracle {
  /** At w over a large batch. */
  large(w: Vector): Promise<Vector>;
  /** At w over the small batch of a step: the same batch for the same step. */
  small(w: Vector, step: number): Promise<Vector>;
}

/** A miner's walk from the direction the hub sent; returns y. */
export async function mine(
  oracle: Pick<GradientOracle, "small">,
  model: Vector,
  direction: Vector,
  { steps, rate }: { steps: number; rate: number },
): Promise<Vector> {
  let [previous, h] = [model, direction];
  let y = tabulate(model, (i) => model[i] - rate * direction[i]);
  for (let k = 1; k < steps; k++) {
    const before = await oracle.small(previous, k);
    h = sum(difference(h, before), await oracle.small(y, k));
    [previous, y] = [y, tabulate(y, (i) => y[i] - rate * h[i])];
  }
  return y;
}

/** FedAMD as a strategy; its sites' trainers must give gradients. `local` is the miners' rate. */
export function fedAmd({
  anchors = 0.2,
  rate = 1,
  local = 0.01,
}: { anchors?: number; rate?: number; local?: number } = {}): Strategy {
  return {
    name: "fedamd",
    source: "Wu et al. 2023, Anchor sampling for federated learning with partial client participation",
    shared: ["direction"],
    extras: ["anchor"],
    async walk({ site, model, shared, seed, steps, oracle }) {
      const direction = shared.get("direction");
      // Without a direction, at first, everyone is an anchor.
      if (!direction || random(seed).split("anchor").uniform() < anchors) {
        const anchor = await oracle.large(model);
        const last = site.get("anchor") ?? zerosLike(anchor);
        return {
          params: model,
          role: "anchor",
          steps: 1,
          learningRate: local,
          extras: new Map([["anchor", difference(anchor, last)]]),
          memory: new Map([["anchor", anchor]]),
        };
      }
      const params = await mine(oracle, model, direction, { steps, rate: local });
      return { params, role: "miner", steps, learningRate: local, extras: new Map(), memory: new Map() };
    },
    weights(facts) {
      const miners = facts.filter(({ role }) => role !== "anchor").length;
      return facts.map(({ role }) => (role === "anchor" ? 0 : 1 / miners));
    },
    step(hub, model, mean, { extras, count, members }) {
      const before = hub.get("direction") ?? zerosLike(model);
      const change = extras.get("anchor") ?? zerosLike(model);
      hub.set(
        "direction",
        tabulate(model, (i) => before[i] + (count / members) * change[i]),
      );
      return tabulate(model, (i) => model[i] + rate * mean[i]);
    },
  };
}
