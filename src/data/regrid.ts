/**
 * A dataset on another grid, lazily: every variable on its latitudes and longitudes is regridded as it is read.
 *
 *     const coarse = await regridded(dataset, globalGrid("240x121"), { method: "conservative" });
 *     const atStations = await regridded(dataset, points(lat, lon), { method: "bilinear" });
 *     const map = await regridded(stations, globalGrid("360x181"), { method: "delaunay" });
 */
import {
  applyWeights,
  curvilinear,
  type Grid,
  rectilinear,
  type RegridMethod,
  type RegridWeights,
  regridWeights,
} from "../earth/regrid/index.js";
import { DataError, FoehnError } from "../errors.js";
import { asArray } from "./blocks.js";
import { computedVariable } from "./computed.js";
import { readCoordinate } from "./coords.js";
import {
  type Dataset,
  memoryDataset,
  type MemoryVariable,
  resolveSelection,
  type Variable,
  variable,
} from "./dataset.js";
import { withVariables } from "./views.js";

export interface RegridOptions {
  /** Unless told: bilinear from grids, inverse-distance from stations. */
  readonly method?: RegridMethod;
  /** Of a target value's weight, how much must have values. */
  readonly minimumShare?: number;
  /** Names of the target's points. */
  readonly stations?: readonly string[];
}

/** The grid of a dataset's latitude and longitude. */
export async function gridOf(dataset: Dataset): Promise<Grid> {
  const [latitude, longitude] = [variable(dataset, "latitude"), variable(dataset, "longitude")];
  const values = [await readCoordinate(dataset, "latitude"), await readCoordinate(dataset, "longitude")] as const;
  const alike = latitude.dims.join() === longitude.dims.join();
  if (latitude.dims.length === 1 && alike) return { kind: "points", latitudes: values[0], longitudes: values[1] };
  if (latitude.dims.length === 2 && alike) return curvilinear(latitude.shape[0], latitude.shape[1], ...values);
  if (latitude.dims.length !== 1 || longitude.dims.length !== 1)
    throw new DataError(
      dataset.source,
      `its latitude is on (${latitude.dims.join(", ")}) and its longitude on (${longitude.dims.join(", ")}), which is no grid`,
    );
  try {
    return rectilinear(...values);
  } catch (error) {
    throw error instanceof FoehnError ? new DataError(dataset.source, error.message, { cause: error }) : error;
  }
}

/** The dataset on another grid. Variables that do not lie on the whole of the old one stay as they are, or are left out. */
export async function regridded(dataset: Dataset, target: Grid, options: RegridOptions = {}): Promise<Dataset> {
  const source = await gridOf(dataset);
  const { stations } = options;
  const { method = source.kind === "points" ? "inverse-distance" : "bilinear", minimumShare } = options;
  const space = [...new Set([...variable(dataset, "latitude").dims, ...variable(dataset, "longitude").dims])];
  const weights = regridWeights(source, target, method);
  const places = placesOf(target);
  const variables = [...dataset.variables.values()].flatMap((v) => {
    if (v.name === "latitude" || v.name === "longitude" || "grid_mapping_name" in v.attrs) return [];
    if (!v.dims.some((dim) => space.includes(dim))) return [v];
    const onGrid = space.every((dim) => v.dims.includes(dim)) && !v.readStrings;
    return onGrid ? [regriddedVariable(v, weights, { space, target, minimumShare, source: dataset.source })] : [];
  });
  const names = stations && target.kind === "points" ? [textVariable("station", stations, dataset.source)] : [];
  return withVariables(dataset, [...names, ...places.variables.values(), ...variables]);
}

/** Texts along a dimension of their own name. */
function textVariable(name: string, texts: readonly string[], source: string): Variable {
  const of = { name, dims: [name], shape: [texts.length] };
  return {
    ...of,
    dtype: "uint8",
    attrs: {},
    read: () => Promise.reject(new DataError(source, `'${name}' is text; read it as strings`)),
    readStrings: async (selection = {}) =>
      Array.from(resolveSelection(of, selection, source)[0].indices, (i) => texts[i]),
  };
}

/** The dimensions of a grid: their names and lengths. */
function dimsOf(grid: Grid): { dim: string; length: number }[] {
  if (grid.kind === "points") return [{ dim: "station", length: grid.latitudes.length }];
  if (grid.kind === "curvilinear")
    return [
      { dim: "y", length: grid.rows },
      { dim: "x", length: grid.columns },
    ];
  return [
    { dim: "latitude", length: grid.latitudes.length },
    { dim: "longitude", length: grid.longitudes.length },
  ];
}

/** The target's coordinates. */
function placesOf(target: Grid): Dataset {
  const one = (name: "latitude" | "longitude", values: Float64Array): MemoryVariable => {
    const on = target.kind === "rectilinear" ? [{ dim: name, length: values.length }] : dimsOf(target);
    return {
      dims: on.map(({ dim }) => dim),
      data: asArray(
        "float64",
        on.map(({ length }) => length),
        values,
      ),
      attrs: { units: name === "latitude" ? "degrees_north" : "degrees_east", standard_name: name },
    };
  };
  return memoryDataset({ latitude: one("latitude", target.latitudes), longitude: one("longitude", target.longitudes) });
}

/** What a variable says of where it lay. */
const PLACE_ATTRIBUTES = new Set(["coordinates", "grid_mapping"]);

function regriddedVariable(
  v: Variable,
  weights: RegridWeights,
  options: { space: readonly string[]; target: Grid; minimumShare?: number; source: string },
): Variable {
  const { space, target, minimumShare, source } = options;
  const double = v.dtype !== "float32";
  return computedVariable(
    {
      name: v.name,
      inputs: [v],
      attrs: Object.fromEntries(Object.entries(v.attrs).filter(([name]) => !PLACE_ATTRIBUTES.has(name))),
      whole: space,
      becomes: dimsOf(target),
      compute: ([values]) => {
        const given =
          values instanceof Float32Array || values instanceof Float64Array ? values : Float64Array.from(values);
        return applyWeights(weights, double && given instanceof Float32Array ? Float64Array.from(given) : given, {
          minimumShare,
        });
      },
    },
    source,
  );
}
