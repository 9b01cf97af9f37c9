/**
 * Invertible rescaling as a downscaling run (`model: { name: invertible }`): one function makes the coarse field of a fine one and
 * the fine field of a coarse one. With `exact` the coarse field is the area mean and the fine one keeps it; otherwise it lies near
 * the mean and carries what helps to get the fine one back, for who must send or store fields small.
 *
 * Fields are taken as departures from the training period's mean at each cell, in units of the coarse field's deviation. Learnt is
 *
 *     |up(round(down(x)), 0) - x|^2 / v + closeness |down(x) - mean x|^2 / v
 *
 * with v the error of the interpolated coarse field; rounding is a uniform noise of the precision while training.
 */
import { type Parameters, type Scope, scope } from "../../engine/parameters.js";
import type { Feeds, Runtime } from "../../engine/runtime.js";
import { UsageError } from "../../errors.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { add, div, mul, reduceMean, square, sub } from "../../graph/ops.js";
import { latitudeWeights } from "../../earth/weights.js";
import { resolveIn } from "../../models/index.js";
import {
  type Blocks,
  type InvertibleConfig,
  invertibleDefaults,
  rescaleDown,
  rescaleUp,
  splitBlocks,
} from "../../models/invertible.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { Random } from "../../tensor/random.js";
import { fitNetwork, type TrainEvent } from "../fit.js";
import type { DownscaleConfig } from "./config.js";
import type { Fitted } from "./fitted.js";
import { fineAt, splitOf } from "./pairs.js";
import { interpolate, placesIn } from "./places.js";
import type { DownscaleModel, FineFields, Predictor } from "./predict.js";
import type { TrainDownscalingOptions } from "./train.js";
import { random } from "../../tensor/random.js";

export const isInvertible = ({ model }: Pick<DownscaleConfig, "model">): boolean => model.name === "invertible";

/** Weight of the coarse field's distance from the area mean. */
const CLOSENESS = 0.25;

interface Rescaling {
  readonly settings: InvertibleConfig;
  readonly blocks: Blocks;
  /** Blocks along each axis; cells beyond them belong to none. */
  readonly high: number;
  readonly wide: number;
  /** Rows and columns of the whole fine grid. */
  readonly rows: number;
  readonly columns: number;
  /** The training period's mean at each cell of the whole fine grid, and of the coarse one. */
  readonly fineMean: Float32Array;
  readonly coarseMean: Float32Array;
  /** Deviation of the coarse field, and of truth less its interpolation. */
  readonly scale: number;
  readonly error: number;
}

/** What a configuration and its normalisation come to; says what invertible rescaling cannot do. */
export function rescalingOf(config: DownscaleConfig, fitted: Fitted): Rescaling {
  const table = { invertible: { defaults: { ...invertibleDefaults }, check: (_: never) => undefined } };
  const settings = resolveIn(table as never, config.model).settings as InvertibleConfig;
  const [factors, ...more] = config.data.factors;
  const { grid, coarse } = fitted;
  if (!factors || more.length > 0 || !factors.every(Number.isInteger) || factors[0] * factors[1] < 2)
    throw new UsageError("the model 'invertible' needs data.factors with one pair of whole numbers, such as [[4, 4]]");
  if (config.downscale.head !== "mean" || fitted.targets.length !== 1 || fitted.positive[0])
    throw new UsageError(
      "the model 'invertible' rescales one variable that may have any sign: name one in data.fine.variables and set downscale.head to mean",
    );
  if (config.training.seeds > 1 || config.downscale.conserve || !config.downscale.localClimate)
    throw new UsageError(
      "the model 'invertible' is one network with each cell's own mean: leave training.seeds, downscale.conserve and downscale.localClimate as they are (exact: true conserves)",
    );
  const [rows, columns] = factors;
  const [high, wide] = [coarse.latitudes.length, coarse.longitudes.length];
  if (high * rows > grid.rows || wide * columns > grid.columns)
    throw new UsageError(
      `the fine grid of ${grid.rows} x ${grid.columns} cells does not hold ${high} x ${wide} whole blocks of ${rows} x ${columns}; cut it with 'foehn convert --box'`,
    );
  const area = latitudeWeights(grid.latitudes, "exact");
  const shares = Float32Array.from({ length: rows * columns * high }, (_, k) => {
    const [cell, row] = [Math.floor(k / high), k % high];
    const inBlock = area.subarray(row * rows, (row + 1) * rows);
    return inBlock[Math.floor(cell / columns)] / inBlock.reduce((a, b) => a + b, 0) / columns;
  });
  // The mean of interpolated fields is the interpolated mean; `local` holds what is left
  const fineMean = new Float32Array(grid.rows * grid.columns);
  interpolate(placesIn({ kind: "rectilinear", ...coarse }, grid), fitted.context.mean, fineMean);
  for (let i = 0; i < fineMean.length; i++) fineMean[i] += fitted.local[i];
  if (fineMean.some(Number.isNaN))
    throw new UsageError("the model 'invertible' needs fields without missing values; fill or cut them first");
  return {
    settings,
    blocks: { rows, columns, shares },
    high,
    wide,
    rows: grid.rows,
    columns: grid.columns,
    fineMean,
    coarseMean: fitted.context.mean,
    scale: fitted.deviation[0],
    error: fitted.scale[0],
  };
}

