/**
 * Maps continued beyond their edges as the sphere continues: columns around the globe, and beyond a pole the rows seen from the
 * other side, half a turn on (the boundary padding of CREDIT: Schreck et al. 2024, arXiv:2411.07814). Regional maps, and rows that
 * do not reach a pole, repeat their edge. Signs are kept: an eastward wind continues as it is.
 */
import type { Tensor } from "../graph/graph.js";
import { concat, pad, slice } from "../graph/ops.js";
import { wrapColumns } from "./convolutions.js";
import type { ModelInputs } from "./model.js";
import { roll } from "./windows.js";

export interface Margins {
  readonly north: number;
  readonly south: number;
  readonly west: number;
  readonly east: number;
}

/** x [B, C, H, W], a map of the grid of `inputs` or of one coarsened evenly from it, with margins around it. */
export function padSphere(x: Tensor, margins: Margins, inputs: Pick<ModelInputs, "latitudes" | "global">): Tensor {
  const { north, south, west, east } = margins;
  const tall = concat([...beyond(x, north, "first", inputs), x, ...beyond(x, south, "last", inputs)], 2);
  if (!inputs.global) return pad(tall, [0, 0, 0, west], [0, 0, 0, east], "edge");
  const around = wrapColumns(tall, Math.max(west, east));
  const spare = Math.max(west, east);
  return slice(around, [{ axis: 3, start: spare - west, end: spare + x.shape[3] + east }]);
}

/** The rows that follow beyond the first or the last. */
function beyond(
  x: Tensor,
  count: number,
  edge: "first" | "last",
  { latitudes, global }: Pick<ModelInputs, "latitudes" | "global">,
): Tensor[] {
  if (count === 0) return [];
  const [, , height, width] = x.shape;
  const at = (i: number) => (edge === "first" ? i : height - 1 - i);
  const n = latitudes.length;
  const [outermost, next] = edge === "first" ? [latitudes[0], latitudes[1]] : [latitudes[n - 1], latitudes[n - 2]];
  const onPole = Math.abs(outermost) > 89.999;
  const reaches = onPole || Math.abs(outermost) + Math.abs(outermost - next) > 89.999;
  // A row on the pole itself is its own other side
  const skip = onPole && height === n ? 1 : 0;
  const across = global && n > 1 && reaches && width % 2 === 0 && count + skip <= height;
  const rows = Array.from({ length: count }, (_, i) => {
    const from = at(across ? i + skip : 0);
    return slice(x, [{ axis: 2, start: from, end: from + 1 }]);
  });
  const outward = edge === "first" ? rows.reverse() : rows;
  return [across ? roll(concat(outward, 2), 3, width / 2) : concat(outward, 2)];
}
