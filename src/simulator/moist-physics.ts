/**
 * The physics of the moist atmosphere, column by column in this order: radiation, surface, boundary layer, convection,
 * condensation, the slab. See `docs/atmosphere.md`.
 */
import {
  ADJUSTMENT_TIME,
  condensation,
  convection,
  convectionSetting,
  type MoistColumn,
  moistColumn,
} from "./convection.js";
import { geopotential, type SigmaLevels } from "./levels.js";
import { random } from "../tensor/random.js";
import { DAY, type Planet } from "./planet.js";
import type { Physics } from "./primitive.js";
import {
  albedo,
  blackBody,
  dailyInsolation,
  longWave,
  momentInsolation,
  sineOfDeclination,
  sunshineShares,
  transmissions,
} from "./radiation.js";
import {
  EXCHANGE,
  LAND_DEPTH,
  mixing,
  oceanHeating,
  type SurfaceFluxes,
  surfaceFluxes,
  WATER_CAPACITY,
} from "./surface.js";
import type { SphericalTransform } from "./transform.js";

export interface MoistPhysicsOptions {
  readonly transform: SphericalTransform;
  readonly levels: SigmaLevels;
  readonly planet: Planet;
  /** Depth of the ocean's slab, m. */
  readonly slabDepth: number;
  /** Share of land, 0 to 1, [latitude][longitude]. */
  readonly land: Float64Array;
  /** Seconds of model time to the fraction of the year since the March equinox. */
  readonly yearFraction: (time: number) => number;
  /** Seconds of model time to the fraction of the day at Greenwich, or undefined for daily mean sunshine. */
  readonly dayFraction?: (time: number) => number;
  /** c log2(CO2 / 280 ppm) at a model time: by how much the air is thicker to long waves. */
  readonly thickening: (time: number) => number;
  /** What uncertain parameters are multiplied by: ensembles of perturbed physics. */
  readonly factors?: PhysicsFactors;
}

export interface PhysicsFactors {
  /** Of convection's time, of the surface's exchange, of the air's optical depth. */
  readonly adjustmentTime: number;
  readonly exchange: number;
  readonly opticalDepth: number;
}

/** Factors near 1 from a seed: log-normal with the given relative spread, the optical depth a tenth of it (it sets the climate). */
export function drawFactors(seed: number, spread: number): PhysicsFactors {
  const draw = random(seed).split("physics");
  const factor = (share: number): number => Math.exp(share * spread * draw.normal());
  return { adjustmentTime: factor(1), exchange: factor(1), opticalDepth: factor(0.1) };
}

export interface MoistPhysics {
  readonly physics: Physics;
  /** Temperature of the ground, K. */
  readonly ground: Float64Array;
  /** Rain since it was last cleared, kg/m^2. */
  readonly rain: Float64Array;
  /** Global means (W/m^2; rain in kg m^-2 s^-1) over the steps since `clearMeans`. */
  means(): EnergyMeans;
  clearMeans(): void;
}

export interface EnergyMeans {
  readonly absorbedSunshine: number;
  readonly outgoingLongWave: number;
  readonly sensible: number;
  readonly latent: number;
  readonly rain: number;
  /** Net flux into the ground. */
  readonly intoGround: number;
}

