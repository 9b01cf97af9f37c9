import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { random } from "../../tensor/random.js";
import { aggregate, gramMatrix, robustRule, type Rule, type RuleOptions } from "./aggregate.js";
import { aLittleIsEnough, innerProduct, worstStrength } from "./attacks.js";
import { closestToMedian } from "./columns.js";
import { identity, type Mix, row } from "./geometry.js";
import * as mixes from "./mixes.js";
import { memoryRows, type Vector } from "./rows.js";
import { comparators, sortColumns } from "./sorting-network.js";

interface Goldens {
  robust: Record<string, number[]> & { X: number[][]; nnm: number[][]; arc: number[][]; f: number };
  flag: { Y0: number[][]; r: number; out: number[]; lambda1: number[] };
}
/** Reference values of an independent numpy implementation, itself checked against ByzFL's documentation. */
const goldens = JSON.parse(readFileSync(new URL("../fixtures/goldens.json", import.meta.url), "utf8")) as Goldens;
const X = goldens.robust.X.map((v) => Float64Array.from(v));
const ONE_TO_NINE = [
  [1, 2, 3],
  [4, 5, 6],
  [7, 8, 9],
].map((v) => Float64Array.from(v));

const byMix = (mix: Mix): Rule => ({ name: "test", mix });
const expectNear = (a: ArrayLike<number>, b: readonly number[], digits = 12): void =>
  Array.from(a).forEach((v, i) => expect(v).toBeCloseTo(b[i], digits));
/** The updates a mix makes, one a row. */
async function made(rows: readonly Vector[], mix: Mix): Promise<number[][]> {
  const gram = await gramMatrix(memoryRows(rows));
  const weights = mix({ n: rows.length, references: 0, gram });
  return Array.from({ length: weights.rows }, (_, i) =>
    Array.from(rows[0], (_, k) => row(weights, i).reduce((s, w, j) => s + w * rows[j][k], 0)),
  );
}

describe("robust rules give the reference values", () => {
  const options: RuleOptions = { f: 3 };
  const table: [string, Rule, number[]][] = [
    ["median", robustRule("median", options), goldens.robust.median],
    ["trimmed-mean", robustRule("trimmed-mean", options), goldens.robust.trmean],
    ["geometric-median", robustRule("geometric-median", options), goldens.robust["gm_nu0.1_T3"]],
    ["krum", robustRule("krum", options), goldens.robust.krum_byzfl],
    ["krum (Flower)", byMix(mixes.multiKrum(3, { m: 1, convention: "flower" })), goldens.robust.krum_flower],
    ["multi-krum", robustRule("multi-krum", options), goldens.robust.multikrum_byzfl],
    [
      "multi-krum (Flower)",
      byMix(mixes.multiKrum(3, { m: 4, convention: "flower" })),
      goldens.robust.multikrum_flower_m4,
    ],
    ["monna", robustRule("monna", options), goldens.robust.monna_idx0],
    ["meamed", robustRule("meamed", options), goldens.robust.meamed],
    ["minimum-diameter", robustRule("minimum-diameter", options), goldens.robust.mda],
    ["bulyan", robustRule("bulyan", { f: 2 }), goldens.robust.bulyan_f2],
    ["centred-clipping", robustRule("centred-clipping", { f: 3, radius: 2, steps: 3 }), goldens.robust.cc_tau2_L3],
  ];
  it.each(table)("%s", async (_, rule, expected) => {
    expectNear(await aggregate(memoryRows(X), rule, { blockSize: 4 }), expected);
  });

  it("nearest-neighbour mixing and adaptive clipping", async () => {
    (await made(X, mixes.nearestNeighbourMixing(3))).forEach((v, i) => expectNear(v, goldens.robust.nnm[i]));
    (await made(X, mixes.adaptiveClipping(3))).forEach((v, i) => expectNear(v, goldens.robust.arc[i]));
  });

  it("flag, from a given start", async () => {
    const start = goldens.flag.Y0[0].map((_, k) => Float64Array.from(goldens.flag.Y0, (r) => r[k]));
    const references = memoryRows(start);
    const { r, out, lambda1 } = goldens.flag;
    expectNear(await aggregate(memoryRows(X), byMix(mixes.flag({ rank: r })), { references }), out, 9);
    expectNear(await aggregate(memoryRows(X), byMix(mixes.flag({ rank: r, pairs: 1 })), { references }), lambda1, 9);
  });

  it("ByzFL's documented numbers", async () => {
    const rows = memoryRows(ONE_TO_NINE);
    expectNear(
      await aggregate(rows, robustRule("geometric-median", { f: 1 })),
      [3.78788764, 4.78788764, 5.78788764],
      7,
    );
    expectNear((await made(ONE_TO_NINE, mixes.clipping(2)))[2], [1.00514142, 1.14873305, 1.29232469], 7);
    expectNear(aLittleIsEnough(ONE_TO_NINE), [8.5, 9.5, 10.5]);
    expectNear(aLittleIsEnough(X.slice(0, 9)), goldens.robust.alie_on_first9);
    const defence: Rule = {
      name: "nnm, clip, trimmed mean",
      mix: (points) => mixesInTurn(points),
      columns: robustRule("trimmed-mean", { f: 1 }).columns,
    };
    const f1 = { f: 1 };
    const ipm = innerProduct(ONE_TO_NINE, await worstStrength(ONE_TO_NINE, innerProduct, defence, f1));
    expectNear(ipm, [-2.74877907, -3.43597384, -4.1231686], 7);
    const alie = aLittleIsEnough(ONE_TO_NINE, await worstStrength(ONE_TO_NINE, aLittleIsEnough, defence, f1));
    expectNear(alie, [12.91985116, 13.91985116, 14.91985116], 7);
  });
});

