import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { gramMatrix } from "../aggregate/aggregate.js";
import { addScaled, difference, mean, memoryRows, norm, type Vector, weightedSum } from "../aggregate/rows.js";
import { mine } from "./anchors.js";
import { clusterByDirection, companions, criticalMask, maskOverlap, personalised } from "./cluster.js";
import { compass, fedFixWeight, invite, modestOrder, staleness } from "./schedule.js";
import { scheduleFree } from "./schedule-free.js";
import * as strategies from "./strategies.js";
import type { Memory, Strategy, UpdateFacts } from "./strategy.js";
import { quadratics, runQuadratic } from "../testing/quadratic.js";

interface Goldens {
  fedopt: Record<"x0" | "adam" | "yogi" | "adagrad", number[]> & { deltas: number[][] } & Record<
      "adam" | "yogi" | "adagrad",
      number[][]
    >;
}
const { fedopt } = JSON.parse(readFileSync(new URL("../fixtures/goldens.json", import.meta.url), "utf8")) as Goldens;

/** The models after each round of mean changes. */
function rounds(strategy: Strategy, x0: readonly number[], changes: readonly (readonly number[])[]): number[][] {
  const hub: Memory = new Map();
  let x: Vector = Float64Array.from(x0);
  return changes.map((change) => {
    x = strategy.step(hub, x, Float64Array.from(change), { extras: new Map(), count: 1, members: 1 });
    return [...x];
  });
}
const facts = (of: Partial<UpdateFacts>): UpdateFacts => ({
  site: "a",
  samples: 1,
  steps: 1,
  staleness: 0,
  learningRate: 0.1,
  norm: 1,
  ...of,
});

