/** A map of one field: filled levels, coastlines, a graticule and a colour bar, as one SVG with the raster inside it. */
import { extent, max, ticks } from "d3-array";
import { geoGraticule, geoPath, geoProjection } from "d3-geo";
import { interpolateRdBu, interpolateViridis, interpolateYlGnBu, interpolateYlOrRd } from "d3-scale-chromatic";
import { encode } from "fast-png";
import { coastlines } from "./coastlines.js";
import { el, figure, INK, label, MUTED, PAPER } from "./svg.js";

/**
 * `value`: a field (viridis). `amount`: rain and its like, in steps of 1, 2 and 5, what is nearly none white. `difference`: about 0,
 * blue below and red above. `size`: errors without sign, from 0.
 */
export type MapKind = "value" | "amount" | "difference" | "size";

export interface Levels {
  /** Ascending; a colour for each gap between them. */
  readonly thresholds: readonly number[];
  readonly colours: readonly string[];
}

/** Round levels that cover the fields, with their colours. */
export function levelsFor(kind: MapKind, ...fields: readonly Float32Array[]): Levels {
  const [low, high] = range(fields);
  if (kind === "difference") {
    const reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const steps = ticks(0, reach, 6);
    const step = steps[1] - steps[0];
    const count = Math.ceil(reach / step);
    // The gap about 0 is white: what is small is not coloured.
    const thresholds = Array.from({ length: 2 * count + 1 }, (_, i) => (i - count) * step);
    return { thresholds, colours: gaps(thresholds, (t) => interpolateRdBu(0.94 - 0.88 * t)) };
  }
  if (kind === "amount") {
    const thresholds = [0, ...amountSteps(high)];
    const colours = gaps(thresholds.slice(1), (t) => interpolateYlGnBu(0.12 + 0.88 * t));
    return { thresholds, colours: ["#fbfaf4", ...colours] };
  }
  const from = kind === "size" ? 0 : low;
  const steps = ticks(from, high > from ? high : from + 1, 12);
  const step = steps[1] - steps[0];
  const first = Math.floor(from / step) * step;
  const count = Math.max(1, Math.ceil((high - first) / step - 1e-9));
  const thresholds = Array.from({ length: count + 1 }, (_, i) => first + i * step);
  return {
    thresholds,
    colours: gaps(thresholds, kind === "size" ? (t) => interpolateYlOrRd(0.95 * t) : interpolateViridis),
  };
}

/** The last seven of ... 0.1, 0.2, 0.5, 1, 2, 5, ... that reach a value. */
function amountSteps(reach: number): number[] {
  const decade = Math.ceil(Math.log10(reach > 0 ? reach : 1));
  const steps = [decade - 3, decade - 2, decade - 1, decade].flatMap((k) => [1, 2, 5].map((m) => m * 10 ** k));
  const last = steps.findIndex((step) => step >= reach);
  return steps.slice(Math.max(0, last - 6), last + 1).map((step) => Number(step.toPrecision(1)));
}

const gaps = (thresholds: readonly number[], colour: (t: number) => string): string[] =>
  Array.from({ length: thresholds.length - 1 }, (_, i, n = thresholds.length - 2) => colour(n > 0 ? i / n : 0.5));

function range(fields: readonly Float32Array[]): [number, number] {
  const ends = fields.map((field) => extent(field.filter(Number.isFinite)) as [number, number]);
  const low = Math.min(...ends.map(([a]) => a));
  const high = max(ends, ([, b]) => b)!;
  return Number.isFinite(low) ? [low, high] : [0, 1];
}

export interface MapOptions {
  readonly title: string;
  /** Below the title, smaller. */
  readonly subtitle?: string;
  readonly units: string;
  /** [latitude, longitude], rows from south to north or north to south; one a place where they are `scattered`. */
  readonly field: Float32Array;
  readonly latitudes: ArrayLike<number>;
  readonly longitudes: ArrayLike<number>;
  /** Stations: drawn as dots, missing ones left out. */
  readonly scattered?: boolean;
  readonly levels: Levels;
  readonly width?: number;
  /** Each cell in one colour, as it is; bilinear between the centres where left out. */
  readonly cells?: boolean;
}

