/**
 * The moist atmosphere: primitive equations with water, grey radiation that answers to CO2, seasons, convection, and a slab of
 * ocean and soil beneath.
 */
import type { Atmosphere } from "./atmosphere.js";
import type { SimulationConfig } from "./config.js";
import { primitiveAtmosphere, startAtRest } from "./dry.js";
import { defaultHalfLevels, sigmaLevels } from "./levels.js";
import { drawFactors, type EnergyMeans, moistPhysics } from "./moist-physics.js";
import { landOn, orographyOn } from "./orography.js";
import { DAY, EARTH } from "./planet.js";
import { primitiveModel, type PrimitiveModel } from "./primitive.js";
import { saturationHumidity } from "./thermodynamics.js";
import { sphericalTransform } from "./transform.js";

export interface MoistClock {
  /** Fraction of the year since the March equinox, of the day at Greenwich, and ppm of CO2, at a model time in seconds. */
  readonly yearFraction: (time: number) => number;
  readonly dayFraction: (time: number) => number;
  readonly co2: (time: number) => number;
}

export interface MoistAtmosphere extends Atmosphere {
  readonly model: PrimitiveModel;
  /** Temperature of the ground, K, [latitude][longitude]. */
  readonly ground: Float64Array;
  /** Global means since `clearMeans`. */
  means(): EnergyMeans;
  clearMeans(): void;
}

/** Equilibrium warming (K per doubling) of this atmosphere for c = 1 in `radiation.ts`; the measurement is in docs/atmosphere.md. */
export const WARMING_PER_THICKENING = 7.8;

/** Roughness (m) of the logarithmic profile between the ground and the lowest level. */
const ROUGHNESS = 1e-3;

export function moistAtmosphere(config: SimulationConfig, clock: MoistClock): MoistAtmosphere {
  const halfLevels = typeof config.levels === "number" ? defaultHalfLevels(config.levels) : config.levels;
  const transform = sphericalTransform(config.truncation);
  const heights = orographyOn(transform, config.orography);
  const levels = sigmaLevels(halfLevels);
  const land = landOn(transform, config.land);
  const sensitivity = config.sensitivity / WARMING_PER_THICKENING;
  const slow = moistPhysics({
    transform,
    levels,
    planet: EARTH,
    slabDepth: config.slabDepth,
    land,
    yearFraction: config.seasonal ? clock.yearFraction : () => 0,
    dayFraction: config.diurnal ? clock.dayFraction : undefined,
    factors: drawFactors(config.seed, config.perturbedPhysics),
    thickening: (time) => sensitivity * Math.log2(clock.co2(time) / 280),
  });
  const drag = new Float64Array(levels.count);
  drag[0] = 1 / (5 * DAY); // the uppermost level stands for all that damps waves higher up
  const model = primitiveModel({
    truncation: config.truncation,
    halfLevels,
    step: config.step,
    moist: true,
    heatFromFriction: true,
    surfaceGeopotential: heights?.map((h) => h * EARTH.gravity),
    physics: slow.physics,
    drag,
  });
  startAtRest(model, { seed: config.seed });
  moisten(model);
  const base = primitiveAtmosphere(model);
  const { ground, rain } = slow;
  return {
    transform,
    stepSeconds: model.stepSeconds,
    timing: model.timing,
    surfaceGeopotential: model.surfaceGeopotential,
    land,
    model,
    ground,
    means: () => slow.means(),
    clearMeans: () => slow.clearMeans(),
    get steps() {
      return model.steps;
    },
    get fastest() {
      return model.fastest;
    },
    step: () => model.step(),
    fields(names, pressureLevels) {
      const out = base.fields(names, pressureLevels);
      if (out["skin_temperature"]) out["skin_temperature"].set(ground);
      if (out["total_precipitation"]) out["total_precipitation"].set(rain);
      rain.fill(0);
      const t2m = out["2m_temperature"];
      if (t2m) nearGround(model, ground, t2m);
      return out;
    },
    save() {
      const { steps, arrays } = base.save();
      return { steps, arrays: { ...arrays, ground: ground.slice(), rain: rain.slice() } };
    },
    restore(saved) {
      base.restore(saved);
      ground.set(saved.arrays["ground"]);
      rain.set(saved.arrays["rain"]);
    },
  };
}

/** Humidity at 70 % of saturation below 300 hPa. */
function moisten(model: PrimitiveModel): void {
  const { transform, levels, columns, now } = model;
  const { points, rows, n, truncation } = transform;
  const L = levels.count;
  const width = L + (L % 2);
  const grid = model.grid();
  const humidity = new Float64Array(points * width);
  for (let p = 0; p < points; p++) {
    const g = p * columns.grid;
    const ps = Math.exp(grid[g + columns.logPressure]);
    for (let k = 0; k < L; k++)
      if (levels.full[k] > 0.3)
        humidity[p * width + k] = 0.7 * saturationHumidity(grid[g + columns.temperature + k], levels.full[k] * ps);
  }
  const spectrum = new Float64Array(rows * 2 * width);
  transform.analyse(humidity, spectrum, width);
  for (let r = 0; r < 2 * rows; r++)
    if (n[r >> 1] <= truncation)
      for (let k = 0; k < L; k++) now[r * columns.state + columns.humidity + k] = spectrum[r * width + k];
}

/** 2 m temperature on the logarithmic profile between the ground and the lowest level brought down to it. */
function nearGround(model: PrimitiveModel, ground: Float64Array, out: Float32Array): void {
  const { transform, levels, columns, planet } = model;
  const L = levels.count;
  const grid = model.grid();
  const toGround = levels.full[L - 1] ** -(planet.gasConstant / planet.specificHeat);
  for (let p = 0; p < transform.points; p++) {
    const T = grid[p * columns.grid + columns.temperature + L - 1];
    const height = (-planet.gasConstant * T * Math.log(levels.full[L - 1])) / planet.gravity;
    const share = Math.log(2 / ROUGHNESS) / Math.log(height / ROUGHNESS);
    out[p] = ground[p] + share * (T * toGround - ground[p]);
  }
}
