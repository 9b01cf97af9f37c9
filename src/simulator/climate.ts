/**
 * The climate of a simulation: zonal means by season, storm tracks, rain, and the energy budget (plots: `climate-plots.ts`).
 *
 *     const climate = await measureClimate({ model: "moist", truncation: 31 }, { years: 2 });
 *     console.log(describeClimate(climate));
 */
import { UsageError } from "../errors.js";
import type { SimulationConfig } from "./config.js";
import { simulationConfig } from "./config.js";
import type { EnergyMeans } from "./moist-physics.js";
import type { MoistAtmosphere } from "./moist.js";
import { DAY } from "./planet.js";
import type { Saved } from "./atmosphere.js";
import { checkRestart } from "./restart.js";
import { atmosphere, TROPICAL_YEAR } from "./simulate.js";

export const SEASONS = ["year", "DJF", "JJA"] as const;
export type Season = (typeof SEASONS)[number];

/** Zonal means [level][latitude] or [latitude]. */
export interface ZonalMeans {
  /** m/s. */
  readonly wind: Float64Array;
  /** K. */
  readonly temperature: Float64Array;
  /** Kinetic energy of the departures from the zonal mean, m^2/s^2. */
  readonly eddies: Float64Array;
  /** Wind near the ground, m/s. */
  readonly surfaceWind: Float64Array;
  /** mm/day; zero in a dry atmosphere. */
  readonly rain: Float64Array;
}

export interface Climate {
  readonly config: SimulationConfig;
  readonly years: number;
  readonly latitudes: Float64Array;
  /** hPa. */
  readonly pressures: readonly number[];
  readonly seasons: Readonly<Record<Season, ZonalMeans>>;
  /** Global means of a moist atmosphere, W/m^2. */
  readonly energy?: EnergyMeans;
  /** Area mean of the ground's temperature at the end, K (moist). */
  readonly groundTemperature?: number;
}

export interface ClimateOptions {
  readonly years?: number;
  /** Begins here instead of with a spin-up. */
  readonly restart?: Saved;
  /** Days done and to do, spin-up among them. */
  readonly onDay?: (day: number, days: number) => void;
}

