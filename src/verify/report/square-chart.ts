/** Diagrams on the unit square: reliability (how often what was forecast at p happened) and ROC (hits against false alarms). */
import { el, FORECAST_COLOUR, figure, INK, label, MUTED, PAPER, RULE, strokeOf } from "./svg.js";

export interface SquareLine {
  /** null: the forecast itself. */
  readonly name: string | null;
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    /** Share of cases, for the size of its dot. */ readonly share?: number;
  }[];
}

export function squareChart(options: {
  readonly title: string;
  readonly subtitle: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly SquareLine[];
  /** How often the event happens: lines of no resolution. */
  readonly rate?: number;
  /** What the strongest line is called. */
  readonly own?: string;
}): string {
  const { title, subtitle, xLabel, yLabel, lines, rate, own = "forecast" } = options;
  const [width, height, side] = [536, 400, 300];
  const [left, top] = [58, 52];
  const x = (p: number) => left + side * p;
  const y = (p: number) => top + side * (1 - p);
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  const line = (x1: number, y1: number, x2: number, y2: number, stroke: string, dash?: string) =>
    el("line", { x1: x(x1), y1: y(y1), x2: x(x2), y2: y(y2), stroke, "stroke-dasharray": dash });
  const drawn = lines.map(({ name, points }, k) => {
    const { colour, dash, width: strokeWidth } = strokeOf(name, k);
    const path = points.map((p, i) => `${i ? "L" : "M"}${x(p.x).toFixed(1)},${y(p.y).toFixed(1)}`).join("");
    return [
      el("path", { d: path, fill: "none", stroke: colour, "stroke-width": strokeWidth, "stroke-dasharray": dash }),
      ...points.map((p) =>
        p.share === undefined
          ? ""
          : el("circle", {
              cx: x(p.x),
              cy: y(p.y),
              r: 1.5 + 9 * Math.sqrt(p.share),
              fill: colour,
              opacity: name === null ? 0.75 : 0.45,
            }),
      ),
    ].join("");
  });
  const order = [...lines.keys()].sort((a, b) => Number(lines[a].name === null) - Number(lines[b].name === null));
  return figure(
    width,
    height,
    title,
    el("rect", { width, height, fill: PAPER }),
    label(8, 18, title, { "font-size": 14, "font-weight": 600 }),
    label(8, 35, subtitle, { fill: MUTED }),
    ...ticks.flatMap((t) => [
      line(0, t, 1, t, RULE),
      line(t, 0, t, 1, RULE),
      label(left - 8, y(t) + 4, t.toFixed(1), { "text-anchor": "end", fill: MUTED, "font-size": 11 }),
      label(x(t), top + side + 16, t.toFixed(1), { "text-anchor": "middle", fill: MUTED, "font-size": 11 }),
    ]),
    line(0, 0, 1, 1, INK, "4 4"),
    ...(rate === undefined ? [] : [line(0, rate, 1, rate, MUTED, "2 3"), line(rate, 0, rate, 1, MUTED, "2 3")]),
    ...order.map((k) => drawn[k]),
    el("rect", { x: left, y: top, width: side, height: side, fill: "none", stroke: INK, "stroke-width": 0.8 }),
    label(left + side / 2, height - 8, xLabel, { "text-anchor": "middle", fill: MUTED }),
    label(14, top + side / 2, yLabel, {
      "text-anchor": "middle",
      fill: MUTED,
      transform: `rotate(-90 14 ${top + side / 2})`,
    }),
    ...lines.flatMap(({ name }, k) => {
      const { colour, dash, width: strokeWidth } = strokeOf(name, k);
      const at = top + 14 + 20 * k;
      return [
        el("line", {
          x1: left + side + 12,
          x2: left + side + 30,
          y1: at,
          y2: at,
          stroke: colour,
          "stroke-width": strokeWidth,
          "stroke-dasharray": dash,
        }),
        label(left + side + 36, at + 4, name ?? own, {
          fill: name === null ? FORECAST_COLOUR : colour,
          "font-weight": name === null ? 700 : 500,
          "font-size": 11,
        }),
      ];
    }),
  );
}
