/**
 * A downscaling run between its two grids as one ONNX graph in physical units: the coarse fields go in as they are, fine fields come
 * out, and nothing of Foehn is needed in between. Interpolation, first guess, fixed maps, normalisation, all networks, their mean
 * and the calibration are inside.
 *
 *     coarse        [batch, predictor, coarse row, coarse column]   in the predictors' units, missing values filled
 *     day_of_year   [batch]   1 to 366
 *     hour          [batch]   UTC, 0 to 23.9
 *     mean          [batch, target, row, column]   in the targets' units; NaN where the training period never had a value
 *     quantiles     [batch, level, target, row, column]   where the head gives quantiles
 *     probability, shape, amount   [batch, network, target, row, column]   of rain: each network's chance and gamma law of amounts
 */
import { type Parameters, scope } from "../../engine/parameters.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import {
  add,
  concat,
  cos,
  exp,
  gather,
  log,
  maximum,
  mul,
  neg,
  reshape,
  sin,
  slice,
  split,
  sub,
} from "../../graph/ops.js";
import { float32, ndarray } from "../../tensor/ndarray.js";
import { levelsOf } from "./config.js";
import { type Setting, TRACE, windowFeatures, type WindowFeatures } from "./features.js";
import { calibratedOutputs, writeNetwork } from "./network.js";
import { type DownscaleModel, emptyCells, tilesOf } from "./predict.js";

/** The bytes of the file, for fields of one coarse grid and the fine grid of `setting`. */
export function portableDownscaling(
  model: DownscaleModel,
  setting: Setting,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { config, fitted, members } = model;
  const graph = new Graph(`downscale-${config.model.name}`);
  const { latitudes, longitudes } = setting.coarse;
  const predictors = fitted.predictors.length;
  const coarse = graph.input("coarse", "float32", [1, predictors, latitudes.length, longitudes.length]);
  const calendar = calendarOf(graph.input("day_of_year", "float32", [1]), graph.input("hour", "float32", [1]));
  const [{ inside, window }] = tilesOf(model, setting.fine);
  const features = windowFeatures(config, fitted, setting, window);
  const { rows, columns } = window;
  const fields = interpolated(coarse, features, rows, columns);
  const inputs = {
    predictors: fields,
    place: fixed(graph, features.place, rows, columns),
    guess: guessOf(model, features, fields),
    calendar,
    context: () => coarse,
  };
  const root = scope(graph);
  const each = members.map((_, k) =>
    calibratedOutputs(model, writeNetwork(root.child(`network${k + 1}`), config, fitted, inputs), inputs.guess),
  );

  const [down, right] = [inside.row - window.row, inside.column - window.column];
  const cut = (x: Tensor): Tensor =>
    slice(x, [
      { axis: 2, start: down, end: down + inside.rows },
      { axis: 3, start: right, end: right + inside.columns },
    ]);
  const targets = fitted.targets.length;
  const map = (values: ArrayLike<number>) => graph.constant(float32([1, targets, inside.rows, inside.columns], values));
  const cells = inside.rows * inside.columns;
  const least = map(
    Float32Array.from({ length: targets * cells }, (_, i) => (fitted.positive[Math.floor(i / cells)] ? 0 : -3e38)),
  );
  const empty = emptyCells(config, fitted, inside);
  const missing = empty && map(Float32Array.from(empty, (e) => (e ? NaN : 0)));
  /** As a field is given out: amounts not below none, cells without truth missing. */
  const given = (x: Tensor, isAmount = true): Tensor => {
    const floored = isAmount && fitted.positive.includes(true) ? maximum(cut(x), least) : cut(x);
    return missing ? add(floored, missing) : floored;
  };
  const meanOf = (tensors: readonly Tensor[]): Tensor =>
    tensors.length === 1 ? tensors[0] : mul(tensors.reduce(add), 1 / tensors.length);
  const five = (x: Tensor) => reshape(x, [1, 1, targets, inside.rows, inside.columns]);
  graph.output("mean", meanOf(each.map((o) => given(o["mean"]))));
  const levels = levelsOf(config);
  if (config.downscale.head === "quantile") {
    const byLevel = each.map((o) =>
      split(
        o["quantiles"],
        levels.map(() => targets),
        1,
      ),
    );
    graph.output(
      "quantiles",
      concat(
        levels.map((_, q) => five(meanOf(byLevel.map((l) => given(l[q]))))),
        1,
      ),
    );
  }
  if (config.downscale.head === "bernoulli-gamma")
    for (const name of ["probability", "shape", "amount"])
      graph.output(
        name,
        concat(
          each.map((o) => five(given(o[name], false))),
          1,
        ),
      );

  const parameters: Parameters = new Map(
    members.flatMap((member, k) => [...member].map(([name, array]) => [`network${k + 1}.${name}`, array] as const)),
  );
  const axis = (values: Float64Array) => Array.from(values, (x) => Number(x.toFixed(6))).join(" ");
  return exportOnnx(graph, {
    parameters,
    metadata: {
      predictors: fitted.predictors.join(" "),
      predictor_units: JSON.stringify(fitted.predictorUnits),
      targets: fitted.targets.join(" "),
      target_units: JSON.stringify(fitted.targetUnits),
      ...(levels.length > 0 && { levels: levels.join(" ") }),
      coarse_latitude: axis(latitudes),
      coarse_longitude: axis(longitudes),
      ...(setting.fine.axes && { latitude: axis(setting.fine.latitudes), longitude: axis(setting.fine.longitudes) }),
      ...metadata,
    },
  });
}

