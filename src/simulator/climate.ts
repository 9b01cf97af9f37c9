/**
 * The climate of a simulation: zonal means by season, storm tracks, rain, and the energy budget, with plots.
 *
 *     const climate = await measureClimate({ model: "moist", truncation: 31 }, { years: 2 });
 *     console.log(describeClimate(climate));
 */
import { contours } from "d3-contour";
import { scaleLinear } from "d3-scale";
import { UsageError } from "../errors.js";
import type { SimulationConfig } from "./config.js";
import { simulationConfig } from "./config.js";
import type { EnergyMeans } from "./moist-physics.js";
import type { MoistAtmosphere } from "./moist.js";
import { DAY } from "./planet.js";
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

/** Runs `years` after the spin-up, sampling four times a day. */
export async function measureClimate(
  given: Partial<SimulationConfig>,
  { years = 1, onDay = () => {} }: { years?: number; onDay?: (day: number) => void } = {},
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
  for (let s = 0; s < spinup; s++) {
    air.step();
    if (s % perDay === 0) await pause();
  }
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
  const days = Math.round((years * TROPICAL_YEAR) / DAY);
  for (let day = 0; day < days; day++) {
    const month = new Date(Date.parse(config.start) + day * DAY * 1000).getUTCMonth();
    const into = [seasons.year];
    if (month === 11 || month < 2) into.push(seasons.DJF);
    if (month >= 5 && month <= 7) into.push(seasons.JJA);
    for (let s = 1; s <= perDay; s++) {
      air.step();
      if (s % every !== 0) continue;
      const fields = air.fields(names, pressures);
      for (const season of into) addSample(season, fields, { P, nlat, nlon, toMmPerDay: perDay / every });
    }
    onDay(day + 1);
    await pause();
  }
  for (const season of Object.values(seasons))
    for (const [key, values] of Object.entries(season))
      if (values instanceof Float64Array && key)
        for (let i = 0; i < values.length; i++) values[i] /= season.samples || 1;
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
  /** The strongest zonal-mean westerly of either hemisphere (north first): m/s, degrees, hPa. */
  readonly jets: readonly { speed: number; latitude: number; pressure: number }[];
  /** Latitude of the most eddy kinetic energy at 300 hPa or the nearest level, by hemisphere. */
  readonly stormTracks: readonly number[];
  /** The strongest zonal-mean easterlies near the ground within 30 degrees, m/s (negative). */
  readonly trades: number;
  /** Latitude of the wettest zonal mean within 30 degrees, by season. */
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
  const jets = [0, 1].map(() => ({ speed: Number.NEGATIVE_INFINITY, latitude: 0, pressure: 0 }));
  const storms = [0, 1].map(() => ({ energy: 0, latitude: 0 }));
  for (let j = 0; j < nlat; j++) {
    const side = hemisphere(j);
    pressures.forEach((pressure, k) => {
      const speed = seasons.year.wind[k * nlat + j];
      if (pressure >= 100 && speed > jets[side].speed) jets[side] = { speed, latitude: latitudes[j], pressure };
    });
    const eddy = seasons.year.eddies[upper * nlat + j];
    if (eddy > storms[side].energy) storms[side] = { energy: eddy, latitude: latitudes[j] };
  }
  const tropics = [...latitudes.keys()].filter((j) => Math.abs(latitudes[j]) <= 30);
  const wettest = (season: Season): number =>
    latitudes[tropics.reduce((best, j) => (seasons[season].rain[j] > seasons[season].rain[best] ? j : best))];
  const cosines = latitudes.map((latitude) => Math.cos((latitude * Math.PI) / 180));
  const area = cosines.reduce((sum, c) => sum + c, 0);
  return {
    jets,
    stormTracks: storms.map((s) => s.latitude),
    trades: Math.min(...tropics.map((j) => seasons.year.surfaceWind[j])),
    itcz: { year: wettest("year"), DJF: wettest("DJF"), JJA: wettest("JJA") },
    rain: seasons.year.rain.reduce((sum, r, j) => sum + r * cosines[j], 0) / area,
    imbalance: energy && energy.absorbedSunshine - energy.outgoingLongWave,
  };
}

