/**
 * Where a token lies. `geographic`: a small network of sines and cosines of its latitude and longitude, which any grid, region or
 * station has, and which moves with the grid when its columns are rolled. `learnt`: an array for one grid, as in the published
 * vision transformers, interpolated where the model is taken to another grid.
 */
import { type Parameters, type Scope, truncatedNormal } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, reshape } from "../graph/ops.js";
import { float32, type NdArray } from "../tensor/ndarray.js";
import { dense } from "./layers.js";
import type { ModelInputs } from "./model.js";
import type { PatchGrid } from "./patches.js";

export type PositionKind = "geographic" | "learnt";

/** Waves around a circle: the shortest is of 11 degrees, so that patches a few degrees apart differ clearly. */
export const WAVES: readonly number[] = [1, 2, 4, 8, 16, 32];

/** x [batch, patch, width] with every patch's position added. */
export function addPosition(p: Scope, x: Tensor, inputs: ModelInputs, grid: PatchGrid, kind: PositionKind): Tensor {
  const width = x.shape[2];
  if (kind === "learnt")
    return add(
      x,
      reshape(p.param("position", [grid.rows, grid.columns, width], truncatedNormal(0.02)), [
        1,
        grid.rows * grid.columns,
        width,
      ]),
    );
  const fixed = () => {
    const centres = patchCentres(inputs, grid);
    return x.graph.constant(float32([1, centres.length, FEATURES], centres.flatMap(placeFeatures)));
  };
  const features = inputs.places ?? fixed();
  const embedded = dense(p.child("position2"), gelu(dense(p.child("position1"), features, width)), width);
  return add(x, embedded);
}

export const FEATURES = 1 + 4 * WAVES.length;

/** Numbers that say where a point lies, smooth over the sphere: longitude fades towards the poles, where it means nothing. */
export function placeFeatures([latitude, longitude]: readonly [number, number]): number[] {
  const [phi, lambda] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  const near = Math.cos(phi);
  return [
    Math.sin(phi),
    ...WAVES.flatMap((k) => [
      Math.sin(2 * k * phi),
      Math.cos(2 * k * phi),
      near * Math.sin(k * lambda),
      near * Math.cos(k * lambda),
    ]),
  ];
}

/** Latitude and longitude of each patch's middle; a patch that sticks out over the grid has its middle within. */
export function patchCentres(
  { latitudes, longitudes }: Pick<ModelInputs, "latitudes" | "longitudes">,
  grid: PatchGrid,
) {
  const part = (values: ArrayLike<number>, i: number, size: number) =>
    Array.from(values).slice(i * size, (i + 1) * size);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const rows = Array.from({ length: grid.rows }, (_, i) => mean(part(latitudes, i, grid.patch[0])));
  const columns = Array.from({ length: grid.columns }, (_, j) => {
    const angles = part(longitudes, j, grid.patch[1]).map((v) => (v * Math.PI) / 180);
    return (Math.atan2(mean(angles.map(Math.sin)), mean(angles.map(Math.cos))) * 180) / Math.PI; // across the date line too
  });
  return rows.flatMap((latitude) => columns.map((longitude): [number, number] => [latitude, longitude]));
}

/** A learnt position array [rows, columns, width] taken bilinearly to another grid of patches over the same region. */
export function interpolatePositions(
  from: NdArray<"float32">,
  rows: number,
  columns: number,
  global: boolean,
): NdArray<"float32"> {
  const [r, c, width] = from.shape;
  const out = new Float32Array(rows * columns * width);
  // Middles of patches lie at (i + 1/2) / n of the region
  const place = (i: number, n: number, m: number, wrap: boolean): [number, number, number] => {
    const x = ((i + 0.5) * m) / n - 0.5;
    const low = Math.floor(x);
    const within = (k: number) => (wrap ? (k + m) % m : Math.min(Math.max(k, 0), m - 1));
    return [within(low), within(low + 1), x - low];
  };
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const [up, down, y] = place(i, rows, r, false);
      const [left, right, x] = place(j, columns, c, global);
      for (let k = 0; k < width; k++) {
        const at = (a: number, b: number) => from.data[(a * c + b) * width + k];
        out[(i * columns + j) * width + k] =
          (1 - y) * ((1 - x) * at(up, left) + x * at(up, right)) + y * ((1 - x) * at(down, left) + x * at(down, right));
      }
    }
  return float32([rows, columns, width], out);
}

/** Parameters for the graph that `target` writes: learnt positions of another grid interpolated, everything else as it is. */
export function adaptPositions(parameters: Parameters, target: Scope, global: boolean): Parameters {
  return new Map(
    [...parameters].map(([name, array]) => {
      const wanted = target.initialisers.get(name)?.shape;
      const moves =
        /(^|\.)position$/.test(name) &&
        wanted?.length === 3 &&
        array.shape.length === 3 &&
        wanted[2] === array.shape[2];
      return [name, moves ? interpolatePositions(array, wanted[0], wanted[1], global) : array];
    }),
  );
}
