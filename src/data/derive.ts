/**
 * Variables that follow from others, computed as they are read. What goes in is found by what it is (catalogue), not by its
 * name, and brought to SI first.
 *
 *     const more = await derive(dataset, ["10m_wind_speed", "vorticity", "thickness_500_1000"]);
 */
import { sphereDerivatives, type SphereDerivatives } from "../earth/differential.js";
import {
  dewPoint,
  relativeHumidity,
  relativeHumidityOfDewPoint,
  saturationVapourPressure,
  vapourPressure,
} from "../earth/moisture.js";
import { conversion, STANDARD_GRAVITY } from "../earth/units.js";
import { identify, quantity, toCanonical } from "../earth/variables.js";
import { windDirection, windSpeed } from "../earth/wind.js";
import { DataError, nearest, UsageError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { asArray } from "./blocks.js";
import { computedVariable } from "./computed.js";
import { readCoordinate } from "./coords.js";
import type { Attributes, Dataset, Variable } from "./dataset.js";
import { gridOf } from "./regrid.js";
import { mappedVariable, withVariables } from "./views.js";

interface Recipe {
  readonly name: string;
  /** Catalogue names of what it needs; `a|b` is either. */
  readonly needs: readonly string[];
  readonly attrs: Attributes;
  make(inputs: readonly Variable[], context: Context): Promise<Variable>;
}

interface Context {
  readonly dataset: Dataset;
  readonly name: string;
  readonly attrs: Attributes;
}

const about = (standard: string | undefined, units: string): Attributes =>
  standard ? { standard_name: standard, units } : { units };

/** A recipe that works value by value; `pressure` in Pa where the variable lies on levels. */
function pointwise(
  name: string,
  needs: readonly string[],
  attrs: Attributes,
  at: (values: readonly number[], pressure: number) => number,
  onLevels = false,
): Recipe {
  return {
    name,
    needs,
    attrs,
    async make(inputs, { dataset }) {
      const pressures = onLevels ? await pressuresOf(dataset, inputs[0]) : undefined;
      const levels = pressures?.length ?? 1;
      return computedVariable(
        {
          name,
          inputs,
          attrs,
          // with levels last, the pressure of a value follows from its place
          whole: onLevels ? ["level"] : [],
          compute: (values) => {
            const out = new Float64Array(values[0].length);
            const each = values.map(() => 0);
            for (let i = 0; i < out.length; i++) {
              for (let k = 0; k < each.length; k++) each[k] = values[k][i];
              out[i] = at(each, pressures ? pressures[i % levels] : NaN);
            }
            return out;
          },
        },
        dataset.source,
      );
    },
  };
}

/** A recipe for whole fields of latitude and longitude. */
function fieldwise(
  name: string,
  needs: readonly string[],
  attrs: Attributes,
  of: (derivatives: SphereDerivatives, fields: readonly ArrayLike<number>[]) => Float64Array,
): Recipe {
  return {
    name,
    needs,
    attrs,
    async make(inputs, { dataset }) {
      const grid = await gridOf(dataset);
      if (grid.kind !== "rectilinear")
        throw new DataError(
          dataset.source,
          `'${name}' needs rows of latitude and columns of longitude; regrid it first`,
        );
      const derivatives = sphereDerivatives(grid);
      const cells = grid.latitudes.length * grid.longitudes.length;
      return computedVariable(
        {
          name,
          inputs,
          attrs,
          whole: ["latitude", "longitude"],
          compute: (values, count) => {
            const out = new Float64Array(count * cells);
            for (let f = 0; f < count; f++) {
              const fields = values.map((all) => part(all, f * cells, cells));
              out.set(of(derivatives, fields), f * cells);
            }
            return out;
          },
        },
        dataset.source,
      );
    },
  };
}

const part = (values: ArrayLike<number>, start: number, length: number): ArrayLike<number> =>
  (values as Float64Array).subarray(start, start + length);

/** Integrated vapour transport: 1/g of the integral of q times the wind over pressure, by trapezia between the levels. */
function transport(name: string, standard: string | undefined, component: "u" | "v" | "both"): Recipe {
  const attrs = about(standard, "kg m-1 s-1");
  const needs = ["specific_humidity", "u_component_of_wind", "v_component_of_wind"];
  return {
    name,
    needs,
    attrs,
    async make(inputs, { dataset }) {
      const pressures = await pressuresOf(dataset, inputs[0]);
      const n = pressures.length;
      if (n < 2) throw new DataError(dataset.source, `'${name}' needs at least two pressure levels to integrate over`);
      const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => pressures[a] - pressures[b]);
      // each level's share of the integral: half the way to either neighbour
      const thickness = new Float64Array(n);
      for (let k = 1; k < n; k++) {
        const half = (pressures[order[k]] - pressures[order[k - 1]]) / 2;
        thickness[order[k]] += half;
        thickness[order[k - 1]] += half;
      }
      return computedVariable(
        {
          name,
          inputs,
          attrs,
          whole: ["level"],
          without: ["level"],
          compute: ([q, u, v], count) => {
            const out = new Float64Array(count);
            for (let i = 0; i < count; i++) {
              let east = 0;
              let north = 0;
              for (let k = 0; k < n; k++) {
                const mass = (q[i * n + k] * thickness[k]) / STANDARD_GRAVITY;
                east += mass * u[i * n + k];
                north += mass * v[i * n + k];
              }
              out[i] = component === "u" ? east : component === "v" ? north : Math.hypot(east, north);
            }
            return out;
          },
        },
        dataset.source,
      );
    },
  };
}

