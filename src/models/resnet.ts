/**
 * The residual network of WeatherBench (Rasp and Thuerey 2021) and ClimateLearn: 3 x 3 convolutions at the full grid, twice a
 * block, longitudes going around. Rectifier before norm as there; the norm is over each sample's maps instead of over the batch,
 * so that training and forecasting compute the same. Lead time and season are added once, after the first convolution.
 */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, emit, float, reshape } from "../graph/ops.js";
import { convolutionalRefusal } from "./checks.js";
import { convolution, groupNorm } from "./convolutions.js";
import { dense } from "./layers.js";
import type { Architecture } from "./model.js";

export interface ResnetConfig {
  width: number;
  /** Residual blocks of two convolutions. */
  depth: number;
  /** Part of the channels dropped after each norm while training. */
  dropout: number;
}

export const resnet: Architecture<ResnetConfig> = {
  name: "resnet",
  defaults: { width: 64, depth: 8, dropout: 0.1 },
  check: convolutionalRefusal,
  write(p, { fields, condition, channels, global, dropout }, { width, depth, dropout: rate }) {
    const [batch] = fields.shape;
    const layer = (q: Scope, x: Tensor, size: number, extra?: Tensor): Tensor => {
      const h = convolution(q.child("conv"), x, { width, size, global });
      const active = emit("LeakyRelu", [extra ? add(h, extra) : h], { alpha: float(0.3) })[0];
      const normal = groupNorm(q.child("norm"), active);
      return dropout?.apply(normal, { rate, axes: [0, 1] }) ?? normal;
    };
    const when = reshape(dense(p.child("condition"), condition, width), [batch, width, 1, 1]);
    let x = layer(p.child("in"), fields, 7, when);
    for (let i = 0; i < depth; i++) {
      const q = p.child(`blocks.${i}`);
      x = add(x, layer(q.child("b"), layer(q.child("a"), x, 3), 3));
    }
    return convolution(p.child("out"), x, { width: channels, size: 3, global, start: "zero" });
  },
};