/** The features as lines to print. */
export function describeClimate(climate: Climate): string {
  const { jets, stormTracks, trades, itcz, rain, imbalance } = climateFeatures(climate);
  const place = (latitude: number): string => `${Math.abs(latitude).toFixed(0)}${latitude >= 0 ? "N" : "S"}`;
  const lines = [
    `jets: ${jets.map((j) => `${j.speed.toFixed(0)} m/s at ${place(j.latitude)}, ${j.pressure} hPa`).join("; ")}`,
    `storm tracks: ${stormTracks.map(place).join(" and ")}; trade winds: ${trades.toFixed(1)} m/s`,
  ];
  const { energy, groundTemperature } = climate;
  if (energy && imbalance !== undefined)
    lines.push(
      `rain: ${rain.toFixed(2)} mm/day; ITCZ: ${place(itcz.DJF)} in DJF, ${place(itcz.JJA)} in JJA`,
      `absorbed sunshine ${energy.absorbedSunshine.toFixed(1)}, outgoing long waves ${energy.outgoingLongWave.toFixed(1)}, ` +
        `imbalance ${imbalance.toFixed(2)} W/m2 at the top, ${energy.intoGround.toFixed(2)} into the ground; ` +
        `ground ${groundTemperature!.toFixed(1)} K`,
    );
  return lines.join("\n");
}

/** A section of a zonal mean over latitude and pressure, as SVG: filled contours at `thresholds`. */
export function sectionSvg(
  climate: Pick<Climate, "latitudes" | "pressures">,
  values: Float64Array,
  {
    title,
    thresholds,
    colours,
  }: { title: string; thresholds: readonly number[]; colours: readonly [string, string, string] },
): string {
  const { latitudes, pressures } = climate;
  const nlat = latitudes.length;
  const [width, height, left, top] = [520, 300, 52, 34];
  const [low, high] = [thresholds[0], thresholds[thresholds.length - 1]];
  const middle = low < 0 && high > 0 ? 0 : (low + high) / 2;
  const colour = scaleLinear<string>([low, middle, high], colours);
  const x = scaleLinear([0.5, nlat - 0.5], [left + width, left]); // contour coordinates of cell centres; north on the right
  const y = scaleLinear([0.5, pressures.length - 0.5], [top, top + height]);
  const paths = contours()
    .size([nlat, pressures.length])
    .thresholds([...thresholds])([...values])
    .map(({ value, coordinates }) => {
      const d = coordinates
        .map((polygon) =>
          polygon
            .map((ring) => `M${ring.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join("L")}Z`)
            .join(""),
        )
        .join("");
      return `<path d="${d}" fill="${colour(value)}" stroke="#0003" stroke-width="0.7"><title>${value}</title></path>`;
    });
  const marks = [-60, -30, 0, 30, 60].map((latitude) => {
    const at = x.domain()[0] + [...latitudes].findIndex((l) => l <= latitude);
    return `<text x="${x(at).toFixed(1)}" y="${top + height + 16}" text-anchor="middle">${Math.abs(latitude)}°${latitude > 0 ? "N" : latitude < 0 ? "S" : ""}</text>`;
  });
  const heights = pressures.map((p, k) =>
    k % 2 === 0 || pressures.length < 8
      ? `<text x="${left - 6}" y="${(y(k + 0.5) + 4).toFixed(1)}" text-anchor="end">${p}</text>`
      : "",
  );
  const legend = thresholds.map((value, i) => {
    const step = width / thresholds.length;
    const at = left + i * step;
    return `<rect x="${at.toFixed(1)}" y="${top + height + 24}" width="${step.toFixed(1)}" height="9" fill="${colour(value)}"/><text x="${at.toFixed(1)}" y="${top + height + 46}">${value}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 16} ${top + height + 54}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/><text x="${left}" y="20" font-size="13" font-weight="600">${title}</text>`,
    `<clipPath id="frame"><rect x="${left}" y="${top}" width="${width}" height="${height}"/></clipPath>`,
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${colour(low)}"/>`,
    `<g clip-path="url(#frame)">${paths.join("")}</g>`,
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="none" stroke="#444"/>`,
    ...marks,
    ...heights,
    `<text x="${left - 6}" y="${top - 6}" text-anchor="end">hPa</text>`,
    ...legend,
    "</svg>",
  ].join("\n");
}
