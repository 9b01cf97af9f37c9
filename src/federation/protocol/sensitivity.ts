/**
 * Each site starts from a mixture of its own (FedCAC, Wu et al. 2023): the parameters its training is most sensitive to come from
 * the mean of the sites that are sensitive to the same ones, the others from the shared model. The hub needs to see single updates.
 */
import { type Rows, zeroVector } from "../aggregate/rows.js";
import { companions, criticalMask } from "../strategy/cluster.js";
import type { Covered } from "./coverage.js";
import { type Layout, layoutSegments } from "./parameters.js";

/** The updates as they stand to the shared model: a site that began elsewhere changed it by its update and by that difference. */
export function shifted(rows: Rows, starts: readonly (Float32Array | undefined)[], model: Float32Array): Rows {
  return {
    ...rows,
    async read(i, from, into) {
      await rows.read(i, from, into);
      const start = starts[i];
      // Extras of a strategy lie behind the parameters and are not shifted.
      if (start)
        for (let k = 0; k < into.length && from + k < model.length; k++) into[k] += start[from + k] - model[from + k];
    },
  };
}

/** The model each site of the round starts the next one from. `held` says which arrays it trains. */
export async function mixtures(
  rows: Rows,
  held: readonly Covered[],
  options: {
    readonly layout: Layout;
    /** The shared model before and after the step; `rows` are changes of the former. */
    readonly before: Float32Array;
    readonly after: Float32Array;
    readonly starts: readonly (Float32Array | undefined)[];
    readonly round: number;
    readonly share: number;
    readonly beta: number;
  },
): Promise<Float32Array[]> {
  const { layout, before, after, starts, round, share, beta } = options;
  const layers = layoutSegments(layout);
  const trained = async (i: number): Promise<Float32Array> => {
    const change = zeroVector(before.length, "float32") as Float32Array;
    await rows.read(i, 0, change);
    return change.map((v, k) => before[k] + v);
  };
  const masks: Uint8Array[] = [];
  for (let i = 0; i < rows.count; i++) masks.push(criticalMask(starts[i] ?? before, await trained(i), layers, share));
  const out: Float32Array[] = [];
  for (let i = 0; i < rows.count; i++) {
    const near = companions(masks, i, round, beta);
    const [total, count] = [new Float64Array(before.length), new Uint32Array(before.length)];
    for (const j of near) {
      const model = await trained(j);
      layers.forEach(([from, to], array) => {
        if (!held[j][array]) return;
        for (let k = from; k < to; k++) {
          total[k] += model[k];
          count[k]++;
        }
      });
    }
    out.push(after.map((v, k) => (masks[i][k] && count[k] > 0 ? total[k] / count[k] : v)));
  }
  return out;
}
