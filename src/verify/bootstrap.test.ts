import { describe, expect, it } from "vitest";
import { random } from "../tensor/random.js";
import { blockLength, drawBlocks, interval, resampledSums } from "./bootstrap.js";

/** x(t) = phi x(t - 1) + noise. */
function autoregression(phi: number, n: number, seed: number): Float64Array {
  const rng = random(seed);
  const x = new Float64Array(n);
  for (let t = 1; t < n; t++) x[t] = phi * x[t - 1] + rng.normal();
  return x;
}

describe("block length", () => {
  it("is short for noise and grows with memory and with the record", () => {
    const mean = (phi: number, n: number) =>
      Array.from({ length: 20 }, (_, k) => blockLength(autoregression(phi, n, k))).reduce((a, b) => a + b) / 20;
    expect(mean(0, 400)).toBeLessThan(6);
    const [quick, slow] = [mean(0.5, 400), mean(0.9, 400)];
    expect(quick).toBeGreaterThan(mean(0, 400));
    expect(slow).toBeGreaterThan(2 * quick);
    // Theory for AR(1): G = 2 phi / (1 - phi)^2 (over the variance's factor), g(0) = 1 / (1 - phi)^2 give
    // b = ((2 (2 phi)^2) / (4/3 (1 - phi^2)^2))^(1/3) n^(1/3); phi = 0.5, n = 400: 10.2.
    expect(quick).toBeGreaterThan(7);
    expect(quick).toBeLessThan(15);
  });
  it("is 1 where there is nothing to tell from", () => {
    expect(blockLength([1, 2, 3])).toBe(1);
    expect(blockLength([5, 5, 5, 5, 5, 5])).toBe(1);
  });
});

describe("moving-block bootstrap", () => {
  it("covers the truth about as often as it says, where single draws fail", () => {
    const n = 300;
    const phi = 0.7;
    let covered = 0;
    let naive = 0;
    const trials = 120;
    for (let k = 0; k < trials; k++) {
      const rows = [...autoregression(phi, n, 100 + k)].map((x) => [x]);
      const covers = (length: number) => {
        const sums = resampledSums(rows, drawBlocks(n, length, { resamples: 200, seed: k }));
        const [low, high] = interval(sums.map(([s]) => s / n));
        return low <= 0 && high >= 0;
      };
      covered += Number(covers(blockLength(rows.map(([x]) => x))));
      naive += Number(covers(1));
    }
    expect(covered / trials).toBeGreaterThan(0.84);
    expect(naive / trials).toBeLessThan(0.75);
  });
  it("redraws whole runs and keeps the count", () => {
    const rows = Array.from({ length: 10 }, (_, t) => [1, t]);
    const draw = drawBlocks(10, 4, { resamples: 50, seed: 2 });
    const sums = resampledSums(rows, draw);
    expect([...sums.map(([count]) => count)]).toEqual(Array.from({ length: 50 }, () => 10));
    expect([...sums.map(([, total]) => total)]).toEqual(
      draw.starts.map(([a, b, c]) => 4 * a + 6 + (4 * b + 6) + (2 * c + 1)), // 4 + 4 + 2
    );
    // Columns that were not asked for are 0.
    expect([...sums.map(([count, total]) => count + total, [0])]).toEqual([...sums.map(([count]) => count)]);
  });
  it("takes percentiles between order statistics", () => {
    expect(interval([0, 1, 2, 3, 4, NaN], 0.5)).toEqual([1, 3]);
    const rng = random(3);
    for (const n of [1, 2, 7, 40, 333]) {
      const values = Array.from({ length: n }, () => Math.round(20 * rng.normal()));
      const sorted = Float64Array.from(values).sort();
      const at = (p: number) => {
        const i = Math.floor(p * (n - 1));
        return sorted[i] + (p * (n - 1) - i) * ((sorted[i + 1] ?? sorted[i]) - sorted[i]);
      };
      for (const c of [0.5, 0.9, 0.95]) {
        const [low, high] = interval(values, c);
        expect(low).toBeCloseTo(at((1 - c) / 2), 12);
        expect(high).toBeCloseTo(at((1 + c) / 2), 12);
      }
    }
  });
});
