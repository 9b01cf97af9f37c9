/** A score by lead: one line a forecaster, its interval as a band, its name at its end. */
import { extent, max, min } from "d3-array";
import { scaleLinear } from "d3-scale";
import { area, curveMonotoneX, line } from "d3-shape";
import { el, FORECAST_COLOUR, figure, INK, label, MUTED, PAPER, RULE, strokeOf } from "./svg.js";

export interface ChartLine {
  /** null: the forecast itself. */
  readonly name: string | null;
  readonly points: readonly { x: number; y: number; low: number | null; high: number | null }[];
}

export interface ChartOptions {
  readonly title: string;
  /** What stands above the vertical axis: the score's name and units. */
  readonly yLabel: string;
  readonly lines: readonly ChartLine[];
  /** Let the axis begin at 0 though no value is near. */
  readonly fromZero?: boolean;
  readonly width?: number;
  readonly height?: number;
  /** What the horizontal axis is; the lead in hours unless said. */
  readonly xLabel?: string;
  /** Where it has its numbers; round leads unless said. */
  readonly xTicks?: readonly number[];
  /** How a number there is written. */
  readonly tickName?: (tick: number) => string;
  /** What the strongest line is called. */
  readonly own?: string;
  /** A line for what is perfect or no better than chance. */
  readonly mark?: number;
}

const VERTICAL = { top: 50, bottom: 40 };

