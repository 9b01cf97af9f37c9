/**
 * A fine truth and its coarse twin: fields filtered spectrally to a lower truncation and set on its own grid, and the tendencies
 * that a coarse model would need to follow the truth (what the unresolved scales do).
 */
import { type Dataset, memoryDataset, type MemoryVariable, variable } from "../data/dataset.js";
import { UsageError } from "../errors.js";
import { ndarray, toNumbers } from "../tensor/ndarray.js";
import { type PrimitiveModel, primitiveModel, type PrimitiveOptions } from "./primitive.js";
import { type SphericalTransform, sphericalTransform } from "./transform.js";

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

/** Rain and humidity may not go below zero where a filter overshoots. */
const NEVER_NEGATIVE = ["specific_humidity", "total_precipitation"];

/** The coarse twin of a simulated dataset on the Gaussian grid of `fine`: the same variables and times at `coarse`. */
export async function coarseTwin(
  dataset: Dataset,
  { fine, coarse }: { fine: number; coarse: number },
): Promise<Dataset> {
  if (coarse >= fine)
    throw new UsageError(`the twin's truncation T${coarse} is not below the truth's T${fine}: take a smaller one`);
  const from = sphericalTransform(fine);
  const to = sphericalTransform(coarse);
  const out: Record<string, MemoryVariable> = {};
  for (const source of dataset.variables.values()) {
    const { name, dims, shape, attrs } = source;
    if (name === "latitude" || name === "longitude") {
      const values = name === "latitude" ? to.latitudes : to.longitudes;
      out[name] = { dims, data: ndarray("float64", [values.length], values), attrs };
    } else if (!dims.includes("latitude")) out[name] = { dims, data: await source.read(), attrs };
    else {
      const [nlat, nlon] = shape.slice(-2);
      if (nlat !== from.nlat || nlon !== from.nlon)
        throw new UsageError(
          `'${name}' lies on ${nlat} x ${nlon} points, but T${fine} lives on ${from.nlat} x ${from.nlon}`,
        );
      const inner = shape.slice(1, -2).reduce((product, n) => product * n, 1);
      const data = new Float32Array(shape[0] * inner * to.points);
      for (let t = 0; t < shape[0]; t++) {
        const field = Float32Array.from(toNumbers(await variable(dataset, name).read({ time: t })));
        const filtered = coarsen(from, to, field, { vector: name.includes("component_of_wind") });
        data.set(NEVER_NEGATIVE.includes(name) ? filtered.map((x) => Math.max(0, x)) : filtered, t * inner * to.points);
      }
      out[name] = { dims, data: ndarray("float32", [...shape.slice(0, -2), to.nlat, to.nlon], data), attrs };
    }
  }
  return memoryDataset(out, {
    source: `${dataset.source}, coarsened to T${coarse}`,
    attrs: { ...dataset.attrs, truncation: coarse },
  });
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
