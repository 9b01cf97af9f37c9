/**
 * Sites with quadratic losses 1/2 w'Q_i w - b_i'w, so unlike that methods with client drift visibly miss the joint optimum:
 * the yardstick for convergence (no data, exact answers). For tests.
 */
import { random } from "../../tensor/random.js";
import { mean, norm, difference, tabulate, type Vector, weightedSum } from "../aggregate/rows.js";
import type { Memory, Strategy } from "../strategy/strategy.js";
import { Matrix as MlMatrix, solve } from "ml-matrix";

export interface Quadratics {
  readonly sites: number;
  readonly size: number;
  readonly gradient: (site: number, w: Vector) => Float64Array;
  readonly optimum: Float64Array;
}

/** Q_i = B B'/d + 0.1 I with normal B (d x d), b_i normal of deviation 5. */
export function quadratics(
  seed: number,
  { sites = 10, size = 40 }: { sites?: number; size?: number } = {},
): Quadratics {
  const rng = random(seed);
  const Q: Float64Array[] = [];
  const b: Float64Array[] = [];
  for (let i = 0; i < sites; i++) {
    const B = Float64Array.from({ length: size * size }, () => rng.normal());
    const q = new Float64Array(size * size);
    for (let r = 0; r < size; r++)
      for (let c = 0; c < size; c++) {
        let total = 0;
        for (let k = 0; k < size; k++) total += B[r * size + k] * B[c * size + k];
        q[r * size + c] = total / size + (r === c ? 0.1 : 0);
      }
    Q.push(q);
    b.push(Float64Array.from({ length: size }, () => 5 * rng.normal()));
  }
  const meanQ = MlMatrix.from1DArray(size, size, mean(Q));
  const optimum = Float64Array.from(solve(meanQ, MlMatrix.columnVector(mean(b) as Float64Array)).getColumn(0));
  return {
    sites,
    size,
    optimum,
    gradient(site, w) {
      const q = Q[site];
      const out = new Float64Array(size);
      for (let r = 0; r < size; r++) {
        let total = -b[site][r];
        for (let c = 0; c < size; c++) total += q[r * size + c] * w[c];
        out[r] = total;
      }
      return out;
    },
  };
}

/** Plain local descent under a strategy's rule. */
export function descend(
  gradient: (w: Vector) => Vector,
  model: Vector,
  rule: ReturnType<NonNullable<Strategy["begin"]>>,
  { steps, rate }: { steps: number; rate: number },
): Vector {
  let y = model;
  const { offset, proximal } = rule;
  for (let k = 0; k < steps; k++) {
    const g = gradient(y);
    const at = y;
    y = tabulate(at, (i) => {
      const pull = proximal ? proximal.weight * (at[i] - proximal.anchor[i]) : 0;
      return at[i] - rate * (g[i] + (offset?.[i] ?? 0) + pull);
    });
  }
  return y;
}

/** Relative distance to the joint optimum after `rounds` rounds of `perRound` random sites. */
export async function runQuadratic(
  problem: Quadratics,
  strategy: Strategy,
  { rounds, perRound, steps, rate }: { rounds: number; perRound: number; steps: number; rate: number },
): Promise<number> {
  const rng = random(3);
  const hub: Memory = new Map();
  const memories: Memory[] = Array.from({ length: problem.sites }, () => new Map<string, Vector>());
  let x: Vector = new Float64Array(problem.size);
  for (let round = 0; round < rounds; round++) {
    const chosen = [...rng.permutation(problem.sites).subarray(0, perRound)];
    const sent = chosen.map((site) => {
      const rule = strategy.begin?.(memories[site], x, hub) ?? {};
      const params = descend((w) => problem.gradient(site, w), x, rule, { steps, rate });
      const done = strategy.finish?.(memories[site], x, { params, steps, learningRate: rate, samples: 1 }, hub);
      if (done) memories[site] = done.memory;
      return { delta: difference(params, x), extras: done?.extras };
    });
    const weights = strategy.weights(
      chosen.map((i) => ({ site: `${i}`, samples: 1, steps, learningRate: rate, norm: 1, staleness: 0 })),
    );
    const extras = new Map((strategy.extras ?? []).map((name) => [name, mean(sent.map((s) => s.extras!.get(name)!))]));
    const change = weightedSum(
      sent.map((s) => s.delta),
      weights,
    );
    x = strategy.step(hub, x, change, { extras, count: perRound, members: problem.sites });
  }
  return norm(difference(x, problem.optimum)) / norm(problem.optimum);
}