/** Either geopotential or its height, as geopotential. */
const GEOPOTENTIAL = "geopotential|geopotential_height";

const WIND = ["u_component_of_wind", "v_component_of_wind"];
const WIND_10M = ["10m_u_component_of_wind", "10m_v_component_of_wind"];

const RECIPES: readonly Recipe[] = [
  pointwise("wind_speed", WIND, about("wind_speed", "m s-1"), ([u, v]) => windSpeed(u, v)),
  pointwise("10m_wind_speed", WIND_10M, about("wind_speed", "m s-1"), ([u, v]) => windSpeed(u, v)),
  pointwise("wind_from_direction", WIND, about("wind_from_direction", "degree"), ([u, v]) => windDirection(u, v)),
  pointwise("10m_wind_from_direction", WIND_10M, about("wind_from_direction", "degree"), ([u, v]) =>
    windDirection(u, v),
  ),
  fieldwise("vorticity", WIND, about("atmosphere_relative_vorticity", "s-1"), (d, [u, v]) => d.vorticity(u, v)),
  fieldwise("divergence", WIND, about("divergence_of_wind", "s-1"), (d, [u, v]) => d.divergence(u, v)),
  fieldwise(
    "u_component_of_geostrophic_wind",
    [GEOPOTENTIAL],
    about("geostrophic_eastward_wind", "m s-1"),
    (d, [z]) => d.geostrophicWind(z).u,
  ),
  fieldwise(
    "v_component_of_geostrophic_wind",
    [GEOPOTENTIAL],
    about("geostrophic_northward_wind", "m s-1"),
    (d, [z]) => d.geostrophicWind(z).v,
  ),
  pointwise(
    "relative_humidity",
    ["specific_humidity", "temperature"],
    about("relative_humidity", "1"),
    ([q, t], p) => relativeHumidity(q, t, p),
    true,
  ),
  pointwise(
    "dewpoint_temperature",
    ["specific_humidity"],
    about("dew_point_temperature", "K"),
    ([q], p) => dewPoint(vapourPressure(q, p)),
    true,
  ),
  pointwise(
    "2m_relative_humidity",
    ["2m_dewpoint_temperature", "2m_temperature"],
    about("relative_humidity", "1"),
    ([td, t]) => relativeHumidityOfDewPoint(td, t),
  ),
  pointwise(
    "2m_vapour_pressure_deficit",
    ["2m_dewpoint_temperature", "2m_temperature"],
    about("water_vapor_saturation_deficit_in_air", "Pa"),
    ([td, t]) => saturationVapourPressure(t) - saturationVapourPressure(td),
  ),
  transport("integrated_vapour_transport", undefined, "both"),
  transport("eastward_integrated_vapour_transport", undefined, "u"),
  transport("northward_integrated_vapour_transport", undefined, "v"),
];

/** What lies between two pressures: the difference of their heights, m. */
const THICKNESS = /^thickness_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)$/;

function thickness(name: string): Recipe | undefined {
  const match = THICKNESS.exec(name);
  if (!match) return undefined;
  const [upper, lower] = [Number(match[1]), Number(match[2])].sort((a, b) => a - b);
  const attrs = { ...about(undefined, "m"), long_name: `height of ${upper} hPa above ${lower} hPa` };
  return {
    name,
    needs: [GEOPOTENTIAL],
    attrs,
    async make(inputs, { dataset }) {
      const pressures = await pressuresOf(dataset, inputs[0]);
      const [top, bottom] = [upper, lower].map((hPa) => {
        const at = pressures.findIndex((p) => Math.abs(p - 100 * hPa) < 0.5);
        if (at < 0) throw new DataError(dataset.source, `'${name}' needs the level ${hPa} hPa, which is not there`);
        return at;
      });
      const n = pressures.length;
      return computedVariable(
        {
          name,
          inputs,
          attrs,
          whole: ["level"],
          without: ["level"],
          compute: ([z], count) =>
            Float64Array.from({ length: count }, (_, i) => (z[i * n + top] - z[i * n + bottom]) / STANDARD_GRAVITY),
        },
        dataset.source,
      );
    },
  };
}