const mixesInTurn = robustRule("nnm+clip+mean", { f: 1 }).mix!;

describe("blocks", () => {
  it.each(["mean", "median", "nnm+trimmed-mean", "clip+geometric-median", "arc+nnm+multi-krum"])(
    "%s does not depend on the block size",
    async (name) => {
      const rng = random(4);
      const updates = Array.from({ length: 9 }, () => Float64Array.from({ length: 57 }, () => rng.normal()));
      const rule = robustRule(name, { f: 2 });
      const whole = await aggregate(memoryRows(updates), rule);
      expectNear(await aggregate(memoryRows(updates), rule, { blockSize: 10 }), [...whole], 12);
    },
  );

  it("a mean of weights that fits only if there is one each", async () => {
    await expect(aggregate(memoryRows(X), { name: "weighted", weights: [1] })).rejects.toThrow(/1 weights.*12 updates/);
    await expect(aggregate(memoryRows(X), robustRule("bulyan", { f: 3 }))).rejects.toThrow(/15 updates.*there are 12/);
    expect(() => robustRule("trimed-mean", { f: 1 })).toThrow(/did you mean 'trimmed-mean'/);
  });

  it("FLTrust ignores what points away from the trusted direction", async () => {
    const updates = [Float64Array.of(2, 0), Float64Array.of(-5, 0), Float64Array.of(0, 3)];
    const references = memoryRows([Float64Array.of(1, 0)]);
    expectNear(await aggregate(memoryRows(updates), robustRule("fltrust", { f: 1 }), { references }), [1, 0]);
  });

  it("principal directions keep a lone update as it is", async () => {
    const one = memoryRows([Float64Array.of(3, -4)]);
    expectNear(await aggregate(one, byMix(mixes.principalDirections())), [3, -4]);
    const twice = memoryRows([Float64Array.of(3, -4), Float64Array.of(3, -4)]);
    expectNear(await aggregate(twice, byMix(mixes.principalDirections())), [3, -4]);
  });
});

describe("sorting network", () => {
  it("sorts every 0-1 column, which proves that it sorts (Knuth 5.3.4, theorem Z)", () => {
    for (let n = 1; n <= 10; n++) {
      const network = comparators(n);
      for (let bits = 0; bits < 2 ** n; bits++) {
        const v = Array.from({ length: n }, (_, i) => (bits >> i) & 1);
        for (const [a, b] of network) if (v[b] < v[a]) [v[a], v[b]] = [v[b], v[a]];
        for (let i = 1; i < n; i++) expect(v[i - 1] <= v[i]).toBe(true);
      }
    }
  });

  it("agrees with sorting each column, in both precisions and for the wanted ranks alone", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 300 }), fc.nat(), (n, width, seed) => {
        const rng = random(seed);
        const rows = Array.from({ length: n }, () => Float32Array.from({ length: width }, () => rng.normal()));
        const columns = Array.from({ length: width }, (_, i) => Float32Array.from(rows, (r) => r[i]).sort());
        const [from, to] = [Math.floor(n / 3), Math.floor(n / 3) + Math.ceil(n / 3)];
        const doubles = rows.map((r) => Float64Array.from(r));
        sortColumns(rows, from, to);
        sortColumns(doubles, from, to);
        for (let j = from; j < to; j++)
          for (let i = 0; i < width; i++)
            if (rows[j][i] !== columns[i][j] || doubles[j][i] !== columns[i][j]) return false;
        return true;
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it("keeps the values nearest to the median", () => {
    const blocks = [1, 8, 4, 5, 100].map((v) => Float32Array.of(v));
    const out = new Float32Array(1);
    closestToMedian(3)(blocks, out);
    expect(out[0]).toBeCloseTo((4 + 5 + 8) / 3, 6);
  });
});

it("an identity mix leaves the updates", async () => {
  expect(await made(ONE_TO_NINE, identity)).toEqual(ONE_TO_NINE.map((v) => [...v]));
});
