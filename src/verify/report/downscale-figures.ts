/** The figures of a downscaling report: maps of single times, and how all values are spread beside the truth's. */
import { formatTime } from "../../earth/time.js";
import { applyWeights, points, rectilinear, regridWeights } from "../../earth/regrid/index.js";
import type { FieldGrid } from "../../tasks/downscale/fields.js";
import { SHAPE_LEVELS } from "../downscale-shape.js";
import type { DownscalePick, DownscaleView } from "../downscale-views.js";
import { reliabilityDiagram } from "../scores/probability.js";
import { digits } from "../table.js";
import { type Figure, fileName, short } from "./figures.js";
import { type ChartLine, lineChart } from "./line-chart.js";
import { type Levels, levelsFor, map } from "./map.js";
import { rankChart } from "./rank-chart.js";
import { squareChart } from "./square-chart.js";
import { prettyUnits } from "./svg.js";

const MODEL = "model";

/** Coarse, truth, model and baselines on one scale of colours, then the errors on another. */
export function pickFigures(view: DownscaleView, pick: DownscalePick): { fields: Figure[]; errors: Figure[] } {
  const { variable, region, coarse, positive } = view;
  const kind = positive ? "amount" : "value";
  const time = short(formatTime(pick.time, pick.calendar));
  const units = prettyUnits(view.units);
  const drawn = drawable(view.grid);
  const fields = [pick.truth, ...pick.fields.map((f) => f.mean), ...(coarse.sameField ? [pick.coarse] : [])];
  const levels = levelsFor(kind, ...fields);
  const errors = pick.fields.map((f) => f.mean.map((x, i) => x - pick.truth[i]));
  const errorLevels = levelsFor("difference", ...errors.map(withoutExtremes));
  const figureOf = (title: string, subtitle: string, field: Float32Array, scale: Levels): Figure => ({
    name: fileName("map", variable, region, title, time),
    svg: map({ title, subtitle, units, levels: scale, cells: true, ...drawn.axes, field: drawn.field(field) }),
  });
  const name = (of: string | null) => of ?? MODEL;
  return {
    fields: [
      {
        name: fileName("map", variable, region, "coarse", time),
        svg: map({
          title: coarse.sameField ? "What goes in" : `What goes in: ${coarse.name}`,
          subtitle: time,
          units: prettyUnits(coarse.units),
          levels: coarse.sameField ? levels : levelsFor("value", pick.coarse),
          cells: true,
          field: pick.coarse,
          latitudes: coarse.latitudes,
          longitudes: coarse.longitudes,
        }),
      },
      figureOf("Truth", time, pick.truth, levels),
      ...pick.fields.map((f) => figureOf(name(f.name), `RMSE ${digits(f.error)} ${units}`, f.mean, levels)),
    ],
    errors: pick.fields.map((f, i) => figureOf(`${name(f.name)} minus truth`, time, errors[i], errorLevels)),
  };
}

/** The field without the largest and smallest 0.5 %: a few cells would leave the others without colour. */
function withoutExtremes(field: Float32Array): Float32Array {
  const sorted = field.filter(Number.isFinite).sort();
  const cut = Math.floor(sorted.length / 200);
  return sorted.subarray(cut, sorted.length - cut);
}

/** Axes that a map can be drawn on: a projected grid's cells go to the nearest of as many rows and columns. */
function drawable(grid: FieldGrid): {
  axes: { latitudes: Float64Array; longitudes: Float64Array };
  field: (values: Float32Array) => Float32Array;
} {
  const { latitudes, longitudes, rows, columns } = grid;
  if (grid.axes) return { axes: { latitudes, longitudes }, field: (values) => values };
  const span = (values: Float64Array, count: number) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return Float64Array.from({ length: count }, (_, i) => low + ((i + 0.5) / count) * (high - low));
  };
  const axes = { latitudes: span(latitudes, rows), longitudes: span(longitudes, columns) };
  const weights = regridWeights(points(latitudes, longitudes), rectilinear(axes.latitudes, axes.longitudes), "nearest");
  return { axes, field: (values) => applyWeights(weights, values) };
}

