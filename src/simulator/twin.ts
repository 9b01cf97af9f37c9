/**
 * A fine truth and its coarse twin: fields filtered spectrally to a lower truncation and set on its own grid, and the tendencies
 * that a coarse model would need to follow the truth (what the unresolved scales do).
 */
import {
  type Dataset,
  memoryDataset,
  type MemoryVariable,
  resolveSelection,
  select,
  type Variable,
} from "../data/dataset.js";
import { DataError, UsageError } from "../errors.js";
import { ndarray, toNumbers } from "../tensor/ndarray.js";
import { type PrimitiveModel, primitiveModel, type PrimitiveOptions } from "./primitive.js";
import { gridFor, type SphericalTransform, sphericalTransform } from "./transform.js";

/** Copies what both truncations know of a spectrum [row][re, im][columns] of `from` to one of `to`. */
export function truncateSpectrum(
  from: SphericalTransform,
  spectrum: Float64Array,
  to: SphericalTransform,
  columns: number,
): Float64Array {
  const out = new Float64Array(to.rows * 2 * columns);
  const T = Math.min(from.truncation, to.truncation);
  for (let m = 0; m <= T; m++) {
    const at = from.firstRow[m] * 2 * columns;
    out.set(spectrum.subarray(at, at + (T + 1 - m) * 2 * columns), to.firstRow[m] * 2 * columns);
  }
  return out;
}

/**
 * Fields [field][latitude][longitude] of one truncation's Gaussian grid, filtered to another's and set on its grid. `vector`
 * fields are components of wind, which are smooth at the poles only times cos(latitude).
 */
export function coarsen(
  from: SphericalTransform,
  to: SphericalTransform,
  fields: Float32Array,
  { vector = false }: { vector?: boolean } = {},
): Float32Array {
  const count = fields.length / from.points;
  const columns = count + (count % 2);
  const grid = new Float64Array(from.points * columns);
  const cosine = (t: SphericalTransform, p: number): number =>
    vector ? Math.sqrt(1 - t.mu[Math.floor(p / t.nlon)] ** 2) : 1;
  for (let p = 0; p < from.points; p++)
    for (let f = 0; f < count; f++) grid[p * columns + f] = fields[f * from.points + p] * cosine(from, p);
  const spectrum = new Float64Array(from.rows * 2 * columns);
  from.analyse(grid, spectrum, columns);
  const coarse = new Float64Array(to.points * columns);
  to.synthesise(truncateSpectrum(from, spectrum, to, columns), coarse, columns);
  const out = new Float32Array(to.points * count);
  for (let p = 0; p < to.points; p++)
    for (let f = 0; f < count; f++) out[f * to.points + p] = coarse[p * columns + f] / cosine(to, p);
  return out;
}

/** Rain and humidity may not go below zero, nor a share of land beyond one, where a filter overshoots. */
const NEVER_NEGATIVE = ["specific_humidity", "total_precipitation", "land_sea_mask"];

/** The truncation that a simulated dataset says it has, checked against its grid. */
export function truncationOfGrid(dataset: Dataset): number {
  const said = dataset.attrs["truncation"];
  const { latitude, longitude } = dataset.dims;
  if (typeof said !== "number")
    throw new DataError(
      dataset.source,
      "no attribute 'truncation' says how fine it is: give weather that foehn simulate made",
    );
  const { nlat, nlon } = gridFor(said);
  if (latitude !== nlat || longitude !== nlon)
    throw new DataError(
      dataset.source,
      `it lies on ${latitude} x ${longitude} points, but T${said} lives on ${nlat} x ${nlon}: give the whole globe as it was simulated`,
    );
  return said;
}

