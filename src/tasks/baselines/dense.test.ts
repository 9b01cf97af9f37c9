import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { combine, dot, dots } from "./dense.js";

const rng = random(4);
const vectors = (count: number, size: number) =>
  Array.from({ length: count }, () => Float32Array.from({ length: size }, () => rng.normal()));

describe("dense products are the definitions', whatever the counts and sizes", () => {
  for (const [m, n, size] of [
    [1, 1, 1],
    [3, 5, 511],
    [4, 2, 512],
    [6, 7, 1301],
    [9, 1, 4100],
  ])
    it(`${m} and ${n} of ${size}`, () => {
      const [a, b] = [vectors(m, size), vectors(n, size)];
      const found = dots(a, b);
      a.forEach((x, i) =>
        b.forEach((y, j) => {
          const exact = x.reduce((sum, v, t) => sum + v * y[t], 0);
          expect(dot(x, y)).toBeCloseTo(exact, 9);
          // Single precision: 6e-8 a product, of products whose squares add up to |x|² |y|² / size.
          expect(Math.abs(found[i * n + j] - exact)).toBeLessThan(1e-6 * Math.sqrt(size) + 1e-6);
        }),
      );
      const factors = Float64Array.from({ length: m * n }, () => rng.normal());
      const out = a.map((x) => x.slice());
      combine(out, b, factors);
      const errors = out.flatMap((row, i) =>
        Array.from(row, (v, t) => Math.abs(v - b.reduce((sum, y, j) => sum + factors[i * n + j] * y[t], a[i][t]))),
      );
      expect(Math.max(...errors)).toBeLessThan(2e-6 * (n + 1));
    });
  it("nothing from nothing", () => {
    expect(dots([], vectors(2, 3))).toEqual(new Float64Array(0));
    const out = vectors(2, 3);
    const before = out.map((x) => x.slice());
    combine(out, [], []);
    expect(out).toEqual(before);
  });
});