export function moistPhysics(options: MoistPhysicsOptions): MoistPhysics {
  const { transform, levels, planet, slabDepth, land, yearFraction, dayFraction, thickening } = options;
  const { nlat, nlon, mu, weights, points } = transform;
  const L = levels.count;
  const { specificHeat: cp, gasConstant: R, gravity } = planet;
  const kappa = R / cp;
  const ground = Float64Array.from({ length: points }, (_, p) => 300 - 35 * mu[Math.floor(p / nlon)] ** 2);
  const rain = new Float64Array(points);
  const capacity = Float64Array.from(land, (share) => WATER_CAPACITY * (share * LAND_DEPTH + (1 - share) * slabDepth));
  const transport = oceanHeating(transform, land);
  const column: MoistColumn = moistColumn(L);
  const factor = options.factors ?? { adjustmentTime: 1, exchange: 1, opticalDepth: 1 };
  const setting = convectionSetting(levels, planet, { adjustmentTime: ADJUSTMENT_TIME * factor.adjustmentTime });
  const surface = {
    specificHeat: cp,
    gasConstant: R,
    gravity,
    exchange: EXCHANGE * factor.exchange,
    toGround: levels.full[L - 1] ** -kappa,
  };
  const absorbed = new Float64Array(L);
  const sunshineShare = sunshineShares(levels);
  const height = new Float64Array(L);
  const fluxes: SurfaceFluxes = { sensible: 0, latent: 0, evaporation: 0 };
  const transmission = new Float64Array(nlat * L);
  let transmissionDay = Number.NaN;
  const sums = { absorbedSunshine: 0, outgoingLongWave: 0, sensible: 0, latent: 0, rain: 0, intoGround: 0 };
  let samples = 0;

  const physics: Physics = ({ columns, tendencies, grid, out, leap, time, elapsed }) => {
    const day = Math.floor(time / DAY);
    if (day !== transmissionDay) {
      for (let j = 0; j < nlat; j++)
        transmissions(levels, mu[j], factor.opticalDepth * (1 + thickening(day * DAY)) - 1, transmission, j * L);
      transmissionDay = day;
    }
    const declination = sineOfDeclination(yearFraction(time));
    const noon = dayFraction?.(time);
    const { T, q, u, v, p, dp, dT, dq, du, dv } = column;
    for (let j = 0; j < nlat; j++) {
      const secant = 1 / Math.sqrt(1 - mu[j] * mu[j]);
      const sunshineOfDay = dailyInsolation(mu[j], declination);
      const reflected = [albedo(mu[j]), albedo(mu[j], 1)];
      const weight = weights[j] / (2 * nlon);
      for (let i = 0; i < nlon; i++) {
        const point = j * nlon + i;
        const g = point * columns.grid;
        const o = point * tendencies.count;
        const ps = Math.exp(grid[g + columns.logPressure]);
        for (let k = 0; k < L; k++) {
          T[k] = grid[g + columns.temperature + k];
          q[k] = grid[g + columns.humidity + k];
          u[k] = grid[g + columns.u + k] * secant;
          v[k] = grid[g + columns.v + k] * secant;
          p[k] = levels.full[k] * ps;
          dp[k] = levels.thickness[k] * ps;
          du[k] = 0;
          dv[k] = 0;
        }
        // Truncation leaves a little negative humidity: taken from the level below, at last from the ground's evaporation.
        dq.fill(0);
        for (let k = 0; k + 1 < L; k++) {
          if (q[k] >= 0) continue;
          q[k + 1] += (q[k] * dp[k]) / dp[k + 1];
          dq[k] -= q[k] / leap;
          dq[k + 1] += (q[k] * dp[k]) / (dp[k + 1] * leap);
          q[k] = 0;
        }
        if (q[L - 1] < 0) {
          dq[L - 1] -= q[L - 1] / leap;
          q[L - 1] = 0;
        }

        const Ts = ground[point];
        const sunshine =
          noon === undefined
            ? sunshineOfDay
            : momentInsolation(mu[j], declination, 2 * Math.PI * (noon + i / nlon - 0.5));
        const bright = reflected[0] + land[point] * (reflected[1] - reflected[0]);
        const absorbedSunshine = (1 - bright) * sunshine;
        const { downAtGround, upAtTop } = longWave(T, transmission, j * L, Ts, absorbed);
        for (let k = 0; k < L; k++)
          dT[k] = ((absorbed[k] + sunshineShare[k] * absorbedSunshine) * gravity) / (cp * dp[k]);

        surfaceFluxes(surface, column, Ts, ps, land[point], fluxes);
        geopotential(levels, R, T, 0, height);
        for (let k = 0; k < L; k++) height[k] /= gravity;
        mixing(surface, column, height, levels.half);
        const falling = convection(setting, column) + condensation(setting, column, leap);

        const intoGround =
          sunshineShare[L] * absorbedSunshine + downAtGround - blackBody(Ts) - fluxes.sensible - fluxes.latent;
        ground[point] = Ts + (elapsed * (intoGround + transport[point])) / capacity[point];
        rain[point] += falling * elapsed;

        for (let k = 0; k < L; k++) {
          out[o + tendencies.heating + k] += dT[k];
          out[o + tendencies.moistening + k] += dq[k];
          out[o + tendencies.forceEast + k] += du[k] * secant;
          out[o + tendencies.forceNorth + k] += dv[k] * secant;
        }
        sums.absorbedSunshine += weight * absorbedSunshine;
        sums.outgoingLongWave += weight * upAtTop;
        sums.sensible += weight * fluxes.sensible;
        sums.latent += weight * fluxes.latent;
        sums.rain += weight * falling;
        sums.intoGround += weight * intoGround;
      }
    }
    samples++;
  };

  return {
    physics,
    ground,
    rain,
    means: () =>
      Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / samples])) as unknown as EnergyMeans,
    clearMeans() {
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] = 0;
      samples = 0;
    },
  };
}