/** The cells of whole blocks, [row, column]. */
function inside({ blocks, high, wide, columns }: Rescaling, field: ArrayLike<number>): Float32Array {
  const width = wide * blocks.columns;
  return Float32Array.from(
    { length: high * blocks.rows * width },
    (_, i) => field[Math.floor(i / width) * columns + (i % width)],
  );
}

const shapes = ({ blocks, high, wide }: Rescaling, batch: number) => ({
  fine: [batch, 1, high * blocks.rows, wide * blocks.columns],
  coarse: [batch, 1, high, wide],
});

/** Physical units to departures and back. */
function departures(r: Rescaling, graph: Graph) {
  const { fine, coarse } = shapes(r, 1);
  const [fineMean, coarseMean] = [
    graph.constant(float32(fine, inside(r, r.fineMean))),
    graph.constant(float32(coarse, r.coarseMean)),
  ];
  return {
    ofFine: (x: Tensor) => div(sub(x, fineMean), r.scale),
    ofCoarse: (x: Tensor) => div(sub(x, coarseMean), r.scale),
    fine: (u: Tensor) => add(mul(u, r.scale), fineMean),
    coarse: (u: Tensor) => add(mul(u, r.scale), coarseMean),
  };
}

/** The fine field of a coarse one, details taken as none. */
function upOf(p: Scope, r: Rescaling, coarse: Tensor): Tensor {
  const [batch, , high, wide] = coarse.shape;
  const none = [batch, r.blocks.rows * r.blocks.columns - 1, high, wide];
  const details = coarse.graph.constant(float32(none, new Float32Array(none.reduce((a, b) => a * b))));
  return rescaleUp(p, { coarse, details }, r.blocks, r.settings);
}

/** Both directions with their loss; inputs `truth` [batch, 1, row, column] and `noise`, as large as a coarse field, -1/2 to 1/2. */
function learnerOf(r: Rescaling, batch: number): { parameters: Scope; loss: Tensor } {
  const graph = new Graph("rescale");
  const p = scope(graph);
  const { fine, coarse } = shapes(r, batch);
  const x = departures(r, graph).ofFine(graph.input("truth", "float32", fine));
  const made = rescaleDown(p, x, r.blocks, r.settings).coarse;
  const sent = add(made, mul(graph.input("noise", "float32", coarse), r.settings.precision / r.scale));
  const variance = (r.error / r.scale) ** 2;
  const back = div(reduceMean(square(sub(upOf(p, r, sent), x))), variance);
  if (r.settings.exact) return { parameters: p, loss: back };
  const apart = div(reduceMean(square(sub(made, splitBlocks(x, r.blocks).coarse))), variance);
  return { parameters: p, loss: add(back, mul(apart, CLOSENESS)) };
}

