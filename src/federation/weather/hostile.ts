/** Hostile sites for simulations: a trainer whose updates are spoilt before they leave. */
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import type { LocalTrainer } from "../protocol/trainer.js";

/** `turned`: the site's own change times -strength; `noise`: normal noise, `strength` times as long as its change; `lazy`: no change at all. */
export interface Attack {
  readonly kind: "turned" | "noise" | "lazy";
  readonly strength: number;
}

/** The trainer with every update spoilt. */
export const hostileTrainer = (trainer: LocalTrainer, { kind, strength }: Attack): LocalTrainer => ({
  describe: () => trainer.describe(),
  evaluate: (params) => trainer.evaluate(params),
  async train(params, task) {
    if (kind === "lazy") return { params, steps: 1, learningRate: 0, arrays: [...params.keys()] };
    const trained = await trainer.train(params, task);
    const rng = random(task.seed).split("hostile");
    const spoilt = [...trained.params].map(([name, { shape, data }]) => {
      const before = params.get(name)!.data;
      const length = Math.hypot(...data.map((v, i) => v - before[i])) / Math.sqrt(data.length);
      return [
        name,
        float32(
          shape,
          data.map((v, i) =>
            kind === "turned" ? before[i] - strength * (v - before[i]) : before[i] + strength * length * rng.normal(),
          ),
        ),
      ] as const;
    });
    return { ...trained, params: new Map(spoilt) };
  },
});
