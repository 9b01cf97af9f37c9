/**
 * The embedded atmosphere: a spectral general circulation model that makes weather worth forecasting, with no download.
 *
 *     import { simulateDataset } from "./simulator/index.js";
 *     const weather = await simulateDataset({ model: "dry", days: 90, seed: 1 }, { onProgress: console.log });
 *
 * A hierarchy, each level a complete model: `barotropic`, `shallow-water`, `dry` (Held and Suarez 1994), `moist` (seasons, rain,
 * CO2). The equations stand in docs/atmosphere.md in the order in which the code computes them.
 */
export type { Atmosphere, Saved } from "./atmosphere.js";
export { type Climate, type ClimateFeatures, climateFeatures, describeClimate, measureClimate } from "./climate.js";
export { climatePlots, lineSvg, sectionSvg } from "./climate-plots.js";
export { abruptCo2, co2At, type Co2Table, growingCo2, parseCo2Table } from "./co2.js";
export { MODELS, type ModelName, PRESSURE_LEVELS, type SimulationConfig, simulationConfig } from "./config.js";
export { describeGrowth, ensemble, type ErrorGrowth, errorGrowth } from "./experiments.js";
export {
  byOwner,
  densityFrom,
  type Flaws,
  type NetworkOptions,
  observe,
  observingNetwork,
  type Station,
  USUAL_FLAWS,
} from "./network.js";
export { landFrom, orographyFrom } from "./surface-file.js";
export { decodeRestart, encodeRestart, perturbed, restepped } from "./restart.js";
export {
  atmosphere,
  attributes,
  coordinates,
  type Progress,
  simulate,
  simulateDataset,
  type SimulateOptions,
  simulationLayout,
  type SimulationLayout,
  type Snapshot,
} from "./simulate.js";
export { BlowUpError } from "./stability.js";
export { type SphericalTransform, sphericalTransform } from "./transform.js";
export { coarseTwin, coarsen, subgridTendency } from "./twin.js";
export { VARIABLES, type VariableInfo } from "./variables.js";
