/** The variables a simulation gives, under the names of WeatherBench 2 with CF standard names and units. */
import type { Attributes } from "../data/dataset.js";

export interface VariableInfo {
  readonly name: string;
  /** On pressure levels, or one value a column. */
  readonly onLevels: boolean;
  readonly attrs: Attributes;
}

const info = (
  name: string,
  onLevels: boolean,
  standard: string,
  units: string,
  more: Attributes = {},
): VariableInfo => ({
  name,
  onLevels,
  attrs: { standard_name: standard, long_name: name.replaceAll("_", " "), units, ...more },
});

export const VARIABLES: readonly VariableInfo[] = [
  info("geopotential", true, "geopotential", "m2 s-2"),
  info("temperature", true, "air_temperature", "K"),
  info("u_component_of_wind", true, "eastward_wind", "m s-1"),
  info("v_component_of_wind", true, "northward_wind", "m s-1"),
  info("specific_humidity", true, "specific_humidity", "kg kg-1"),
  info("mean_sea_level_pressure", false, "air_pressure_at_mean_sea_level", "Pa"),
  info("surface_pressure", false, "surface_air_pressure", "Pa"),
  info("2m_temperature", false, "air_temperature", "K", { height: "2 m" }),
  info("10m_u_component_of_wind", false, "eastward_wind", "m s-1", { height: "10 m" }),
  info("10m_v_component_of_wind", false, "northward_wind", "m s-1", { height: "10 m" }),
  info("total_precipitation", false, "precipitation_amount", "kg m-2", {
    cell_methods: "time: sum (interval: since the value before)",
  }),
  info("skin_temperature", false, "surface_temperature", "K"),
  info("vorticity", true, "atmosphere_relative_vorticity", "s-1"),
];

export const variableInfo = (name: string): VariableInfo | undefined => VARIABLES.find((v) => v.name === name);
