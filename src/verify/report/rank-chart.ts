/** A rank histogram: bars of where the truth falls among the members, and the line a reliable ensemble has. */
import { el, FORECAST_COLOUR, figure, INK, label, MUTED, PAPER } from "./svg.js";

export function rankChart(options: {
  readonly title: string;
  readonly histogram: ArrayLike<number>;
  /** What the bars are counted by, and the names of the first and last. */
  readonly xLabel?: string;
  readonly ends?: readonly [string, string];
}): string {
  const { title, xLabel = "members below the truth" } = options;
  const histogram = Array.from(options.histogram);
  const [width, height] = [520, 260];
  const margin = { top: 50, right: 20, bottom: 40, left: 48 };
  const flat = 1 / histogram.length;
  const ends = options.ends ?? ["0", `${histogram.length - 1}`];
  const most = Math.max(...histogram, 1.5 * flat);
  const inner = width - margin.left - margin.right;
  const tall = height - margin.top - margin.bottom;
  const y = (share: number) => margin.top + tall * (1 - share / most);
  const each = inner / histogram.length;
  return figure(
    width,
    height,
    title,
    el("rect", { width, height, fill: PAPER }),
    label(8, 18, title, { "font-size": 14, "font-weight": 600 }),
    label(8, 34, "share of truths; the line: a reliable ensemble", { fill: MUTED }),
    ...histogram.map((share, k) =>
      el("rect", {
        x: margin.left + k * each + 0.5,
        y: y(share),
        width: Math.max(0.5, each - 1),
        height: tall * (share / most),
        fill: FORECAST_COLOUR,
        opacity: 0.75,
      }),
    ),
    el("line", {
      x1: margin.left,
      x2: width - margin.right,
      y1: y(flat),
      y2: y(flat),
      stroke: INK,
      "stroke-dasharray": "5 4",
    }),
    label(margin.left - 8, y(flat) + 4, flat.toFixed(3), { "text-anchor": "end", fill: MUTED }),
    label(margin.left + each / 2, height - 22, ends[0], { "text-anchor": "middle", fill: MUTED }),
    label(width - margin.right - each / 2, height - 22, ends[1], {
      "text-anchor": "middle",
      fill: MUTED,
    }),
    label(margin.left + inner / 2, height - 5, xLabel, { "text-anchor": "middle", fill: MUTED }),
  );
}