describe("hub optimisers", () => {
  it.each([
    ["adam", strategies.fedAdam()],
    ["yogi", strategies.fedYogi()],
    ["adagrad", strategies.fedAdagrad()],
  ] as const)("Fed%s gives the reference's three rounds", (kind, strategy) => {
    rounds(strategy, fedopt.x0, fedopt.deltas).forEach((x, t) =>
      x.forEach((v, i) => expect(v).toBeCloseTo(fedopt[kind][t][i], 12)),
    );
  });

  it("schedule-free keeps its model near the mean of its iterates, as in the paper's three sequences", () => {
    const options = { rate: 0.2, beta: 0.9, beta2: 0.95, tau: 1e-8, warmup: 3, decay: 0.1 };
    const changes = Array.from({ length: 8 }, (_, t) => [Math.sin(t + 1), 2 * Math.cos(3 * t)]);
    const found = rounds(scheduleFree(options), [1, -2], changes);
    // z, x and y held apart, one number after the other
    [0, 1].forEach((i) => {
      let [x, z, v, sum] = [[1, -2][i], [1, -2][i], 0, 0];
      changes.forEach((change, k) => {
        const y = 0.1 * z + 0.9 * x;
        const gamma = 0.2 * Math.min(1, (k + 1) / 3);
        v = 0.95 * v + 0.05 * change[i] ** 2;
        z += gamma * (change[i] / (Math.sqrt(v / (1 - 0.95 ** (k + 1))) + 1e-8) - 0.1 * y);
        sum += gamma ** 2;
        x += (gamma ** 2 / sum) * (z - x);
        expect(found[k][i]).toBeCloseTo(0.1 * z + 0.9 * x, 10);
      });
    });
  });

  it("schedule-free ends nearer to the least of a noisy bowl than the iterates that it averages", () => {
    const rng = random(3);
    const hub: Memory = new Map();
    let y: Vector = Float64Array.of(5);
    const [late, iterates] = [[], []] as number[][];
    for (let t = 0; t < 600; t++) {
      y = scheduleFree({ rate: 0.1 }).step(hub, y, Float64Array.of(-y[0] + 2 * rng.normal()), {
        extras: new Map(),
        count: 1,
        members: 1,
      });
      if (t < 400) continue;
      late.push(y[0] ** 2);
      iterates.push(hub.get("z")![0] ** 2);
    }
    const meanOf = (v: number[]) => v.reduce((a, b) => a + b) / v.length;
    expect(meanOf(late)).toBeLessThan(0.25 * meanOf(iterates));
  });

  it("take steps that grow shorter as the run ends, where a floor is given", () => {
    const at = (floor: number, progress: number) =>
      strategies.fedAdam({ floor }).step(new Map(), Float64Array.of(0), Float64Array.of(1), {
        extras: new Map(),
        count: 1,
        members: 1,
        progress,
      })[0];
    expect(at(1, 0.9)).toBe(at(1, 0));
    expect(at(0.2, 0)).toBe(at(1, 0));
    expect(at(0.2, 0.5) / at(1, 0.5)).toBeCloseTo(0.6, 12);
    expect(at(0.2, 1) / at(1, 1)).toBeCloseTo(0.2, 12);
  });

  it("let weights decay apart from the step, and volumes count as much as is said", () => {
    const [[without], [decayed]] = [0, 0.1].map(
      (decay) => rounds(strategies.fedAdam({ rate: 0.5, decay }), [2], [[1]])[0],
    );
    // x <- x - rate decay x = x - 0.1
    expect(without - decayed).toBeCloseTo(0.1, 12);
    const weights = (volume: number) =>
      strategies.fedAdam({ volume }).weights([facts({ samples: 100 }), facts({ samples: 900 })]);
    expect(weights(1)).toEqual([0.1, 0.9]);
    expect(weights(0.5)).toEqual([0.25, 0.75]);
    expect(weights(0)).toEqual([0.5, 0.5]);
  });

  it("take the same steps from changes in the hub's own units", () => {
    const changes = [1, -0.5, 2, 0.1].map((v) => [v, 1e-3 * v, 0]);
    const plain = rounds(strategies.fedAdam({ rate: 0.1, tau: 1e-9 }), [1, 1, 1], changes);
    const strategy = strategies.fedAdam({ rate: 0.1, tau: 1e-9, units: 1 });
    const hub: Memory = new Map();
    let x: Vector = Float64Array.of(1, 1, 1);
    const sizes = changes.map((change, round) => {
      const units = strategy.units!(hub); // what the sites were given with the model
      const sent = Float64Array.from(change, (v, i) => v / (units?.[i] ?? 1));
      x = strategy.step(hub, x, sent, { extras: new Map(), count: 1, members: 1 });
      x.forEach((v, i) => expect(v).toBeCloseTo(plain[round][i], 12));
      return Math.abs(sent[0] / sent[1]);
    });
    // Of a thousand, a hundred are left: no unit is under a hundredth of their root mean square, here of the first by sqrt 3
    expect(sizes[0]).toBeCloseTo(1000, 6);
    sizes.slice(1).forEach((size) => expect(size).toBeCloseTo(1000 / (100 * Math.sqrt(3)), 3));
    expect("units" in strategies.fedAdam()).toBe(false);
  });

  it("momentum and Nesterov momentum by hand", () => {
    // v1 = -1, x = 1; v2 = -1.9, x = 2.9
    expect(rounds(strategies.fedAvgM(), [0], [[1], [1]]).flat()).toEqual([1, 2.9]);
    // g = -1: m1 = -1, x = .7 (1 + .9) = 1.33; m2 = -1.9, x += .7 (1 + 1.71)
    const [[a], [b]] = rounds(strategies.diloco(), [0], [[1], [1]]);
    expect(a).toBeCloseTo(1.33, 12);
    expect(b).toBeCloseTo(1.33 + 0.7 * 2.71, 12);
  });

  it("FedNova takes unequal numbers of steps out of the mean", () => {
    const w = strategies.fedNova().weights([facts({ steps: 1 }), facts({ steps: 9 })]);
    // Two sites that move by g each step: the mean is 5 steps of the mean gradient, not (1 g1 + 9 g2) / 2.
    expect(w[0] * 1).toBeCloseTo(2.5, 12);
    expect(w[1] * 9).toBeCloseTo(2.5, 12);
  });

  it("q-FedAvg at q = 0 is the plain mean, and asks for a loss", () => {
    expect(strategies.qFedAvg({ q: 0 }).weights([facts({ loss: 3 }), facts({ loss: 1 })])).toEqual([0.5, 0.5]);
    expect(() => strategies.qFedAvg().weights([facts({})])).toThrow(/loss of site 'a'/);
  });

  it("CO2 steps with the mean of the round before, held back where it has grown", () => {
    const [[x1], [x2]] = rounds(strategies.overlapped({ rate: 1 }), [0], [[0.5], [1]]);
    expect([x1, x2]).toEqual([0, 0.25]);
  });
});

describe("on ten unlike quadratics (three sites a round, ten local steps)", () => {
  const problem = quadratics(1);
  it.each([
    ["fedavg", strategies.fedAvg(), [0.05, 1.5]],
    ["scaffold", strategies.scaffold(), [0, 1e-10]],
  ] as const)("%s ends where the published fact says", async (_, strategy, [low, high]) => {
    const error = await runQuadratic(problem, strategy, { rounds: 6000, perRound: 3, steps: 10, rate: 0.02 });
    expect(error).toBeGreaterThanOrEqual(low);
    expect(error).toBeLessThan(high);
  });

  it("FedDyn reaches the joint optimum with all sites, FedAvg does not", async () => {
    const small = quadratics(1, { sites: 5, size: 10 });
    const all = { rounds: 300, perRound: 5, steps: 150, rate: 0.05 };
    expect(await runQuadratic(small, strategies.fedDyn({ alpha: 1 }), all)).toBeLessThan(1e-8);
    expect(await runQuadratic(small, strategies.fedAvg(), all)).toBeGreaterThan(0.1);
  });

  it("FedProx is nearer to the optimum than FedAvg", async () => {
    const small = quadratics(1, { sites: 5, size: 10 });
    const all = { rounds: 300, perRound: 5, steps: 50, rate: 0.05 };
    const plain = await runQuadratic(small, strategies.fedAvg(), all);
    expect(await runQuadratic(small, strategies.fedProx({ mu: 5 }), all)).toBeLessThan(plain / 2);
  });

  it("FedAMD's miners keep the joint optimum fixed", async () => {
    const { optimum, gradient, sites } = problem;
    const direction = mean(Array.from({ length: sites }, (_, i) => gradient(i, optimum)));
    const ends = Array.from({ length: sites }, (_, i) =>
      mine({ small: async (w) => gradient(i, w) }, optimum, direction, { steps: 10, rate: 0.02 }),
    );
    const moved = (await Promise.all(ends)).map((y) => difference(y, optimum));
    expect(norm(mean(moved))).toBeLessThan(1e-10);
  });
});

