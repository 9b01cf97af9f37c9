/** Power by wavenumber of forecast and truth, both axes logarithmic: where the forecast's line falls away, it is blurred. */
import { scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { el, FORECAST_COLOUR, figure, INK, label, MUTED, PAPER, RULE } from "./svg.js";

export function spectrumChart(options: {
  readonly title: string;
  readonly units: string;
  /** Behind the units. */
  readonly words?: string;
  /** What the waves are counted by. */
  readonly axis: string;
  readonly forecast: ArrayLike<number>;
  readonly truth: ArrayLike<number>;
}): string {
  const { title, units, words, axis, forecast, truth } = options;
  const [width, height] = [520, 300];
  const margin = { top: 50, right: 70, bottom: 40, left: 58 };
  const waves = Array.from({ length: truth.length - 1 }, (_, k) => k + 1).filter(
    (k) => truth[k] > 0 && forecast[k] > 0,
  );
  if (waves.length < 2) return "";
  // What lies this far below the strongest wave is rounding.
  const floor = 1e-7 * Math.max(...Array.from(truth).slice(1));
  const powers = waves.flatMap((k) => [truth[k], forecast[k]]);
  const x = scaleLog([1, waves[waves.length - 1]], [margin.left, width - margin.right]);
  const y = scaleLog(
    [Math.max(floor, Math.min(...powers)), Math.max(...powers)],
    [height - margin.bottom, margin.top],
  ).nice();
  const decades = y.ticks().filter((t) => Math.abs(Math.log10(t) - Math.round(Math.log10(t))) < 1e-9);
  const height0 = height - margin.bottom;
  const path = line<number>(x, (k) => k).digits(1);
  const draw = (of: ArrayLike<number>, stroke: string, strokeWidth: number) =>
    el("path", {
      d: path.x((k) => x(k)).y((k) => Math.min(height0, y(of[k])))(waves) ?? "",
      fill: "none",
      stroke,
      "stroke-width": strokeWidth,
      "stroke-linejoin": "round",
    });
  const last = waves[waves.length - 1];
  const [atForecast, atTruth] = [forecast, truth].map((of) => Math.min(height0, y(of[last])));
  const apart = Math.abs(atForecast - atTruth) < 14 ? (atForecast >= atTruth ? 7 : -7) : 0;
  return figure(
    width,
    height,
    title,
    el("rect", { width, height, fill: PAPER }),
    label(8, 18, title, { "font-size": 14, "font-weight": 600 }),
    label(8, 34, `power, ${units}${words ? `; ${words}` : ""}`, { fill: MUTED }),
    ...decades.map((t) =>
      [
        el("line", { x1: margin.left, x2: width - margin.right, y1: y(t), y2: y(t), stroke: RULE }),
        label(margin.left - 8, y(t) + 4, t.toExponential(0).replace("e+", "e"), {
          "text-anchor": "end",
          fill: MUTED,
          "font-size": 11,
        }),
      ].join(""),
    ),
    ...[1, 2, 5, 10, 20, 50, 100, 200, 500]
      .filter((k) => k <= last)
      .map((k) => label(x(k), height - margin.bottom + 18, `${k}`, { "text-anchor": "middle", fill: MUTED })),
    draw(truth, INK, 1.6),
    draw(forecast, FORECAST_COLOUR, 2.6),
    label(width - margin.right + 6, atTruth + 4 - apart, "truth", { fill: INK }),
    label(width - margin.right + 6, atForecast + 4 + apart, "forecast", { fill: FORECAST_COLOUR, "font-weight": 700 }),
    label((margin.left + width - margin.right) / 2, height - 5, axis, {
      "text-anchor": "middle",
      fill: MUTED,
    }),
  );
}
