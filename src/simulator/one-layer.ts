/**
 * The two models of one layer as weather makers: the barotropic vorticity equation stirred at the scale of cyclones (Vallis,
 * Gerber, Kushner and Cash 2004), and shallow water relaxed to a zonal height besides. Their level is called 500 hPa.
 */
import { random } from "../tensor/random.js";
import type { Atmosphere } from "./atmosphere.js";
import type { SimulationConfig } from "./config.js";
import { usualDiffusion } from "./leapfrog.js";
import { orographyOn } from "./orography.js";
import { DAY, EARTH } from "./planet.js";
import { GRID, GEOPOTENTIAL, shallowWaterModel, STATE, U, V, VORTICITY } from "./shallow-water.js";
import { sphericalTransform } from "./transform.js";

/** m^2/s^2: a gravity wave of 300 m/s as the external one, no slower than the flow needs. */
const MEAN_GEOPOTENTIAL = 5500 * EARTH.gravity;
/** Drop of the equilibrium geopotential from equator to pole, m^2/s^2. */
const CONTRAST = 1100 * EARTH.gravity;
const RELAXATION = 1 / (12 * DAY);
const DRAG = 1 / (8 * DAY);
/** Stirring: total wavenumbers, memory (s), and strength (s^-2 per coefficient). */
const STIRRED = { from: 7, to: 12, memory: 2 * DAY, strength: 6e-12 };

/** A `barotropic` or `shallow-water` atmosphere at rest, stirred from `config.seed`. */
export function oneLayerAtmosphere(config: SimulationConfig): Atmosphere {
  const barotropic = config.model === "barotropic";
  const transform = sphericalTransform(config.truncation);
  const { rows, m, n, points, nlon, mu } = transform;
  const heights = orographyOn(transform, config.orography);
  const draw = random(config.seed);
  const stirring = new Float64Array(rows * 2);
  const stirred: number[] = [];
  for (let r = 0; r < rows; r++)
    if (n[r] >= STIRRED.from && n[r] <= Math.min(STIRRED.to, config.truncation) && m[r] >= 3)
      stirred.push(2 * r, 2 * r + 1);
  const keep = Math.exp(-config.step / STIRRED.memory);
  const fresh = STIRRED.strength * Math.sqrt(1 - keep * keep);
  // phi_eq = -CONTRAST (mu^2 - 1/3), and mu^2 - 1/3 = (2 / (3 sqrt 5)) P_2
  const equilibrium = (-CONTRAST * 2) / (3 * Math.sqrt(5));

  const model = shallowWaterModel({
    truncation: config.truncation,
    step: config.step,
    barotropic,
    meanGeopotential: MEAN_GEOPOTENTIAL,
    surfaceGeopotential: heights?.map((h) => h * EARTH.gravity),
    drag: DRAG,
    diffusion: usualDiffusion(config.truncation),
    forcing(before, tendency, steps) {
      const numbers = draw.split(steps);
      for (const at of stirred) {
        stirring[at] = keep * stirring[at] + fresh * numbers.normal();
        tendency[at * STATE + VORTICITY] += stirring[at];
      }
      if (barotropic) return;
      for (let r = 0; r < 2 * rows; r++) {
        if (n[r >> 1] === 0) continue;
        const target = m[r >> 1] === 0 && n[r >> 1] === 2 && r % 2 === 0 ? equilibrium : 0;
        tendency[r * STATE + GEOPOTENTIAL] += RELAXATION * (target - before[r * STATE + GEOPOTENTIAL]);
      }
    },
  });
  for (const at of stirred) model.now[at * STATE] = 1e-6 * draw.normal();

  return {
    transform,
    stepSeconds: config.step,
    timing: model.timing,
    get steps() {
      return model.steps;
    },
    get fastest() {
      return model.fastest;
    },
    step: () => model.step(),
    fields(names) {
      const grid = model.grid();
      const make = (value: (at: number, point: number) => number): Float32Array =>
        Float32Array.from({ length: points }, (_, p) => value(p * GRID, p));
      const secant = (point: number): number => 1 / Math.sqrt(1 - mu[Math.floor(point / nlon)] ** 2);
      const known: Record<string, () => Float32Array> = {
        vorticity: () => make((at) => grid[at + VORTICITY]),
        u_component_of_wind: () => make((at, p) => grid[at + U] * secant(p)),
        v_component_of_wind: () => make((at, p) => grid[at + V] * secant(p)),
        geopotential: () =>
          make((at, p) => grid[at + GEOPOTENTIAL] + MEAN_GEOPOTENTIAL + (heights ? heights[p] * EARTH.gravity : 0)),
      };
      return Object.fromEntries(names.map((name) => [name, known[name]()]));
    },
    save() {
      const { steps, now, before } = model.save();
      return { steps, arrays: { now, before, stirring: stirring.slice() } };
    },
    restore({ steps, arrays }) {
      model.restore({ steps, now: arrays["now"], before: arrays["before"] });
      stirring.set(arrays["stirring"]);
    },
  };
}