/** The names that can be asked for; `thickness_<hPa>_<hPa>` besides. */
export const DERIVED_VARIABLES: readonly string[] = [...RECIPES.map(({ name }) => name), "thickness_500_1000"];

/** The dataset and, beside its variables, derived ones. */
export async function derive(dataset: Dataset, names: readonly string[]): Promise<Dataset> {
  const made: Variable[] = [];
  for (const name of names) {
    const recipe = RECIPES.find((each) => each.name === name) ?? thickness(name);
    if (!recipe) {
      const near = nearest(name, DERIVED_VARIABLES);
      throw new UsageError(
        `'${name}' is nothing that can be derived${near ? `; did you mean '${near}'?` : ""} There are: ${DERIVED_VARIABLES.join(", ")}`,
      );
    }
    const inputs = recipe.needs.map((need) => inputOf(dataset, need, name));
    made.push(await recipe.make(inputs, { dataset, name, attrs: recipe.attrs }));
  }
  return withVariables(dataset, [...dataset.variables.values(), ...made]);
}

/** Which of the derived variables a dataset has everything for, and not already. */
export function derivable(dataset: Dataset): string[] {
  const levels = dataset.variables.get("level");
  const onPressure = levels && isPressure(levels.attrs["units"]);
  return RECIPES.filter(
    ({ name, needs }) =>
      !dataset.variables.has(name) &&
      (!LEVELLED.has(name) || onPressure) &&
      needs.every((need) => find(dataset, need) !== undefined),
  ).map(({ name }) => name);
}

/** Need the level's pressure. */
const LEVELLED = new Set([
  "relative_humidity",
  "dewpoint_temperature",
  "integrated_vapour_transport",
  "eastward_integrated_vapour_transport",
  "northward_integrated_vapour_transport",
]);

function find(dataset: Dataset, need: string): Variable | undefined {
  const wanted = need.split("|");
  for (const name of wanted)
    for (const v of dataset.variables.values())
      // a single number is a coordinate (CMIP's height of 2 m), no field
      if (!v.readStrings && v.dims.length > 0 && !(v.name in dataset.dims) && identify(v)?.name === name) return v;
  return undefined;
}

/** The variable of that quantity in canonical units; a height as geopotential where that was asked for. */
function inputOf(dataset: Dataset, need: string, of: string): Variable {
  const v = find(dataset, need);
  if (!v)
    throw new DataError(
      dataset.source,
      `'${of}' needs ${need.split("|").join(" or ").replaceAll("_", " ")}, which is not there; it has ${[...dataset.variables.keys()].join(", ")}`,
    );
  const units = v.attrs["units"];
  if (typeof units !== "string")
    throw new DataError(dataset.source, `'${v.name}' has no units, so '${of}' cannot be computed; say what they are`);
  const target = quantity(need.split("|")[0])!;
  const { scale, offset } = need.includes("|")
    ? conversion(units, target.units, { geopotential: true })
    : toCanonical(target, units);
  if (scale === 1 && offset === 0) return v;
  const dtype = v.dtype === "float32" ? "float32" : "float64";
  const inUnits = (values: ArrayLike<number>): Float32Array | Float64Array => {
    const out = new (dtype === "float32" ? Float32Array : Float64Array)(values.length);
    for (let i = 0; i < out.length; i++) out[i] = values[i] * scale + offset;
    return out;
  };
  return mappedVariable(v, (array) => asArray(dtype, array.shape, inUnits(toNumbers(array))), { dtype });
}

const isPressure = (units: unknown): boolean => {
  try {
    conversion(String(units), "Pa");
    return true;
  } catch {
    return false;
  }
};

/** The pressures of a variable's levels, Pa. */
async function pressuresOf(dataset: Dataset, v: Variable): Promise<Float64Array> {
  const units = dataset.variables.get("level")?.attrs["units"];
  if (!v.dims.includes("level") || !isPressure(units))
    throw new DataError(
      dataset.source,
      `'${v.name}' does not lie on levels of pressure (its level is in '${String(units ?? "nothing")}'), which this needs`,
    );
  const { scale } = conversion(String(units), "Pa");
  return (await readCoordinate(dataset, "level")).map((p) => p * scale);
}
