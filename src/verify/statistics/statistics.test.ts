import { describe, expect, it } from "vitest";
import { modelFlips } from "./flips.js";
import { dieboldMariano, falseDiscoveryRates, studentTail, wilcoxon } from "./tests.js";

// sin 0.7k + 0.3 cos 2.1k² + 0.15, k = 0..59
const differences = Array.from({ length: 60 }, (_, k) => Math.sin(0.7 * k) + 0.3 * Math.cos(2.1 * k * k) + 0.15);

describe("tests of differences", () => {
  it("Student's tail as scipy 1.10 gives it", () => {
    expect(studentTail(0.5, 3)).toBeCloseTo(0.651447964848151, 12);
    expect(studentTail(2, 10)).toBeCloseTo(0.07338803477074039, 12);
    expect(studentTail(4.5, 200) / 1.1518781262875312e-5).toBeCloseTo(1, 9);
  });
  it("Diebold-Mariano with Newey-West variance, against numpy and scipy", () => {
    const { statistic, p } = dieboldMariano(differences, { lags: 3 });
    expect(statistic).toBeCloseTo(1.1718351429877438, 9);
    expect(p).toBeCloseTo(0.245973649568037, 9);
  });
  it("Wilcoxon with ties, against scipy", () => {
    const { statistic, p } = wilcoxon(differences.map((d) => Math.round(10 * d - 1e-9)));
    expect(statistic).toBe(643.5);
    expect(p).toBeCloseTo(0.10122491041328621, 9);
  });
  it("false-discovery rates of Benjamini and Hochberg's own example's first and a hand case", () => {
    // Sorted p(i) n / i: 0.01·4, 0.02·2, 0.03·4/3, 0.5: made monotone from the end.
    expect([...falseDiscoveryRates([0.5, 0.01, 0.03, 0.02])].map((x) => +x.toFixed(12))).toEqual([
      0.5, 0.04, 0.04, 0.04,
    ]);
  });
});

it("finds where a new model became wrong", () => {
  const flips = modelFlips(
    [
      [0, 2],
      [0, 2],
    ],
    [
      [3, 0],
      [0, 2],
    ],
    [1, 1],
    { tolerance: 1 },
  );
  expect(flips).toEqual({ negative: 0.25, positive: 0.25, negativeByCell: Float64Array.of(0.5, 0), worseCells: 0.5 });
});
