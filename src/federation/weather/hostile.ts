/** Hostile sites for simulations: trainers whose updates are spoilt before they leave. */
import { random } from "../../tensor/random.js";
import { aLittleIsEnough, innerProduct } from "../aggregate/attacks.js";
import { difference, norm, sum, tabulate, type Vector } from "../aggregate/rows.js";
import { flatten, layoutOf, unflatten } from "../protocol/parameters.js";
import type { LocalTrainer } from "../protocol/trainer.js";

/**
 * What hostile sites send in place of their change d. Alone: `turned` -s d, `noise` d and normal noise s times as long, `lazy`
 * nothing. Together, knowing one another's d but nobody else's: `empire` -s times their mean, `little` their mean and s
 * deviations (a little is enough).
 */
export interface Attack {
  readonly kind: "turned" | "noise" | "lazy" | "empire" | "little";
  readonly strength: number;
}

/** The trainers with every update spoilt; those of a round meet before any of them is sent. */
export function hostileTrainers(trainers: readonly LocalTrainer[], { kind, strength }: Attack): LocalTrainer[] {
  const met = meeting(trainers.length);
  return trainers.map((trainer) => {
    let round = 0;
    return {
      ...trainer,
      async train(params, task) {
        const trained = await trainer.train(params, task);
        const layout = layoutOf(trained.params);
        const before = flatten(params, layout);
        const change = difference(flatten(trained.params, layout), before);
        const all = kind === "little" || kind === "empire" ? await met(round++, change) : [];
        const spoilt = ((): Vector => {
          switch (kind) {
            case "lazy":
              return tabulate(change, () => 0);
            case "turned":
              return tabulate(change, (i) => -strength * change[i]);
            case "noise": {
              const rng = random(task.seed).split("hostile");
              const deviation = (strength * norm(change)) / Math.sqrt(change.length);
              return tabulate(change, (i) => change[i] + deviation * rng.normal());
            }
            case "empire":
              return innerProduct(all, strength);
            case "little":
              return aLittleIsEnough(all, strength);
          }
        })();
        return { ...trained, params: unflatten(Float32Array.from(sum(before, spoilt)), layout) };
      },
    };
  });
}

/** Gives everyone's vectors of a round once all have brought theirs. */
function meeting(count: number): (round: number, mine: Vector) => Promise<readonly Vector[]> {
  const rounds = new Map<number, { mine: Vector; go: (all: readonly Vector[]) => void }[]>();
  return (round, mine) =>
    new Promise((go) => {
      const here = [...(rounds.get(round) ?? []), { mine, go }];
      rounds.set(round, here);
      if (here.length < count) return;
      rounds.delete(round);
      for (const each of here) each.go(here.map((h) => h.mine));
    });
}
