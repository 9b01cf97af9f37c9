/**
 * A dataset on another grid, lazily: every variable on latitude and longitude is regridded as it is read.
 *
 *     const coarse = await regridded(dataset, globalGrid("240x121"), { method: "conservative" });
 *     const atStations = await regridded(dataset, points(lat, lon), { method: "bilinear" });
 */
import {
  applyWeights,
  type Grid,
  pointsOf,
  rectilinear,
  type RegridMethod,
  type RegridWeights,
  regridWeights,
} from "../earth/regrid/index.js";
import { DataError, FoehnError } from "../errors.js";
import { type NdArray, sizeOf, toNumbers } from "../tensor/ndarray.js";
import { keptShape, asArray } from "./blocks.js";
import { readCoordinate } from "./coords.js";
import {
  type Dataset,
  memoryDataset,
  resolveSelection,
  select,
  type Selection,
  type Variable,
  variable,
} from "./dataset.js";
import { withVariables } from "./views.js";

export interface RegridOptions {
  readonly method?: RegridMethod;
  /** Of a target value's weight, how much must have values. */
  readonly minimumShare?: number;
}

/** The grid of a dataset's latitude and longitude. */
export async function gridOf(dataset: Dataset): Promise<Grid> {
  const [latitude, longitude] = [variable(dataset, "latitude"), variable(dataset, "longitude")];
  const values = [await readCoordinate(dataset, "latitude"), await readCoordinate(dataset, "longitude")] as const;
  const alongOne = latitude.dims.length === 1 && latitude.dims.join() === longitude.dims.join();
  if (alongOne) return { kind: "points", latitudes: values[0], longitudes: values[1] };
  if (latitude.dims.length !== 1 || longitude.dims.length !== 1)
    throw new DataError(
      dataset.source,
      "its latitudes and longitudes are two-dimensional; Foehn regrids rows and columns, and points",
    );
  try {
    return rectilinear(...values);
  } catch (error) {
    throw error instanceof FoehnError ? new DataError(dataset.source, error.message, { cause: error }) : error;
  }
}

/** The dataset on another grid. Variables without latitude and longitude stay as they are. */
export async function regridded(dataset: Dataset, target: Grid, options: RegridOptions = {}): Promise<Dataset> {
  const { method = "bilinear", minimumShare } = options;
  const source = await gridOf(dataset);
  if (source.kind === "points")
    throw new DataError(
      dataset.source,
      "its values lie at points; regridding from stations to a grid goes through regridWeights with inverse-distance",
    );
  const weights = regridWeights(source, target, method);
  const places = placesOf(target);
  const variables = [...dataset.variables.values()].flatMap((v) => {
    if (v.name === "latitude" || v.name === "longitude") return [];
    const onGrid = v.dims.includes("latitude") && v.dims.includes("longitude");
    if (!onGrid) return v.dims.includes("latitude") || v.dims.includes("longitude") ? [] : [v];
    return v.readStrings ? [] : [regriddedVariable(v, weights, target, { minimumShare, source: dataset.source })];
  });
  return withVariables(dataset, [...places.variables.values(), ...variables]);
}

/** The target's coordinates. */
function placesOf(target: Grid): Dataset {
  const isPoints = target.kind === "points";
  const one = (name: "latitude" | "longitude", values: Float64Array) => ({
    dims: [isPoints ? "station" : name],
    data: asArray("float64", [values.length], values),
    attrs: { units: name === "latitude" ? "degrees_north" : "degrees_east", standard_name: name },
  });
  return memoryDataset({ latitude: one("latitude", target.latitudes), longitude: one("longitude", target.longitudes) });
}

function regriddedVariable(
  v: Variable,
  weights: RegridWeights,
  target: Grid,
  options: { minimumShare?: number; source: string },
): Variable {
  const { source, minimumShare } = options;
  const isSpace = (dim: string): boolean => dim === "latitude" || dim === "longitude";
  const outer = v.dims.filter((dim) => !isSpace(dim));
  const outerShape = outer.map((dim) => v.shape[v.dims.indexOf(dim)]);
  const space = target.kind === "points" ? ["station"] : ["latitude", "longitude"];
  const spaceShape =
    target.kind === "points" ? [pointsOf(target)] : [target.latitudes.length, target.longitudes.length];
  const dims = [...outer, ...space];
  const shape = [...outerShape, ...spaceShape];
  const dtype = v.dtype === "float64" ? "float64" : "float32";
  return {
    ...v,
    dims,
    shape,
    dtype,
    chunks: undefined,
    async read(selection: Selection = {}): Promise<NdArray> {
      const axes = resolveSelection({ name: v.name, dims, shape }, selection, source);
      const own: Selection = Object.fromEntries(outer.map((dim, i) => [dim, Array.from(axes[i].indices)]));
      const given = await v.read(own);
      const fields = rowMajorFields(given, v.dims);
      const mapped = applyWeights(
        weights,
        dtype === "float64" ? Float64Array.from(fields) : Float32Array.from(fields),
        { minimumShare },
      );
      const outerCounts = axes.slice(0, outer.length).map((axis) => axis.indices.length);
      // outer dimensions are chosen already; space is chosen from whole fields
      const whole = asArray(dtype, [...outerCounts, ...spaceShape], mapped);
      const chosen = axes.map((axis, i) =>
        i < outer.length ? { indices: Array.from({ length: outerCounts[i] }, (_, k) => k), keep: axis.keep } : axis,
      );
      return asArray(dtype, keptShape(chosen), select(whole, chosen).data);
    },
  };
}

/** Values with latitude and longitude last, in that order. */
function rowMajorFields(array: NdArray, dims: readonly string[]): ArrayLike<number> {
  const values = toNumbers(array);
  const order = [...dims.filter((dim) => dim !== "latitude" && dim !== "longitude"), "latitude", "longitude"].map(
    (dim) => dims.indexOf(dim),
  );
  if (order.every((axis, i) => axis === i)) return values;
  const strides = array.shape.map((_, axis) => sizeOf(array.shape.slice(axis + 1)));
  const counts = order.map((axis) => array.shape[axis]);
  const steps = order.map((axis) => strides[axis]);
  const out = new Float64Array(values.length);
  const at = counts.map(() => 0);
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = values[from];
    for (let axis = counts.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++at[axis] < counts[axis]) break;
      from -= steps[axis] * counts[axis];
      at[axis] = 0;
    }
  }
  return out;
}