/** Maps [map, cell] as a constant [1, map, row, column]. */
const fixed = (graph: Graph, maps: Float32Array, rows: number, columns: number): Tensor =>
  graph.constant(float32([1, maps.length / rows / columns, rows, columns], maps));

/** Bilinear interpolation: each fine cell's four coarse cells by their weights, as `interpolate` in places.ts. */
function interpolated(coarse: Tensor, { places }: WindowFeatures, rows: number, columns: number): Tensor {
  const { graph, shape } = coarse;
  const flat = reshape(coarse, [1, shape[1], shape[2] * shape[3]]);
  const corners = [0, 1, 2, 3].map((corner) => {
    const of = (values: ArrayLike<number>) => Array.from({ length: places.cells }, (_, i) => values[4 * i + corner]);
    const index = graph.constant(ndarray("int64", [places.cells], BigInt64Array.from(of(places.index), BigInt)));
    return mul(gather(flat, index, 2), graph.constant(float32([1, 1, places.cells], of(places.weight))));
  });
  return reshape(corners.reduce(add), [1, shape[1], rows, columns]);
}

/** The first guess of `sampleFeeds` in features.ts. */
function guessOf({ config, fitted }: DownscaleModel, features: WindowFeatures, fields: Tensor): Tensor {
  const { graph, shape } = fields;
  const [rows, columns] = shape.slice(2);
  const { cells } = features.places;
  const targets = fitted.targets.length;
  const maps = features.guess.length / cells;
  const own = (k: number) => fixed(graph, features.guess.slice(k * cells, (k + 1) * cells), rows, columns);
  const of = (p: number) => slice(fields, [{ axis: 1, start: p, end: p + 1 }]);
  const all = Array.from({ length: maps }, (_, k) => own(k));
  fitted.base.forEach((p, v) => {
    if (p < 0) return;
    const { oddsByBase } = fitted.rain[v];
    if (!oddsByBase) {
      all[v] = add(all[v], of(p));
      if (features.regression) {
        const { gain, centre } = features.regression;
        const map = (values: Float32Array) => fixed(graph, values.subarray(v * cells, (v + 1) * cells), rows, columns);
        all[v] = add(all[v], mul(sub(of(p), map(centre)), map(gain)));
      }
      return;
    }
    const amount = maximum(of(p), 0);
    const odds = add(mul(log(add(amount, config.downscale.dryUpTo / 2 + 1e-3)), oddsByBase[1]), oddsByBase[0]);
    all[v] = odds;
    all[targets + v] = log(mul(add(amount, TRACE), add(exp(neg(odds)), 1)));
  });
  return all.length === 1 ? all[0] : concat(all, 1);
}

/** The calendar vector of features.ts, [batch, CALENDAR]. */
function calendarOf(dayOfYear: Tensor, hour: Tensor): Tensor {
  const season = mul(sub(dayOfYear, 1), (2 * Math.PI) / 365.25);
  const day = mul(hour, (2 * Math.PI) / 24);
  const turns = [season, mul(season, 2), day, mul(day, 2)].flatMap((a) => [sin(a), cos(a)]);
  return concat(
    turns.map((t) => reshape(t, [1, 1])),
    1,
  );
}