/** Tails, quantiles beside the truth's, and where the head tells a distribution its calibration. */
export function shapeFigures(view: DownscaleView): Figure[] {
  return [tailFigure(view), ...(view.positive ? [] : [departureFigure(view)]), ...calibrationFigures(view)];
}

type Spread = { readonly name: string | null; readonly at: Float64Array };

/** The truth, the model's distribution and mean, and the baselines. */
function spreads({ shapes, truthQuantiles }: DownscaleView): Spread[] {
  const [own, ...others] = shapes;
  return [
    { name: null, at: own.quantiles },
    ...(own.pit ? [{ name: "model's mean", at: own.quantilesOfMean }] : []),
    ...others.map((s) => ({ name: s.name, at: s.quantiles })),
    { name: "truth", at: truthQuantiles },
  ];
}

const lineOf = ({ name, at }: Spread, x: (p: number) => number, y = (k: number) => at[k]): ChartLine => ({
  name,
  points: SHAPE_LEVELS.map((p, k) => ({ x: x(p), y: y(k), low: null, high: null })).filter((q) => q.y === q.y),
});

/** The value that one in n of all cells and times exceeds. */
function tailFigure(view: DownscaleView): Figure {
  const rarity = (p: number) => -Math.log10(1 - p);
  const lines = spreads(view).map((s) => {
    const line = lineOf(s, rarity);
    return { ...line, points: line.points.filter(({ x }) => x >= 0.3) };
  });
  return {
    name: fileName("tail", view.variable, view.region),
    svg: lineChart({
      title: "How strong is what is rare",
      yLabel: `${view.variable}, ${prettyUnits(view.units)}`,
      lines,
      own: MODEL,
      xLabel: "exceeded by one in so many cells and times",
      xTicks: [1, 2, 3, 4].filter((tick) => lines.some((l) => l.points.some(({ x }) => x >= tick))),
      tickName: (tick) => (10 ** tick).toLocaleString("en"),
    }),
  };
}

/** Each quantile less the truth's. */
function departureFigure(view: DownscaleView): Figure {
  const lines = spreads(view).map((s) =>
    s.name === "truth"
      ? lineOf(
          s,
          (p) => 100 * p,
          () => 0,
        )
      : lineOf(
          s,
          (p) => 100 * p,
          (k) => s.at[k] - view.truthQuantiles[k],
        ),
  );
  return {
    name: fileName("quantiles", view.variable, view.region),
    svg: lineChart({
      title: "Quantiles less the truth's",
      yLabel: `${view.variable}, ${prettyUnits(view.units)}`,
      lines,
      own: MODEL,
      xLabel: "per cent of all cells and times below",
      xTicks: [0, 20, 40, 60, 80, 100],
    }),
  };
}

function calibrationFigures({ variable, units, region, shapes, threshold }: DownscaleView): Figure[] {
  const [own] = shapes;
  if (!own.pit || !own.chances) return [];
  const told = shapes.filter((s) => s.chances);
  const [happened, not] = [own.chances.happened, own.chances.not].map((x) => x.reduce((a, b) => a + b, 0));
  const rate = happened / (happened + not);
  return [
    {
      name: fileName("pit", variable, region),
      svg: rankChart({
        title: "Where the truth falls in the model's distribution",
        histogram: own.pit,
        xLabel: "share of the distribution below the truth",
        ends: ["0", "1"],
      }),
    },
    ...(rate > 0
      ? [
          {
            name: fileName("reliability", variable, region),
            svg: squareChart({
              title: "Reliability of the chance of strong values",
              subtitle: `above ${Number(threshold.toPrecision(4))} ${prettyUnits(units)}; it happens in ${(100 * rate).toPrecision(2)} % of cells and times`,
              xLabel: "forecast probability (dots: share of cases)",
              yLabel: "observed frequency",
              rate,
              own: MODEL,
              lines: told.map(({ name, chances }) => ({
                name,
                points: reliabilityDiagram(chances!)
                  .filter(({ share }) => share >= 1e-4)
                  .map((p) => ({ x: p.forecast, y: p.observed, share: p.share })),
              })),
            }),
          },
        ]
      : []),
  ];
}
