import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ensembleKernel, sortingNetwork } from "./kernel.js";

it("networks sort, for sizes that are no powers of two as well", () => {
  for (const n of [1, 2, 3, 5, 8, 13, 50])
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: n, maxLength: n }), (values) => {
        const x = [...values];
        for (const [a, b] of sortingNetwork(n)) if (x[b] < x[a]) [x[a], x[b]] = [x[b], x[a]];
        expect(x).toEqual([...values].sort((a, b) => a - b));
      }),
      { numRuns: 30 },
    );
});

describe("fields of an ensemble", () => {
  const plain = (x: number[], o: number) => {
    const M = x.length;
    const mean = x.reduce((a, b) => a + b, 0) / M;
    const pairs = x.flatMap((a) => x.map((b) => Math.abs(a - b))).reduce((a, b) => a + b, 0);
    return {
      mean,
      variance: M > 1 ? x.reduce((s, v) => s + (v - mean) ** 2, 0) / (M - 1) : 0,
      absolute: x.reduce((s, v) => s + Math.abs(v - o), 0) / M,
      pairs: M > 1 ? pairs / (M * (M - 1)) : 0,
      below: x.filter((v) => v < o).length,
    };
  };
  it("equal the definitions, whatever the size and the number of cells", () => {
    const number = fc.double({ min: -100, max: 100, noNaN: true });
    const problem = fc
      .record({ members: fc.integer({ min: 1, max: 20 }), cells: fc.integer({ min: 1, max: 7 }) })
      .chain(({ members, cells }) =>
        fc.record({
          x: fc.array(fc.array(number, { minLength: cells, maxLength: cells }), {
            minLength: members,
            maxLength: members,
          }),
          o: fc.array(number, { minLength: cells, maxLength: cells }),
        }),
      );
    fc.assert(
      fc.property(problem, ({ x, o }) => {
        const fields = ensembleKernel(x.length).run(x, o);
        o.forEach((truth, i) => {
          const wanted = plain(
            x.map((member) => member[i]),
            truth,
          );
          for (const key of ["mean", "variance", "absolute", "pairs", "below"] as const)
            expect(Math.abs(fields[key][i] - wanted[key])).toBeLessThan(1e-9);
        });
      }),
      { numRuns: 60 },
    );
  });
  it("spans several tiles, and marks cells with a missing member", () => {
    const x = [0, 1, 2].map((m) => Float32Array.from({ length: 1300 }, (_, i) => i + m));
    x[1][700] = NaN;
    const { mean, pairs } = ensembleKernel(3).run(x, new Float32Array(1300));
    expect([mean[0], mean[512], mean[1299], mean[700]]).toEqual([1, 513, 1300, NaN]);
    expect(pairs[1299]).toBeCloseTo(4 / 3, 12);
  });
});
