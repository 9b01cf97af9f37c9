/**
 * What a hostile site may send, to test rules with. `honest` are the honest updates of the round, which the attacker is taken
 * to know. Formulas as in ByzFL (Gonzalez et al. 2025); every figure of a robust rule is to be shown with a sweep of strengths.
 */
import type { Random } from "../../tensor/random.js";
import { aggregate, type Rule } from "./aggregate.js";
import { addScaled, difference, mean, memoryRows, norm, scaled, tabulate, type Vector } from "./rows.js";

/** The mean, turned round (Allen-Zhu et al. 2020). */
export const signFlip = (honest: readonly Vector[]): Vector => scaled(mean(honest), -1);

/** Inner-product manipulation, "fall of empires": minus `strength` times the mean (Xie et al. 2020). */
export const innerProduct = (honest: readonly Vector[], strength = 2): Vector => scaled(mean(honest), -strength);

/** "A little is enough": the mean plus `strength` sample deviations in each coordinate (Baruch et al. 2019). */
export function aLittleIsEnough(honest: readonly Vector[], strength = 1.5): Vector {
  const centre = mean(honest);
  const variance = new Float64Array(centre.length);
  for (const update of honest) for (let i = 0; i < variance.length; i++) variance[i] += (update[i] - centre[i]) ** 2;
  return tabulate(centre, (i) => centre[i] + strength * Math.sqrt(variance[i] / (honest.length - 1)));
}

/** Another site's update, repeated (Karimireddy et al. 2022): what a free rider sends. */
export const mimic = (honest: readonly Vector[], victim = 0): Vector => honest[victim].slice();

/** Noise about 0. */
export const gaussian = (honest: readonly Vector[], deviation: number, rng: Random): Vector =>
  tabulate(honest[0], () => deviation * rng.normal());

export const nonFinite = (honest: readonly Vector[]): Vector => honest[0].slice().fill(NaN);

/**
 * The strength with which an attack does the most harm to a rule: |rule(honest, f attacks) - mean(honest)| is searched along
 * the strength, by doubling steps while it grows, then by shrinking ones (Shejwalkar & Houmansadr 2021; ByzFL).
 */
export async function worstStrength(
  honest: readonly Vector[],
  attack: (honest: readonly Vector[], strength: number) => Vector,
  rule: Rule,
  { f, evaluations = 20, step = 10, shrink = 0.8 }: { f: number; evaluations?: number; step?: number; shrink?: number },
): Promise<number> {
  const centre = mean(honest);
  const harm = async (strength: number): Promise<number> => {
    const hostile = attack(honest, strength);
    const result = await aggregate(memoryRows([...honest, ...Array<Vector>(f).fill(hostile)]), rule);
    return norm(difference(result, centre));
  };
  let best = 0;
  let most = await harm(0);
  let growing = true;
  for (let used = 1; used < evaluations; used++) {
    const tried = await harm(best + step);
    const better = tried > most;
    if (better) [best, most] = [best + step, tried];
    growing &&= better;
    step *= growing ? 2 : shrink;
  }
  return best;
}

/** Worker momentum: m <- beta m + (1 - beta) g, in place. Robust rules need it (Karimireddy et al. 2021). */
export function workerMomentum(memory: Vector, gradient: Vector, beta = 0.9): void {
  for (let i = 0; i < memory.length; i++) memory[i] *= beta;
  addScaled(memory, 1 - beta, gradient);
}