export function map(options: MapOptions): string {
  const { title, subtitle = "", units, field, latitudes, longitudes, levels, width = 360, scattered, cells } = options;
  const frame = scattered ? frameAround(latitudes, longitudes) : frameOf(latitudes, longitudes);
  const margin = { top: subtitle ? 40 : 26, right: 8, bottom: 54, left: 34 };
  const inner = width - margin.left - margin.right;
  // Plate carrée, narrowed to the proportions of the middle latitude.
  const middle = (frame.south + frame.north) / 2;
  const squeeze = frame.east - frame.west > 300 ? 1 : Math.max(0.35, Math.cos((middle * Math.PI) / 180));
  const perDegree = inner / ((frame.east - frame.west) * squeeze);
  const tall = (frame.north - frame.south) * perDegree;
  const height = margin.top + tall + margin.bottom;
  const centre = (frame.west + frame.east) / 2;
  const projection = geoProjection((lambda, phi) => [lambda * squeeze, phi])
    .rotate([-centre, 0])
    .scale((perDegree * 180) / Math.PI)
    .translate([margin.left + inner / 2, margin.top + tall / 2])
    .center([0, middle])
    .precision(0)
    .clipExtent([
      [margin.left, margin.top],
      [margin.left + inner, margin.top + tall],
    ]);
  const path = geoPath(projection).digits(1);
  const step = graticuleStep(Math.max(frame.east - frame.west, frame.north - frame.south), Math.floor(inner / 45));
  const graticule = geoGraticule()
    .step([step, step])
    .extentMinor([
      [-180, -90.0001],
      [180, 90.0001],
    ])();

  const meridians = multiples(step, frame.west, frame.east).map((longitude) =>
    label(margin.left + (longitude - frame.west) * squeeze * perDegree, margin.top + tall + 13, eastWest(longitude), {
      "text-anchor": "middle",
      "font-size": 10,
      fill: MUTED,
    }),
  );
  const parallels = multiples(step, frame.south, frame.north).map((latitude) =>
    label(margin.left - 4, margin.top + (frame.north - latitude) * perDegree + 3.5, northSouth(latitude), {
      "text-anchor": "end",
      "font-size": 10,
      fill: MUTED,
    }),
  );
  return figure(
    width,
    height,
    `${title} ${subtitle}`.trim(),
    el("rect", { width, height, fill: PAPER }),
    label(0, 14, title, { "font-weight": 600, "font-size": 13 }),
    subtitle ? label(0, 30, subtitle, { fill: MUTED, "font-size": 11 }) : "",
    scattered
      ? el("rect", { x: margin.left, y: margin.top, width: inner, height: tall, fill: "#eef1f4" })
      : el("image", {
          x: margin.left,
          y: margin.top,
          width: inner,
          height: tall,
          preserveAspectRatio: "none",
          href: raster(field, latitudes, levels, longitudes.length, Math.round(inner), Math.round(tall), cells),
        }),
    el("path", { d: path(graticule) ?? "", fill: "none", stroke: "#000", "stroke-width": 0.4, opacity: 0.25 }),
    el("path", {
      class: "coast",
      d: path(coastlines({ fine: frame.east - frame.west < 60 })) ?? "",
      fill: "none",
      stroke: "#0d1216",
      "stroke-width": 0.9,
      "stroke-linejoin": "round",
    }),
    ...(scattered
      ? dots(options, (lambda, phi) => [
          margin.left + ((((lambda - frame.west) % 360) + 360) % 360) * squeeze * perDegree,
          margin.top + (frame.north - phi) * perDegree,
        ])
      : []),
    el("rect", {
      x: margin.left,
      y: margin.top,
      width: inner,
      height: tall,
      fill: "none",
      stroke: INK,
      "stroke-width": 0.8,
    }),
    ...meridians,
    ...parallels,
    colourBar(levels, units, margin.left, height - 32, inner),
  );
}

interface Frame {
  readonly south: number;
  readonly north: number;
  readonly west: number;
  readonly east: number;
}

/** The outer edges of the cells. Longitudes that pass through 0 or 180 go on rising. */
function frameOf(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): Frame {
  const edge = (x: ArrayLike<number>, at: number, next: number) =>
    x.length > 1 ? x[at] - (x[next] - x[at]) / 2 : x[at];
  const last = latitudes.length - 1;
  const ends = [edge(latitudes, 0, 1), edge(latitudes, last, last - 1)];
  const right = longitudes.length - 1;
  const west = edge(longitudes, 0, 1);
  let east = edge(longitudes, right, right - 1);
  while (east <= west) east += 360;
  return { south: Math.max(-90, Math.min(...ends)), north: Math.min(90, Math.max(...ends)), west, east };
}

/** A frame with some room around places, at least two degrees each way. Longitudes are cut where the gap between them is widest. */
function frameAround(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): Frame {
  const sorted = Float64Array.from(longitudes, (x) => ((x % 360) + 360) % 360).sort();
  const gaps = Array.from(sorted, (x, i) => (i + 1 < sorted.length ? sorted[i + 1] : sorted[0] + 360) - x);
  const widest = gaps.indexOf(Math.max(...gaps));
  const west = sorted[(widest + 1) % sorted.length];
  const wide = 360 - gaps[widest];
  const [south, north] = [Math.min(...Array.from(latitudes)), Math.max(...Array.from(latitudes))];
  const room = Math.max(1, 0.06 * Math.max(wide, north - south));
  const from = wide > 300 ? -180 : ((west - room + 540) % 360) - 180;
  return {
    south: Math.max(-90, south - room),
    north: Math.min(90, north + room),
    west: from,
    east: wide > 300 ? 180 : from + wide + 2 * room,
  };
}