/** The horizontal axis is the lead in hours, unless `xLabel` says otherwise. */
export function lineChart(options: ChartOptions): string {
  const {
    title,
    yLabel,
    lines,
    fromZero = false,
    width = 520,
    height = 320,
    xLabel = "lead, hours",
    own: ownName = "forecast",
  } = options;
  const longest = Math.max(...lines.map((l) => (l.name ?? ownName).length));
  const points = lines.flatMap((l) => l.points);
  const [x0, x1] = extent(points, (p) => p.x) as [number, number];
  // The vertical axis fits the lines and the forecast's band; a baseline's band may leave it.
  const own = lines.filter((l) => l.name === null).flatMap((l) => l.points);
  const ys = [...points.map((p) => p.y), ...own.flatMap((p) => [p.low ?? p.y, p.high ?? p.y])];
  const [low, high] = [fromZero ? Math.min(0, min(ys)!) : min(ys)!, max(ys)!];
  const room = high > low ? 0 : 0.1 * Math.abs(high) || 1; // of one value throughout
  const y = scaleLinear([low - room, high + room], [height - VERTICAL.bottom, VERTICAL.top]).nice(5);
  const widest = Math.max(...y.ticks(5).map((tick) => y.tickFormat(5)(tick).length));
  const margin = { ...VERTICAL, left: Math.max(48, 14 + 6.8 * widest), right: 26 + 7.1 * longest };
  const x = scaleLinear([Math.min(0, x0), x1 > Math.min(0, x0) ? x1 : x0 + 1], [margin.left, width - margin.right]);
  const clip = `clip-${hash(title)}`;

  const grid = y.ticks(5).map((tick) =>
    [
      el("line", {
        x1: margin.left,
        x2: width - margin.right,
        y1: y(tick),
        y2: y(tick),
        stroke: tick === 0 ? MUTED : RULE,
        "stroke-width": 1,
      }),
      label(margin.left - 8, y(tick) + 4, y.tickFormat(5)(tick), { "text-anchor": "end", fill: MUTED }),
    ].join(""),
  );
  const hours = (options.xTicks ?? leadTicks(x.domain()[0], x1)).map((tick) =>
    [
      el("line", {
        x1: x(tick),
        x2: x(tick),
        y1: height - margin.bottom,
        y2: height - margin.bottom + 5,
        stroke: MUTED,
      }),
      label(x(tick), height - margin.bottom + 19, options.tickName?.(tick) ?? `${tick}`, {
        "text-anchor": "middle",
        fill: MUTED,
      }),
    ].join(""),
  );
  const bands = lines.map((l, k) => {
    const banded = l.points.filter((p) => p.low !== null);
    if (banded.length < 2) return "";
    const shape = area<ChartLine["points"][number]>(
      (p) => x(p.x),
      (p) => y(p.low!),
      (p) => y(p.high!),
    ).curve(curveMonotoneX);
    return el("path", {
      d: shape.digits(1)(banded) ?? "",
      fill: strokeOf(l.name, k).colour,
      opacity: l.name === null ? 0.2 : 0.09,
    });
  });
  const paths = lines.map((l, k) => {
    const { colour, dash, width: strokeWidth } = strokeOf(l.name, k);
    const shape = line<ChartLine["points"][number]>(
      (p) => x(p.x),
      (p) => y(p.y),
    ).curve(curveMonotoneX);
    const path = el("path", {
      d: shape.digits(1)([...l.points]) ?? "",
      fill: "none",
      stroke: colour,
      "stroke-width": strokeWidth,
      "stroke-dasharray": dash,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    });
    const dots =
      l.name === null
        ? l.points.map((p) => el("circle", { cx: x(p.x), cy: y(p.y), r: 3.2, fill: FORECAST_COLOUR, stroke: PAPER }))
        : [];
    return path + dots.join("");
  });
  const ends = lines
    .filter((l) => l.points.length > 0)
    .map((l, k) => ({ name: l.name, k, at: y(l.points[l.points.length - 1].y) }));
  const places = spread(
    ends.map((e) => e.at),
    15,
    margin.top,
    height - margin.bottom,
  );
  const names = ends.map(({ name, k, at }, i) =>
    [
      el("line", {
        x1: width - margin.right + 4,
        y1: at,
        x2: width - margin.right + 12,
        y2: places[i],
        stroke: strokeOf(name, k).colour,
        "stroke-width": 1,
      }),
      label(width - margin.right + 15, places[i] + 4, name ?? ownName, {
        fill: strokeOf(name, k).colour,
        "font-weight": name === null ? 700 : 500,
      }),
    ].join(""),
  );
  // The forecast is drawn last, over its baselines.
  const order = [...lines.keys()].sort((a, b) => Number(lines[a].name === null) - Number(lines[b].name === null));
  return figure(
    width,
    height,
    title,
    el("rect", { width, height, fill: PAPER }),
    el(
      "clipPath",
      { id: clip },
      el("rect", {
        x: margin.left,
        y: margin.top - 4,
        width: width - margin.left - margin.right + 4,
        height: height - margin.top - margin.bottom + 8,
      }),
    ),
    label(8, 18, title, { "font-size": 14, "font-weight": 600, fill: INK }),
    label(8, 34, yLabel, { fill: MUTED }),
    ...grid,
    ...hours,
    el("g", { "clip-path": `url(#${clip})` }, ...order.map((k) => bands[k]), ...order.map((k) => paths[k])),
    ...names,
    label((margin.left + width - margin.right) / 2, height - 5, xLabel, {
      "text-anchor": "middle",
      fill: MUTED,
    }),
  );
}

/** Whole days where there are any, otherwise round hours. */
export function leadTicks(from: number, to: number): number[] {
  const step = [1, 2, 3, 6, 12, 24, 48, 72, 120, 240, 480, 960].find((s) => (to - from) / s <= 8) ?? 2400;
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, i) => first + i * step);
}

/** Moves labels apart to at least `gap`, keeping their order, within [top, bottom]. */
export function spread(wanted: readonly number[], gap: number, top: number, bottom: number): number[] {
  const order = [...wanted.keys()].sort((a, b) => wanted[a] - wanted[b]);
  const places = wanted.slice();
  let floor = top;
  for (const i of order) floor = (places[i] = Math.max(places[i], floor)) + gap;
  let ceiling = bottom;
  for (const i of [...order].reverse()) ceiling = (places[i] = Math.min(places[i], ceiling)) - gap;
  return places;
}

const hash = (words: string): string =>
  [...words].reduce((h, c) => (Math.imul(h, 31) + c.codePointAt(0)!) >>> 0, 7).toString(36);
