/** Plots of a climate as SVG: sections over latitude and pressure, and lines over latitude. */
import { contours } from "d3-contour";
import { scaleLinear } from "d3-scale";
import { SEASONS, type Climate } from "./climate.js";

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

/** Colours of the seasons, told apart by every kind of colour vision (Okabe and Ito 2008). */
const SEASON_COLOURS = { year: "#444", DJF: "#0072b2", JJA: "#d55e00" };

/** Zonal means over latitude, a line a season. */
export function lineSvg(
  climate: Pick<Climate, "latitudes" | "seasons">,
  pick: "surfaceWind" | "rain",
  { title, units }: { title: string; units: string },
): string {
  const { latitudes, seasons } = climate;
  const [width, height, left, top] = [520, 220, 52, 34];
  const seen = SEASONS.filter((season) => !Number.isNaN(seasons[season][pick][0]));
  const all = seen.flatMap((season) => [...seasons[season][pick]]);
  const x = scaleLinear([-90, 90], [left, left + width]);
  const y = scaleLinear([Math.min(0, ...all), Math.max(...all)], [top + height, top]).nice();
  const lines = seen.map((season, i) => {
    const d = [...latitudes].map((l, j) => `${x(l).toFixed(1)},${y(seasons[season][pick][j]).toFixed(1)}`).join("L");
    const colour = SEASON_COLOURS[season];
    return (
      `<path d="M${d}" fill="none" stroke="${colour}" stroke-width="1.8"/>` +
      `<text x="${left + width - 52 * (seen.length - i)}" y="20" fill="${colour}" font-weight="600">${season}</text>`
    );
  });
  const ticks = y
    .ticks(6)
    .map(
      (value) =>
        `<path d="M${left},${y(value).toFixed(1)}h${width}" stroke="${value === 0 ? "#888" : "#ddd"}"/>` +
        `<text x="${left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value}</text>`,
    );
  const marks = [-60, -30, 0, 30, 60].map(
    (l) =>
      `<text x="${x(l).toFixed(1)}" y="${top + height + 16}" text-anchor="middle">${Math.abs(l)}°${l > 0 ? "N" : l < 0 ? "S" : ""}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 16} ${top + height + 26}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/><text x="${left}" y="20" font-size="13" font-weight="600">${title}</text>`,
    `<text x="${left - 6}" y="${top - 6}" text-anchor="end">${units}</text>`,
    ...ticks,
    ...lines,
    ...marks,
    "</svg>",
  ].join("\n");
}

/** The plots of a climate by name: winds and eddies of both seasons (where the run saw them), temperature, wind near the ground, rain where there is any. */
export function climatePlots(climate: Climate): Record<string, string> {
  const { seasons } = climate;
  const steps = (from: number, to: number, step: number): number[] =>
    Array.from({ length: Math.round((to - from) / step) + 1 }, (_, i) => from + i * step);
  const winds = { thresholds: steps(-30, 60, 10), colours: ["#2166ac", "#f7f7f7", "#b2182b"] as const };
  const storms = { thresholds: steps(0, 240, 30), colours: ["#ffffff", "#9ecae1", "#08306b"] as const };
  const seen = (["DJF", "JJA"] as const).filter((season) => !Number.isNaN(seasons[season].wind[0]));
  return {
    ...Object.fromEntries(
      seen.flatMap((season) => [
        [
          `wind-${season.toLowerCase()}`,
          sectionSvg(climate, seasons[season].wind, { title: `zonal-mean zonal wind, ${season}, m/s`, ...winds }),
        ],
        [
          `eddies-${season.toLowerCase()}`,
          sectionSvg(climate, seasons[season].eddies, { title: `eddy kinetic energy, ${season}, m²/s²`, ...storms }),
        ],
      ]),
    ),
    temperature: sectionSvg(climate, seasons.year.temperature, {
      title: "zonal-mean temperature, year, K",
      thresholds: steps(200, 300, 10),
      colours: ["#313695", "#ffffbf", "#a50026"],
    }),
    "surface-wind": lineSvg(climate, "surfaceWind", { title: "zonal-mean zonal wind at 10 m", units: "m/s" }),
    ...(climate.config.model === "moist"
      ? { rain: lineSvg(climate, "rain", { title: "zonal-mean precipitation", units: "mm/day" }) }
      : {}),
  };
}