/** Places as dots in the colour of their level. */
function dots(
  { field, latitudes, longitudes, levels: { thresholds, colours } }: MapOptions,
  at: (longitude: number, latitude: number) => readonly [number, number],
): string[] {
  const r = field.length > 400 ? 2.2 : field.length > 80 ? 3.4 : 5;
  return Array.from(field, (value, i) => {
    if (value !== value) return "";
    let k = 0;
    while (k < colours.length - 1 && value >= thresholds[k + 1]) k++;
    const [cx, cy] = at(longitudes[i], latitudes[i]);
    return el("circle", { cx, cy, r, fill: colours[k], stroke: "#0d1216", "stroke-width": 0.5 });
  });
}

const graticuleStep = (span: number, most: number): number =>
  [1, 2, 5, 10, 15, 20, 30, 60].find((s) => span / s <= Math.min(7, most)) ?? 60;

function multiples(step: number, from: number, to: number): number[] {
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, i) => first + i * step);
}

const northSouth = (latitude: number): string =>
  latitude === 0 ? "0°" : `${Math.abs(latitude)}°${latitude > 0 ? "N" : "S"}`;

function eastWest(longitude: number): string {
  const wrapped = ((((longitude + 180) % 360) + 360) % 360) - 180;
  if (wrapped === 0) return "0°";
  return Math.abs(wrapped) === 180 ? "180°" : `${Math.abs(wrapped)}°${wrapped > 0 ? "E" : "W"}`;
}

const MISSING = [214, 214, 214];

/** The field between cell centres bilinear (or its cells), each pixel in the colour of its level, as a PNG data address. */
function raster(
  field: Float32Array,
  latitudes: ArrayLike<number>,
  { thresholds, colours }: Levels,
  columns: number,
  width: number,
  height: number,
  cells = false,
): string {
  const rows = latitudes.length;
  const southFirst = rows > 1 && latitudes[1] > latitudes[0];
  const place = (x: number, most: number) => clamp(cells ? Math.round(x) : x, most);
  const along = Array.from({ length: width }, (_, px) => {
    const c = place(((px + 0.5) / width) * columns - 0.5, columns - 1);
    const left = Math.floor(c);
    return { left, right: Math.min(columns - 1, left + 1), share: c - left };
  });
  const missing = colours.length;
  const data = new Uint8Array(width * height);
  for (let py = 0; py < height; py++) {
    const down = place(((py + 0.5) / height) * rows - 0.5, rows - 1);
    const r = southFirst ? rows - 1 - down : down;
    const upper = Math.floor(r);
    const [above, below] = [upper, Math.min(rows - 1, upper + 1)].map((row) => row * columns);
    const share = r - upper;
    for (let px = 0; px < width; px++) {
      const { left, right, share: east } = along[px];
      const value =
        (field[above + left] * (1 - east) + field[above + right] * east) * (1 - share) +
        (field[below + left] * (1 - east) + field[below + right] * east) * share;
      let k = 0;
      while (k < colours.length - 1 && value >= thresholds[k + 1]) k++;
      data[py * width + px] = value === value ? k : missing;
    }
  }
  return dataAddress(encode({ width, height, data, channels: 1, palette: [...colours.map(rgbOf), MISSING] }));
}

const clamp = (x: number, most: number): number => Math.min(most, Math.max(0, x));

/** `rgb(1, 2, 3)` or `#010203` to its three numbers. */
function rgbOf(colour: string): number[] {
  if (colour.startsWith("#")) return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return (colour.match(/\d+/g) ?? []).slice(0, 3).map(Number);
}

function dataAddress(png: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < png.length; i += 8192) binary += String.fromCharCode(...png.subarray(i, i + 8192));
  return `data:image/png;base64,${btoa(binary)}`;
}

function colourBar({ thresholds, colours }: Levels, units: string, x: number, y: number, width: number): string {
  const each = width / colours.length;
  const boxes = colours.map((fill, i) => el("rect", { x: x + i * each, y, width: each + 0.3, height: 9, fill }));
  const step = thresholds[1] - thresholds[0];
  const isEven = thresholds.every((t, i) => Math.abs(t - thresholds[0] - i * step) < 1e-6 * (1 + Math.abs(t)));
  const most = isEven ? Math.max(1, Math.ceil(thresholds.length / 7)) : 1;
  const zero = thresholds.findIndex((t) => Math.abs(t) < 1e-12);
  const decimals = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  const numbers = thresholds.map((t, i) =>
    (i - Math.max(0, zero)) % most === 0
      ? label(
          x + i * each,
          y + 20,
          isEven ? (Math.abs(t) < 1e-12 ? 0 : t).toFixed(decimals).replace("-", "−") : `${t}`,
          {
            "text-anchor": i === 0 ? "start" : i === thresholds.length - 1 ? "end" : "middle",
            "font-size": 10,
            fill: MUTED,
          },
        )
      : "",
  );
  return [
    ...boxes,
    el("rect", { x, y, width, height: 9, fill: "none", stroke: MUTED, "stroke-width": 0.5 }),
    ...numbers,
    label(x - 6, y + 8.5, units, { "text-anchor": "end", "font-size": 10, fill: MUTED }),
  ].join("");
}
