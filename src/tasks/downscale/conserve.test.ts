import { describe, expect, it } from "vitest";
import { applyWeights, rectilinear, regridWeights } from "../../earth/regrid/index.js";
import { random } from "../../tensor/random.js";
import { conservation, conserved } from "./conserve.js";
import type { FieldGrid } from "./fields.js";
import type { Fitted } from "./fitted.js";
import { refined } from "./places.js";

const coarse = rectilinear([53.5, 52.5, 51.5], [-2.5, -1.5, -0.5, 0.5]);
const rng = random(2);
const normal = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
/** Means over coarse cells, by the areas that cells share. */
const means = (fine: FieldGrid, field: Float32Array) =>
  applyWeights(regridWeights(rectilinear(fine.latitudes, fine.longitudes), coarse, "conservative"), field);
const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])));

// Cells that nest, by equal and unequal factors, and cells of which every fifth lies across two coarse ones
const nested = [refined(coarse, 4, 4), refined(coarse, 2, 5)];
const across: FieldGrid = {
  rows: 13,
  columns: 17,
  latitudes: Float64Array.from({ length: 13 }, (_, i) => 54 - 0.25 * i),
  longitudes: Float64Array.from({ length: 17 }, (_, j) => -3 + 0.25 * j),
  axes: true,
};

describe("conservation", () => {
  it.each([...nested, across].map((fine) => [`${fine.rows} x ${fine.columns}`, fine] as const))(
    "gives %s cells the coarse means, shifted or, of amounts, scaled",
    (_, fine) => {
      const cells = fine.rows * fine.columns;
      const conserve = conservation(coarse, fine);
      const temperature = normal(12).map((x) => 280 + 3 * x);
      const warm = normal(cells).map((x) => 282 + x);
      // float32 holds 280 to 3e-5
      expect(largest(means(fine, conserve(warm, temperature, false)), temperature)).toBeLessThan(1e-4);
      const rain = normal(12).map((x) => Math.max(0, x));
      const showers = normal(cells).map((x) => Math.max(0, x - 0.5));
      const kept = conserve(showers, rain, true);
      expect(largest(means(fine, kept), rain)).toBeLessThan(1e-6);
      expect(Math.min(...kept)).toBeGreaterThanOrEqual(0);
    },
  );
  it("changes nested cells by one number a coarse cell, and none that fit already", () => {
    const [fine] = nested;
    const field = normal(fine.rows * fine.columns);
    const own = means(fine, field);
    expect(largest(conservation(coarse, fine)(field, own, false), field)).toBeLessThan(1e-6);
    const moved = conservation(coarse, fine)(
      field,
      own.map((x) => x + 1),
      false,
    );
    moved.forEach((x, i) => expect(x - field[i]).toBeCloseTo(1, 5));
  });
  it("spreads rain evenly where the model has none, and leaves cells alone that lack a value", () => {
    const [fine] = nested;
    const conserve = conservation(coarse, fine);
    const one = new Float32Array(12).fill(2);
    conserve(new Float32Array(192), one, true).forEach((x) => expect(x).toBeCloseTo(2, 6));
    const sea = new Float32Array(192).fill(1);
    sea[0] = NaN;
    const kept = conserve(sea, one, true);
    expect(kept[0]).toBeNaN();
    expect(kept[1]).toBeCloseTo(2, 6);
  });
  it("moves quantiles with the mean, in their order", () => {
    const [fine] = nested;
    const cells = 192;
    const fitted = { targets: ["tp"], predictors: ["msl", "tp"], positive: [true], base: [1] } as unknown as Fitted;
    const mean = normal(cells).map((x) => Math.abs(x));
    const fields = { mean, quantiles: [0.5, 1, 2].map((k) => mean.map((x) => k * x)) };
    const given = Float32Array.from([...new Array<number>(12).fill(101_325), ...normal(12).map((x) => x * x)]);
    const made = conserved(conservation(coarse, fine), fitted, fields, given);
    expect(largest(means(fine, made.mean), given.subarray(12))).toBeLessThan(1e-5);
    [0.5, 1, 2].forEach((k, q) => made.quantiles[q].forEach((x, i) => expect(x).toBeCloseTo(k * made.mean[i], 4)));
  });
});