describe("schedules", () => {
  const candidates = Array.from({ length: 50 }, (_, i) => ({
    site: `s${i}`,
    samples: i + 1,
    availability: i < 25 ? 0 : 1,
  }));
  it("draws the same sites for the same seed and round, by data or availability where asked", async () => {
    const options = { sampling: "uniform", seed: 3, round: 2 } as const;
    expect(await invite(candidates, 5, options)).toEqual(await invite([...candidates].reverse(), 5, options));
    const counts = { data: 0, availability: 0, uniform: 0 };
    for (let round = 0; round < 200; round++)
      for (const sampling of ["data", "availability", "uniform"] as const)
        for (const site of await invite(candidates, 10, { sampling, seed: 1, round }))
          counts[sampling] += Number(site.slice(1)) >= 25 ? 1 : 0;
    expect(counts.uniform / 2000).toBeCloseTo(0.5, 1);
    expect(counts.data / 2000).toBeGreaterThan(0.65);
    expect(counts.availability / 2000).toBeGreaterThan(0.85);
  });

  it("orders sites by hash without a coordinator", async () => {
    const names = ["a", "b", "c", "d", "e"];
    expect(await modestOrder(names, 1)).toEqual(await modestOrder([...names].reverse(), 1));
    expect(await modestOrder(names, 1)).not.toEqual(await modestOrder(names, 2));
  });

  it("weighs late updates", () => {
    expect([0, 3].map(staleness.polynomial(0.5))).toEqual([1, 0.5]);
    expect([4, 6].map(staleness.hinge(4, 0.5))).toEqual([1, 0.5]);
    expect(fedFixWeight(0.1, 25, 10)).toBeCloseTo(0.3);
  });

  it("FedCompass lets a slow and a fast site arrive together", () => {
    const first = compass([], "slow", { now: 0, speed: 2, minSteps: 10, maxSteps: 100 });
    expect(first.steps).toBe(100);
    const second = compass(first.groups, "fast", { now: 100, speed: 1, minSteps: 10, maxSteps: 100 });
    expect(second).toMatchObject({ group: 0, steps: 100 });
    const third = compass(second.groups, "late", { now: 195, speed: 1, fastest: 1, minSteps: 10, maxSteps: 100 });
    expect(third).toMatchObject({ group: 1, steps: 100 }); // five seconds are too few for the first group
  });
});

describe("groups and personal parts", () => {
  it("finds two climates in the directions of the updates", async () => {
    const rng = random(2);
    const climates = [0, 1].map(() => Float64Array.from({ length: 30 }, () => rng.normal()));
    const updates = Array.from({ length: 8 }, (_, i) => climates[i % 2].map((v) => v + 0.3 * rng.normal()));
    expect(clusterByDirection(await gramMatrix(memoryRows(updates)), 0.5)).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it("marks the parameters that moved most for their size", () => {
    const before = Float64Array.of(1, 1, 1, 1);
    const after = Float64Array.of(2, 1.1, 1, 1.5);
    expect([...criticalMask(before, after, [[0, 4]], 0.5)]).toEqual([1, 0, 0, 1]);
    const masks = [Uint8Array.of(1, 1, 0, 0), Uint8Array.of(1, 1, 0, 0), Uint8Array.of(0, 0, 1, 1)];
    expect([maskOverlap(masks[0], masks[1]), maskOverlap(masks[0], masks[2])]).toEqual([1, 0]);
    expect(companions(masks, 0, 0, 10)).toEqual([0, 1]);
    expect([...personalised(before, after, masks[0])]).toEqual([2, 1.1, 1, 1]);
  });
});

it("weighted sums are kept in double precision", () => {
  const vectors = [Float32Array.of(1e8), Float32Array.of(1), Float32Array.of(-1e8)];
  expect(weightedSum(vectors, [1, 1, 1])[0]).toBe(1);
  const y = Float64Array.of(1);
  addScaled(y, 2, Float64Array.of(3));
  expect(difference(y, Float64Array.of(7))[0]).toBe(0);
});