/** Trains the run's network; yields after every step. */
export async function* trainRescaling(options: TrainDownscalingOptions): AsyncGenerator<TrainEvent> {
  const { runtime, pairs, config, fitted, store } = options;
  const { training } = config;
  const r = rescalingOf(config, fitted);
  const split = splitOf(pairs, config);
  const { loss, parameters } = learnerOf(r, training.microBatch);
  const batch = (times: readonly number[], draw: Random): Feeds => {
    const drawn = Array.from({ length: training.microBatch }, () => times[draw.integer(times.length)]);
    const { fine, coarse } = shapes(r, training.microBatch);
    const size = r.high * r.wide;
    return {
      truth: joinedFields(
        fine,
        drawn.map((t) => inside(r, fineAt(pairs, t))),
      ),
      noise: float32(
        coarse,
        Float32Array.from({ length: size * drawn.length }, () => draw.uniform() - 0.5),
      ),
    };
  };
  const chosen = random(config.seed).split("validation");
  const validation = Array.from({ length: Math.ceil(training.validationSamples / training.microBatch) }, () =>
    batch(split.validation, chosen),
  );
  yield* fitNetwork({
    runtime,
    store,
    member: 1,
    settings: training,
    parameters,
    evaluation: loss,
    rng: random(config.seed).split("member 1"),
    phases: [
      {
        until: training.steps,
        learner: () => ({
          loss,
          draw: (draw) => Array.from({ length: training.batch / training.microBatch }, () => batch(split.train, draw)),
        }),
      },
    ],
    validation: () => validation,
  });
}

function joinedFields(shape: readonly number[], fields: readonly Float32Array[]): NdArray {
  const data = new Float32Array(fields.length * fields[0].length);
  fields.forEach((field, k) => data.set(field, k * field.length));
  return float32([...shape], data);
}

/** ONNX files of both directions between physical units: `fine` to `coarse` (not rounded), and `coarse` to `fine`. */
export function rescalingModels(
  config: DownscaleConfig,
  fitted: Fitted,
  parameters: Parameters,
  metadata: Readonly<Record<string, string>> = {},
) {
  const r = rescalingOf(config, fitted);
  const made = (name: "down" | "up"): Uint8Array => {
    const graph = new Graph(`rescale-${name}`);
    const p = scope(graph);
    const [units, { fine, coarse }] = [departures(r, graph), shapes(r, 1)];
    if (name === "down") {
      const x = units.ofFine(graph.input("fine", "float32", fine));
      graph.output("coarse", units.coarse(rescaleDown(p, x, r.blocks, r.settings).coarse));
    } else {
      const c = units.ofCoarse(graph.input("coarse", "float32", coarse));
      graph.output("fine", units.fine(upOf(p, r, c)));
    }
    return exportOnnx(graph, { parameters, metadata: { precision: String(r.settings.precision), ...metadata } });
  };
  return { down: made("down"), up: made("up") };
}

/** The same as a predictor, with the way down beside the way up. */
export async function createRescaler(
  runtime: Runtime,
  { config, fitted, members }: DownscaleModel,
): Promise<Predictor> {
  const r = rescalingOf(config, fitted);
  const files = rescalingModels(config, fitted, members[0]);
  const [down, up] = [await runtime.load(files.down), await runtime.load(files.up)];
  const { fine, coarse } = shapes(r, 1);
  const whole = { row: 0, column: 0, rows: r.rows, columns: r.columns };
  const places = placesIn({ kind: "rectilinear", ...fitted.coarse }, fitted.grid);
  return {
    tiles(size) {
      if (size === undefined) return [{ inside: whole, window: whole }];
      throw new UsageError("this model sees the whole domain at once, so it cannot be tiled; leave --tile out");
    },
    async shrink(field) {
      const { coarse: made } = await down.run({ fine: float32(fine, inside(r, field)) });
      const step = r.settings.precision;
      const values = made.data as Float32Array;
      return step > 0 ? values.map((x) => step * Math.round(x / step)) : values.slice();
    },
    async predict(_, fields) {
      const out: FineFields[] = [];
      for (const field of fields) {
        const made = await up.run({ coarse: float32(coarse, field) });
        // Cells beyond the last whole block: the interpolated field and their own mean difference
        const mean = new Float32Array(r.rows * r.columns);
        interpolate(places, field, mean);
        for (let i = 0; i < mean.length; i++) mean[i] += fitted.local[i];
        const width = fine[3];
        (made["fine"].data as Float32Array).forEach(
          (x, i) => (mean[Math.floor(i / width) * r.columns + (i % width)] = x),
        );
        out.push({ mean, quantiles: [] });
      }
      return out;
    },
    async close() {
      await down.close();
      await up.close();
    },
  };
}