/** The coarse twin of a simulated dataset on its Gaussian grid: the same variables and times at `coarse`, filtered as they are read. */
export function coarseTwin(dataset: Dataset, { coarse }: { coarse: number }): Dataset {
  const fine = truncationOfGrid(dataset);
  if (coarse >= fine)
    throw new UsageError(`the twin's truncation T${coarse} is not below the truth's T${fine}: take a smaller one`);
  const from = sphericalTransform(fine);
  const to = sphericalTransform(coarse);
  const axes: Record<string, MemoryVariable> = {};
  for (const [name, values] of [
    ["latitude", to.latitudes],
    ["longitude", to.longitudes],
  ] as const)
    axes[name] = {
      dims: [name],
      data: ndarray("float64", [values.length], values),
      attrs: dataset.variables.get(name)?.attrs,
    };
  const variables = new Map(dataset.variables);
  for (const own of memoryDataset(axes).variables.values()) variables.set(own.name, own);
  for (const v of dataset.variables.values())
    if (v.dims.includes("latitude") && v.dims.includes("longitude")) variables.set(v.name, filtered(v, from, to));
  return {
    ...dataset,
    source: `${dataset.source}, coarsened to T${coarse}`,
    dims: { ...dataset.dims, latitude: to.nlat, longitude: to.nlon },
    variables,
    attrs: { ...dataset.attrs, truncation: coarse },
  };
}

/** A variable [..., latitude, longitude] that is read whole in the horizontal, filtered, and only then cut. */
function filtered(v: Variable, from: SphericalTransform, to: SphericalTransform): Variable {
  const shape = [...v.shape.slice(0, -2), to.nlat, to.nlon];
  const most = v.name === "land_sea_mask" ? 1 : Number.POSITIVE_INFINITY;
  return {
    name: v.name,
    dims: v.dims,
    shape,
    dtype: "float32",
    attrs: v.attrs,
    async read(selection = {}) {
      const { latitude, longitude, ...leading } = selection;
      const fine = await v.read(leading);
      const fields = coarsen(from, to, Float32Array.from(toNumbers(fine)), {
        vector: v.name.includes("component_of_wind"),
      });
      if (NEVER_NEGATIVE.includes(v.name))
        for (let i = 0; i < fields.length; i++) fields[i] = Math.min(most, Math.max(0, fields[i]));
      const coarse = ndarray("float32", [...fine.shape.slice(0, -2), to.nlat, to.nlon], fields);
      const dims = v.dims.filter((dim) => typeof leading[dim] !== "number");
      const rest = {
        ...(latitude === undefined ? {} : { latitude }),
        ...(longitude === undefined ? {} : { longitude }),
      };
      return select(coarse, resolveSelection({ name: v.name, dims, shape: coarse.shape }, rest, v.name));
    },
  };
}

/**
 * What a coarse model misses: both models start from the truth (the coarse one from its filtered state) and run `seconds`; the
 * result is (filtered truth - coarse) / seconds as a spectrum [row][re, im][state columns] of the coarse truncation.
 * `coarse` are the coarse model's options; levels must be those of the truth.
 */
export function subgridTendency(
  truth: PrimitiveModel,
  coarse: PrimitiveOptions,
  { seconds }: { seconds: number },
): { tendency: Float64Array; model: PrimitiveModel } {
  const model = primitiveModel(coarse);
  if (model.levels.count !== truth.levels.count || model.columns.state !== truth.columns.state)
    throw new UsageError(
      `the coarse model has ${model.levels.count} levels and the truth ${truth.levels.count}: give both the same`,
    );
  const columns = truth.columns.state;
  const steps = (of: PrimitiveModel): number => {
    const count = seconds / of.stepSeconds;
    if (!Number.isInteger(count) || count < 1)
      throw new UsageError(
        `${seconds} s is no multiple of a step of ${of.stepSeconds} s: take one of both models' steps`,
      );
    return count;
  };
  const [long, short] = [steps(truth), steps(model)];
  model.now.set(truncateSpectrum(truth.transform, truth.now, model.transform, columns));
  for (let s = 0; s < long; s++) truth.step();
  for (let s = 0; s < short; s++) model.step();
  const followed = truncateSpectrum(truth.transform, truth.now, model.transform, columns);
  return { tendency: followed.map((value, i) => (value - model.now[i]) / seconds), model };
}
