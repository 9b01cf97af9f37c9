import { describe, expect, it } from "vitest";
import { random } from "../tensor/random.js";
import type { DownscaleVerification } from "./downscale-run.js";
import { quantilesOf, SHAPE_LEVELS, shapeOf } from "./downscale-shape.js";
import { choosePicks } from "./downscale-views.js";
import { downscaleReportHtml } from "./report/downscale-html.js";
import { levelsFor } from "./report/map.js";
import { scoreDownscaling } from "./downscaling.js";

const CELLS = 500;
const LEVELS = Array.from({ length: 20 }, (_, i) => (i + 0.5) / 20);
const uniform = (seed: number) => {
  const rng = random(seed);
  return Float32Array.from({ length: CELLS }, () => rng.uniform());
};

describe("where the truth falls", () => {
  const members = (of: (level: number) => number) =>
    Float32Array.from(LEVELS.flatMap((level) => new Array<number>(CELLS).fill(of(level))));
  const times = Array.from({ length: 40 }, (_, t) => t);
  const shape = (of: (level: number) => number, truths: Float32Array[]) =>
    shapeOf(
      null,
      new Float64Array(40),
      truths,
      times.map(() => members(of)),
      truths,
      0.5,
    );
  const truths = times.map(uniform);

  it("is anywhere alike for the law that the truth is drawn from", () => {
    const { pit, chances } = shape((level) => level, truths);
    // 20,000 draws in ten bins: a deviation of 0.002
    for (const share of pit!) expect(Math.abs(share - 0.1)).toBeLessThan(0.008);
    // Ten of twenty values lie above 0.5, and half of the truths
    expect(chances!.happened.findIndex((x) => x > 0)).toBe(10);
    expect(Math.abs(chances!.happened[10] / 20_000 - 0.5)).toBeLessThan(0.02);
  });
  it("is at the ends where the law is too narrow", () => {
    const { pit } = shape((level) => 0.5 + 0.2 * (level - 0.5), truths);
    expect(pit![0] + pit![9]).toBeGreaterThan(0.75);
  });
  it("is spread over the values that it equals", () => {
    const dry = times.map(() => new Float32Array(CELLS));
    const { pit } = shape((level) => Math.max(0, level - 0.6), dry); // 12 of 20 are none
    pit!.forEach((share, b) => expect(share).toBeCloseTo(b < 6 ? 1 / 6 : 0, 6));
  });
});

it("quantiles are those of all values, as far as ten lie beyond", () => {
  const found = quantilesOf([Float32Array.from({ length: 2000 }, (_, i) => 1999 - i), Float32Array.of(NaN)]);
  SHAPE_LEVELS.forEach((p, k) => {
    if (Math.min(p, 1 - p) * 2000 < 10) expect(found[k]).toBeNaN();
    else expect(Math.abs(found[k] - 2000 * p)).toBeLessThanOrEqual(1);
  });
});

it("amounts have steps of 1, 2 and 5 up to the largest, white below the first", () => {
  const { thresholds, colours } = levelsFor("amount", Float32Array.of(0, 3.2));
  expect(thresholds).toEqual([0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]);
  expect(colours).toHaveLength(7);
  expect(colours[0]).toBe("#fbfaf4");
});

describe("the report", () => {
  const [rows, columns, times] = [5, 6, 24];
  const rng = random(4);
  const fields = Array.from({ length: times }, () =>
    Float32Array.from({ length: rows * columns }, () => 280 + rng.normal()),
  );
  const guess = (off: number) => (k: number) => {
    const mean = fields[k].map((x, i) => x + off * Math.sin(i + k));
    return { mean, members: [mean] };
  };
  const verification = (model: number, bilinear: number): DownscaleVerification => {
    const scored = scoreDownscaling({
      variable: "t",
      region: "4x4",
      times,
      truth: (k) => fields[k],
      model: guess(model),
      baselines: [{ name: "bilinear", description: "bilinear interpolation", at: guess(bilinear) }],
      weights: new Float32Array(rows * columns).fill(1),
      columns,
      fss: { threshold: 280, windows: [1] },
    });
    const axes = {
      latitudes: Float64Array.of(54, 53, 52, 51, 50),
      longitudes: Float64Array.of(-3, -2, -1, 0, 1, 2),
    };
    return {
      scores: scored.rows,
      comparisons: scored.comparisons,
      baselines: [{ name: "bilinear", description: "bilinear interpolation" }],
      views: [
        {
          variable: "t",
          units: "K",
          region: "4x4",
          positive: false,
          grid: { rows, columns, axes: true, ...axes },
          coarse: { name: "t", units: "K", sameField: true, ...axes },
          threshold: 280,
          shapes: scored.shapes,
          truthQuantiles: scored.truthQuantiles,
          picks: choosePicks(
            scored.shapes,
            "bilinear",
            (k) => ({ time: 3_600_000 * k, calendar: "standard", coarse: fields[k], truth: fields[k] }),
            [
              { name: null, at: guess(model) },
              { name: "bilinear", at: guess(bilinear) },
            ],
          ),
        },
      ],
    };
  };
  it("says who wins, either way, beside maps of three times, and asks nothing of a network", () => {
    const won = downscaleReportHtml(verification(0.1, 1), [["Run", "runs/t"]]);
    expect(won).toMatch(/<h1>t from means of 4 x 4 cells: better than every baseline in RMSE, CRPS, /);
    expect(won).toMatch(/class="won">1\.\d+|class="won">0\.7/); // the baseline's RMSE, in green
    const lost = downscaleReportHtml(verification(1, 0.1), [["Run", "runs/t"]]);
    expect(lost).toMatch(/<h1>t from means of 4 x 4 cells: behind one of them in RMSE, CRPS, /);
    // Three times: what goes in, truth, model, bilinear, two errors
    expect(won.match(/<image /g)).toHaveLength(18);
    expect(won.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|<link|src=/);
  });
});
