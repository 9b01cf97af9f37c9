/** The dry atmosphere: primitive equations with the forcing of Held and Suarez (1994), over mountains where asked. */
import { random } from "../tensor/random.js";
import type { Atmosphere } from "./atmosphere.js";
import type { SimulationConfig } from "./config.js";
import { heldSuarez, heldSuarezDrag } from "./held-suarez.js";
import { defaultHalfLevels, sigmaLevels } from "./levels.js";
import { orographyOn } from "./orography.js";
import { EARTH } from "./planet.js";
import { type PrimitiveModel, primitiveModel } from "./primitive.js";
import { primitiveFields } from "./primitive-fields.js";
import { sphericalTransform } from "./transform.js";

/** A dry atmosphere at rest with small noise; `yearFraction(seconds)` since the March equinox moves the seasons, where there are any. */
export function dryAtmosphere(
  config: SimulationConfig,
  options: { yearFraction?: (time: number) => number } = {},
): Atmosphere {
  const halfLevels = typeof config.levels === "number" ? defaultHalfLevels(config.levels) : config.levels;
  const heights = orographyOn(sphericalTransform(config.truncation), config.orography);
  const model = primitiveModel({
    truncation: config.truncation,
    halfLevels,
    step: config.step,
    surfaceGeopotential: heights?.map((h) => h * EARTH.gravity),
    physics: heldSuarez({ seasons: config.seasons, ...options }),
    drag: heldSuarezDrag(sigmaLevels(halfLevels)),
  });
  startAtRest(model, { seed: config.seed });
  return primitiveAtmosphere(model);
}

/** A primitive-equation model as an `Atmosphere`. */
export function primitiveAtmosphere(model: PrimitiveModel): Atmosphere {
  return {
    transform: model.transform,
    stepSeconds: model.stepSeconds,
    timing: model.timing,
    surfaceGeopotential: model.surfaceGeopotential,
    get steps() {
      return model.steps;
    },
    get fastest() {
      return model.fastest;
    },
    step: () => model.step(),
    fields: (names, pressureLevels) => primitiveFields(model, names, pressureLevels),
    save() {
      const { steps, mass, ...arrays } = model.save();
      return { steps, arrays: { ...arrays, mass: Float64Array.of(mass) } };
    },
    restore({ steps, arrays }) {
      const { now, before, gridBefore, mass } = arrays;
      model.restore({ steps, mass: mass[0], now, before, gridBefore });
    },
  };
}

/**
 * Rest, in a temperature near that of Held and Suarez' equilibrium (less of its contrast, so that the first jets are those of a
 * grown circulation), the pressure hydrostatic under the mountains, and vorticity noise from `seed`.
 */
export function startAtRest(model: PrimitiveModel, { seed, noise = 2e-6 }: { seed: number; noise?: number }): void {
  const { transform, levels, columns, planet, surfaceGeopotential, now } = model;
  const { nlat, nlon, mu, points, rows, m, n } = transform;
  const L = levels.count;
  const width = L + 1 + ((L + 1) % 2);
  const grid = new Float64Array(points * width);
  const kappa = planet.gasConstant / planet.specificHeat;
  for (let j = 0; j < nlat; j++)
    for (let i = 0; i < nlon; i++) {
      const at = (j * nlon + i) * width;
      const logP = -surfaceGeopotential[j * nlon + i] / (planet.gasConstant * 260);
      for (let k = 0; k < L; k++) {
        const log = Math.log(levels.full[k]) + logP;
        const cos2 = 1 - mu[j] ** 2;
        grid[at + k] = Math.max(205, (308 - 42 * mu[j] ** 2 - 14 * cos2 * log) * Math.exp(kappa * log));
      }
      grid[at + L] = Math.log(planet.pressure) + logP;
    }
  const spectrum = new Float64Array(rows * 2 * width);
  transform.analyse(grid, spectrum, width);
  const draw = random(seed).split("start");
  for (let r = 0; r < rows; r++)
    for (let part = 0; part < 2; part++) {
      const from = (2 * r + part) * width;
      const to = (2 * r + part) * columns.state;
      for (let k = 0; k < L; k++) {
        const wave = m[r] >= 1 && m[r] <= 8 && n[r] <= Math.min(12, transform.truncation);
        if (wave) now[to + columns.vorticity + k] = noise * draw.normal();
        if (n[r] <= transform.truncation) now[to + columns.temperature + k] = spectrum[from + k];
      }
      if (n[r] <= transform.truncation) now[to + columns.logPressure] = spectrum[from + L];
    }
}
