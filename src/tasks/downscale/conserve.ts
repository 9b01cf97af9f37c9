/**
 * Conservation: the mean of the fine field over every coarse cell is made the coarse field's (Harder et al. 2023, JMLR 24). With W
 * the means over coarse cells and M the coarse value each fine cell lies in (its shares, where it lies in several),
 *
 *     y <- y + M (c - W y)         for fields of any sign,
 *     y <- y * M (c / W y)         for amounts, which stay amounts; evenly spread where there was none,
 *
 * which is exact after one step where fine cells nest in coarse ones, and repeated until it is where they overlap.
 */
import { applyWeights, rectilinear, type RectilinearGrid, regridWeights } from "../../earth/regrid/index.js";
import { UsageError } from "../../errors.js";
import type { Fitted } from "./fitted.js";
import type { FieldGrid } from "./fields.js";
import type { FineFields } from "./predict.js";

const MOST_STEPS = 100;

/** Fine fields [cell] with the coarse field's [cell] means. */
export type Conserve = (fine: Float32Array, coarse: Float32Array, amounts: boolean) => Float32Array;

export function conservation(coarse: RectilinearGrid, fine: FieldGrid): Conserve {
  if (!fine.axes)
    throw new UsageError(
      "downscale.conserve needs fine cells between parallels and meridians; set it to false on a projected grid",
    );
  const cells = rectilinear(fine.latitudes, fine.longitudes);
  const [means, spread] = [regridWeights(cells, coarse, "conservative"), regridWeights(coarse, cells, "conservative")];
  return (field, wanted, amounts) => {
    let y = Float64Array.from(field);
    const size = wanted.reduce((most, c) => (c === c ? Math.max(most, Math.abs(c)) : most), 1e-12);
    for (let step = 0; step < MOST_STEPS; step++) {
      const have = applyWeights(means, y);
      const off = have.map((m, k) => wanted[k] - m);
      if (off.every((d) => !(Math.abs(d) > 1e-9 * size))) break;
      // Where means are not known (no fine cell, no coarse value) nothing changes
      const known = off.map((d) => (d === d ? d : 0));
      if (!amounts) {
        const shift = applyWeights(spread, known);
        y = y.map((x, i) => (shift[i] === shift[i] ? x + shift[i] : x));
        continue;
      }
      const isDry = have.map((m, k) => Number(known[k] !== 0 && m < 1e-9 * size));
      const factor = applyWeights(
        spread,
        have.map((m, k) => (isDry[k] || known[k] === 0 ? 1 : Math.max(0, wanted[k]) / m)),
      );
      const added = applyWeights(
        spread,
        known.map((d, k) => (isDry[k] ? Math.max(0, d) : 0)),
      );
      y = y.map((x, i) => (factor[i] === factor[i] ? x * factor[i] + added[i] : x));
    }
    return Float32Array.from(y);
  };
}

/** All of a time's fields: the mean as above, the quantiles moved (of amounts: stretched) as the mean was. */
export function conserved(
  conserve: Conserve,
  { targets, predictors, positive, base }: Fitted,
  fields: FineFields,
  coarse: Float32Array,
): FineFields {
  const cells = fields.mean.length / targets.length;
  const coarseCells = coarse.length / predictors.length;
  const [mean, quantiles] = [fields.mean.slice(), fields.quantiles.map((q) => q.slice())];
  for (let v = 0; v < targets.length; v++) {
    const part = (values: Float32Array) => values.subarray(v * cells, (v + 1) * cells);
    const before = part(fields.mean);
    const after = conserve(before, coarse.subarray(base[v] * coarseCells, (base[v] + 1) * coarseCells), positive[v]);
    part(mean).set(after);
    for (const quantile of quantiles) {
      const values = part(quantile);
      after.forEach((m, i) => {
        if (!positive[v]) values[i] += m - before[i];
        else values[i] = before[i] > 0 ? (values[i] * m) / before[i] : m;
      });
    }
  }
  return { ...fields, mean, quantiles };
}