/** Runs `years` after the spin-up, sampling four times a day. */
export async function measureClimate(
  given: Partial<SimulationConfig>,
  { years = 1, restart, onDay = () => {} }: ClimateOptions = {},
): Promise<Climate> {
  const config = simulationConfig(given);
  if (config.model !== "dry" && config.model !== "moist")
    throw new UsageError(`the ${config.model} model has one layer and no climate to section: take dry or moist`);
  const air = atmosphere(config);
  const { nlat, nlon, weights, latitudes } = air.transform;
  const pressures = config.pressureLevels;
  const P = pressures.length;
  const names = ["u_component_of_wind", "v_component_of_wind", "temperature", "10m_u_component_of_wind"];
  const moist = config.model === "moist";
  if (moist) names.push("total_precipitation");
  const perDay = Math.round(DAY / config.step);
  const spinup = Math.round(config.spinupDays * perDay);
  const days = Math.round((years * TROPICAL_YEAR) / DAY);
  const before = restart ? 0 : Math.ceil(config.spinupDays);
  if (restart) {
    checkRestart(air.save(), restart);
    air.restore(restart);
  } else
    for (let s = 0; s < spinup; s++) {
      air.step();
      if (s % perDay !== 0) continue;
      onDay(s / perDay, before + days);
      await pause();
    }
  const firstDay = Date.parse(config.start) + ((air.steps - spinup) / perDay) * DAY * 1000;
  air.fields(names, pressures); // empties the rain gauge
  const own = air as MoistAtmosphere;
  if (moist) own.clearMeans();
  const make = (): ZonalMeans & { samples: number } => ({
    wind: new Float64Array(P * nlat),
    temperature: new Float64Array(P * nlat),
    eddies: new Float64Array(P * nlat),
    surfaceWind: new Float64Array(nlat),
    rain: new Float64Array(nlat),
    samples: 0,
  });
  const seasons = { year: make(), DJF: make(), JJA: make() };
  const every = Math.max(1, Math.floor(perDay / 4));
  for (let day = 0; day < days; day++) {
    const month = new Date(firstDay + day * DAY * 1000).getUTCMonth();
    const into = [seasons.year];
    if (month === 11 || month < 2) into.push(seasons.DJF);
    if (month >= 5 && month <= 7) into.push(seasons.JJA);
    for (let s = 1; s <= perDay; s++) {
      air.step();
      if (s % every !== 0) continue;
      const fields = air.fields(names, pressures);
      for (const season of into) addSample(season, fields, { P, nlat, nlon, toMmPerDay: perDay / every });
    }
    onDay(before + day + 1, before + days);
    await pause();
  }
  for (const season of Object.values(seasons))
    for (const [key, values] of Object.entries(season))
      if (values instanceof Float64Array && key) for (let i = 0; i < values.length; i++) values[i] /= season.samples; // NaN where the run saw nothing of a season
  const ground = moist
    ? own.ground.reduce((sum, t, p) => sum + (t * weights[Math.floor(p / nlon)]) / (2 * nlon), 0)
    : undefined;
  return {
    config,
    years,
    latitudes,
    pressures,
    seasons,
    ...(moist ? { energy: own.means(), groundTemperature: ground } : {}),
  };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function addSample(
  into: ZonalMeans & { samples: number },
  fields: Record<string, Float32Array>,
  { P, nlat, nlon, toMmPerDay }: { P: number; nlat: number; nlon: number; toMmPerDay: number },
): void {
  into.samples++;
  const { u_component_of_wind: u, v_component_of_wind: v, temperature: t, "10m_u_component_of_wind": near } = fields;
  const rain = fields["total_precipitation"];
  const mean = (field: Float32Array, from: number): number => {
    let sum = 0;
    for (let i = from; i < from + nlon; i++) sum += field[i];
    return sum / nlon;
  };
  for (let row = 0; row < P * nlat; row++) {
    const from = row * nlon;
    const [ubar, vbar] = [mean(u, from), mean(v, from)];
    into.wind[row] += ubar;
    into.temperature[row] += mean(t, from);
    let energy = 0;
    for (let i = from; i < from + nlon; i++) energy += (u[i] - ubar) ** 2 + (v[i] - vbar) ** 2;
    into.eddies[row] += energy / (2 * nlon);
  }
  for (let j = 0; j < nlat; j++) {
    into.surfaceWind[j] += mean(near, j * nlon);
    if (rain) into.rain[j] += mean(rain, j * nlon) * toMmPerDay;
  }
}

/** What a meteorologist looks for first, in numbers. */
export interface ClimateFeatures {
  /** The strongest zonal-mean westerly of each hemisphere's winter (north first): m/s, degrees, hPa. */
  readonly jets: readonly { speed: number; latitude: number; pressure: number }[];
  /** The most eddy kinetic energy (m^2/s^2) at 300 hPa or the nearest level in each hemisphere's winter (north first), and its latitude. */
  readonly stormTracks: readonly { energy: number; latitude: number }[];
  /** The strongest zonal-mean easterlies near the ground within 30 degrees, m/s (negative). */
  readonly trades: number;
  /** Latitude south of which half the rain within 20 degrees falls (Frierson and Hwang 2012), by season. */
  readonly itcz: Readonly<Record<Season, number>>;
  /** Global mean, mm/day. */
  readonly rain: number;
  /** Absorbed sunshine less outgoing long waves, W/m^2; undefined in a dry atmosphere. */
  readonly imbalance: number | undefined;
}

export function climateFeatures(climate: Climate): ClimateFeatures {
  const { latitudes, pressures, seasons, energy } = climate;
  const nlat = latitudes.length;
  const upper = pressures.reduce((best, p, i) => (Math.abs(p - 300) < Math.abs(pressures[best] - 300) ? i : best), 0);
  const hemisphere = (j: number): number => (latitudes[j] > 0 ? 0 : 1);
  const jets = [0, 1].map(() => ({ speed: Number.NaN, latitude: Number.NaN, pressure: Number.NaN }));
  const storms = [0, 1].map(() => ({ energy: Number.NaN, latitude: Number.NaN }));
  const above = (value: number, best: number): boolean => value > best || (Number.isNaN(best) && !Number.isNaN(value));
  for (let j = 0; j < nlat; j++) {
    const side = hemisphere(j);
    const winter = seasons[side === 0 ? "DJF" : "JJA"];
    pressures.forEach((pressure, k) => {
      const speed = winter.wind[k * nlat + j];
      if (pressure >= 100 && above(speed, jets[side].speed)) jets[side] = { speed, latitude: latitudes[j], pressure };
    });
    const eddy = winter.eddies[upper * nlat + j];
    if (above(eddy, storms[side].energy)) storms[side] = { energy: eddy, latitude: latitudes[j] };
  }
  const tropics = [...latitudes.keys()].filter((j) => Math.abs(latitudes[j]) <= 30);
  const cosines = latitudes.map((latitude) => Math.cos((latitude * Math.PI) / 180));
  const area = cosines.reduce((sum, c) => sum + c, 0);
  const rainBelt = (season: Season): number => {
    const belt = [...latitudes.keys()].filter((j) => Math.abs(latitudes[j]) <= 20).reverse(); // from the south
    const fallen = belt.map((j) => seasons[season].rain[j] * cosines[j]);
    const half = fallen.reduce((sum, x) => sum + x, 0) / 2;
    let sum = 0;
    for (let i = 0; i < belt.length; i++) {
      if (sum + fallen[i] >= half && i > 0) {
        const share = (half - sum) / fallen[i] - 0.5; // a belt's rain lies about its middle
        const towards = belt[Math.min(belt.length - 1, Math.max(0, i + Math.sign(share)))];
        return latitudes[belt[i]] + Math.abs(share) * (latitudes[towards] - latitudes[belt[i]]);
      }
      sum += fallen[i];
    }
    return Number.NaN;
  };
  return {
    jets,
    stormTracks: storms,
    trades: Math.min(...tropics.map((j) => seasons.year.surfaceWind[j])),
    itcz: { year: rainBelt("year"), DJF: rainBelt("DJF"), JJA: rainBelt("JJA") },
    rain: seasons.year.rain.reduce((sum, r, j) => sum + r * cosines[j], 0) / area,
    imbalance: energy && energy.absorbedSunshine - energy.outgoingLongWave,
  };
}

/** The features as lines to print. */
export function describeClimate(climate: Climate): string {
  const { jets, stormTracks, trades, itcz, rain, imbalance } = climateFeatures(climate);
  const missing = "not simulated";
  const place = (latitude: number, digits = 0): string =>
    Number.isNaN(latitude) ? missing : `${Math.abs(latitude).toFixed(digits)}${latitude >= 0 ? "N" : "S"}`;
  // northern winter, then southern; a run shorter than a year may lack one of them
  const each = <T extends { latitude: number }>(features: readonly T[], words: (feature: T) => string): string =>
    features.map((f) => (Number.isNaN(f.latitude) ? missing : words(f))).join("; ");
  const jetWords = each(jets, (j) => `${j.speed.toFixed(0)} m/s at ${place(j.latitude)}, ${j.pressure} hPa`);
  const stormWords = each(stormTracks, (s) => `${s.energy.toFixed(0)} m2/s2 at ${place(s.latitude)}`);
  const lines = [
    `jets in winter, north; south: ${jetWords}`,
    `storm tracks in winter, north; south: ${stormWords}; trade winds: ${trades.toFixed(1)} m/s`,
  ];
  const { energy, groundTemperature } = climate;
  if (energy && imbalance !== undefined)
    lines.push(
      `rain: ${rain.toFixed(2)} mm/day; rain belt: ${place(itcz.DJF, 1)} in DJF, ${place(itcz.JJA, 1)} in JJA`,
      `absorbed sunshine ${energy.absorbedSunshine.toFixed(1)}, outgoing long waves ${energy.outgoingLongWave.toFixed(1)}, ` +
        `imbalance ${imbalance.toFixed(2)} W/m2 at the top, ${energy.intoGround.toFixed(2)} into the ground; ` +
        `ground ${groundTemperature!.toFixed(1)} K`,
    );
  return lines.join("\n");
}
