import { expect, it } from "vitest";
import { float32 } from "../../tensor/ndarray.js";
import type { LocalTrainer } from "../protocol/trainer.js";
import { type Attack, hostileTrainers } from "./hostile.js";
import { robustMarkdown } from "./robustness.js";

/** Moves the one array by a fixed change. */
const mover = (change: readonly number[]): LocalTrainer => ({
  describe: () => ({ samples: 1, variables: ["a"], device: "none" }),
  evaluate: async () => [],
  train: async (params) => ({
    params: new Map(
      [...params].map(([name, { shape, data }]) => [
        name,
        float32(
          shape,
          data.map((v, i) => v + change[i]),
        ),
      ]),
    ),
    steps: 1,
    learningRate: 1,
  }),
});

const start = new Map([["a", float32([3], [1, 2, 3])]]);
const sent = async (attack: Attack): Promise<number[][]> => {
  const trainers = hostileTrainers([mover([1, 0, 3]), mover([3, 0, -1])], attack);
  const all = await Promise.all(trainers.map((t) => t.train(start, { budget: { steps: 1 }, seed: 5 })));
  return all.map(({ params }) => [...params.get("a")!.data].map((v, i) => v - [1, 2, 3][i]));
};

it("hostile sites send what their attack says of their own changes", async () => {
  expect(await sent({ kind: "turned", strength: 2 })).toEqual([
    [-2, 0, -6],
    [-6, 0, 2],
  ]);
  expect(await sent({ kind: "lazy", strength: 1 })).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
  // Minus twice the mean change (2, 0, 1)
  expect(await sent({ kind: "empire", strength: 2 })).toEqual([
    [-4, 0, -2],
    [-4, 0, -2],
  ]);
  // The mean and one sample deviation: of 1 and 3 it is sqrt 2, of 3 and -1 sqrt 8
  for (const update of await sent({ kind: "little", strength: 1 })) {
    expect(update[0]).toBeCloseTo(2 + Math.SQRT2, 5);
    expect(update[1]).toBeCloseTo(0, 5);
    expect(update[2]).toBeCloseTo(1 + Math.sqrt(8), 5);
  }
  const [blurred] = await sent({ kind: "noise", strength: 10 });
  const away = Math.hypot(...blurred.map((v, i) => v - [1, 0, 3][i]));
  expect(away).toBeGreaterThan(5);
  expect(away).toBeLessThan(100);
});

it("what is kept is measured by the plain mean without attack", () => {
  const row = { attack: "none", codec: "float32", sites: 9, personal: 0.2, ridge: 0.15, bytes: 100, fullBytes: 100 };
  const table = robustMarkdown([
    { ...row, rule: "median", validation: 0.85, skill: 0.12 },
    { ...row, rule: "mean", validation: 0.8, skill: 0.16 },
    { ...row, rule: "mean", attack: "turned x 10", validation: 1e9, skill: -1e9, personal: 0.15 },
    { ...row, rule: "mean", codec: "sign, ef14", validation: 0.8, skill: 0.16, bytes: 5 },
  ]).split("\n");
  expect(table[2]).toBe("| median | none | float32 | 15.0 | 75 % | 12.0 | 75 % | 20.0 | 100 % | 1.0 x |");
  expect(table[4]).toBe("| mean | turned x 10 | float32 | destroyed | - | destroyed | - | 15.0 | 75 % | 1.0 x |");
  expect(table[5]).toBe("| mean | none | sign, ef14 | 20.0 | 100 % | 16.0 | 100 % | 20.0 | 100 % | 20.0 x |");
  expect(table[7]).toBe("Ridge regression alone: 15.0 %.");
});
