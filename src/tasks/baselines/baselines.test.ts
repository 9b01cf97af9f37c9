import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { memoryDataset } from "../../data/dataset.js";
import { MS_PER_DAY, MS_PER_HOUR } from "../../earth/time.js";
import { float32, ndarray } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { readSeries, type Series, stateAt, stateSize, stepOf } from "../series.js";
import { principalComponents } from "./components.js";
import { dampedAnomaly } from "./damped-anomaly.js";
import { type Climatology, fitBaselines, fitClimatology } from "./index.js";

const at = (text: string) => Date.parse(`${text}Z`);

function seriesOf(
  start: string,
  hours: number,
  count: number,
  size: number,
  value: (time: number, cell: number) => number,
): Series {
  return {
    times: Float64Array.from({ length: count }, (_, i) => at(start) + i * hours * MS_PER_HOUR),
    values: Float32Array.from({ length: count * size }, (_, i) => value(Math.floor(i / size), i % size)),
    channels: ["x"],
    units: ["K"],
    latitudes: Float64Array.of(10),
    longitudes: Float64Array.from({ length: size }, (_, j) => j),
    calendar: "standard",
  };
}

describe("climatology", () => {
  // Three years, the second a leap year, of 3 sin(0.37 n) + 0.01 (n mod 97) every 12 h, through xarray's rolling windows with
  // WeatherBench 2's steps (stack years, fill day 366 from 365, wrap, 61 triangular weights, mean over window and year).
  const expected = {
    "2011-01-01T00": 0.3891962785003961,
    "2011-01-20T12": 0.4953660322263809,
    "2011-02-28T00": 0.4399493872925698,
    "2011-03-01T12": 0.4615763805360744,
    "2012-12-05T12": 0.46105292308232726,
    "2021-07-19T00": 0.4615335571443297,
    "2021-12-31T12": 0.3926347953003746,
    "2012-12-31T00": 0.3712518443422576,
  };
  const series = seriesOf("2011-01-01T00:00", 12, 2192, 1, (n) => 3 * Math.sin(0.37 * n) + 0.01 * (n % 97));
  const climatology = fitClimatology(series, { trainRange: [at("2011-01-01T00:00"), at("2014-01-01T00:00")] });

  it("is WeatherBench 2's, for instants beyond the training years too", () => {
    for (const [time, value] of Object.entries(expected))
      expect(Math.abs(climatology.at(at(`${time}:00`))[0] / value - 1), time).toBeLessThan(1e-6);
  });

  it("leaves missing values out, cell by cell", () => {
    const gappy = seriesOf("2011-01-01T00:00", 24, 400, 2, (t, cell) => (cell === 1 || t % 2 ? NaN : 7));
    const mean = fitClimatology(gappy, { trainRange: [gappy.times[0], gappy.times[399] + 1] });
    expect([...mean.at(at("2012-03-01T00:00"))]).toEqual([7, NaN]);
  });

  it("knows only hours it has seen, and says so where it has not seen a year", () => {
    expect(() => climatology.at(at("2011-01-01T06:00"))).toThrow(/at hour 6, only at 0, 12/);
    const spring = fitClimatology(series, { trainRange: [at("2011-02-01T00:00"), at("2011-05-01T00:00")] });
    expect(spring.description).toMatch(/too short for a mean by day of the year/);
    expect(spring.at(at("2012-09-01T00:00"))).toEqual(spring.at(at("2012-03-01T00:00")));
    expect(() => fitClimatology(series, { trainRange: [0, 1] })).toThrow(/holds 0 of the series' 2192 times/);
  });
});

describe("components", () => {
  it("are those of the covariance matrix", () => {
    const rng = random(3);
    const rows = Array.from({ length: 60 }, () =>
      Float32Array.from({ length: 12 }, (_, i) => rng.normal() * 2 ** (-i / 2)),
    );
    const { patterns, variances } = principalComponents(rows, 4, { seed: 1 });
    const x = new Matrix(rows.map((r) => [...r]));
    const full = new EigenvalueDecomposition(x.transpose().mmul(x).div(60), { assumeSymmetric: true });
    const order = [...full.realEigenvalues.keys()].sort((a, b) => full.realEigenvalues[b] - full.realEigenvalues[a]);
    for (let k = 0; k < 4; k++) {
      expect(Math.abs(variances[k] / full.realEigenvalues[order[k]] - 1)).toBeLessThan(1e-6);
      const dot = patterns[k].reduce((sum, v, i) => sum + v * full.eigenvectorMatrix.get(i, order[k]), 0);
      expect(Math.abs(Math.abs(dot) - 1)).toBeLessThan(1e-6);
    }
  });
});

describe("damped anomaly", () => {
  // More cells than are fitted at a time, and a number of pairs that fours do not divide.
  const [size, count] = [300, 39];
  const rng = random(7);
  const noise = Float32Array.from({ length: size * count }, () => rng.normal());
  const zero: Climatology = { at: () => new Float32Array(size), description: "" };
  it.each([false, true])("is the lag regression over pairs that are there; gaps: %s", (gaps) => {
    const value = (t: number, cell: number) => (gaps && (7 * t + cell) % 11 === 0 ? NaN : noise[t * size + cell]);
    const series = seriesOf("2001-01-01T00:00", 24, count, size, value);
    const trainRange = [series.times[0], series.times[count - 1] + 1] as const;
    for (const [coefficient, leads] of [
      ["point", []],
      ["point", [1, 5, 30]],
      ["field", [1, 5]],
    ] as const) {
      const baseline = dampedAnomaly(series, zero, { trainRange, coefficient, leads });
      for (const lead of [1, 5, 30]) {
        const sums = Array.from({ length: size }, (_, cell) => {
          let [product, square] = [0, 0];
          for (let t = 0; t + lead < count; t++) {
            const [a, b] = [value(t, cell), value(t + lead, cell)];
            if (Number.isNaN(a * b)) continue;
            product += a * b;
            square += a * a;
          }
          return [product, square];
        });
        const [product, square] = [0, 1].map((k) => sums.reduce((total, s) => total + s[k], 0));
        baseline.predict([3], lead).forEach((x, cell) => {
          const a = coefficient === "field" ? product / square : sums[cell][0] / sums[cell][1];
          expect(x / (a * value(3, cell)) - 1 || 0).toBeCloseTo(0, 5);
        });
      }
    }
  });
});

describe("baselines on a world that is known", () => {
  // Anomalies a(t + 1) = R a(t) + noise: a damped rotation of pairs of cells, which only the regression can see.
  const size = 6;
  const count = 4000;
  const rng = random(11);
  const [damp, turn] = [0.8, 0.5];
  const anomalies: Float64Array[] = [new Float64Array(size)];
  for (let t = 1; t < count; t++) {
    const last = anomalies[t - 1];
    anomalies.push(
      Float64Array.from({ length: size }, (_, i) => {
        const other = last[i ^ 1] * (i % 2 ? 1 : -1);
        return damp * (Math.cos(turn) * last[i] + Math.sin(turn) * other) + 0.3 * rng.normal();
      }),
    );
  }
  const series = seriesOf("2001-01-01T00:00", 24, count, size, (t, i) => 280 + anomalies[t][i]);
  const end = series.times[3000];
  const baselines = fitBaselines(series, { trainRange: [series.times[0], end], components: size });
  const inits = Array.from({ length: 900 }, (_, k) => 3050 + k);
  const errorOf = (name: string, lead: number, of = baselines) => {
    const out = of.find((b) => b.name === name)!.predict(inits, lead);
    let sum = 0;
    inits.forEach((index, k) => {
      const truth = stateAt(series, index + lead);
      for (let i = 0; i < size; i++) sum += (out[k * size + i] - truth[i]) ** 2;
    });
    return Math.sqrt(sum / (inits.length * size));
  };
  const deviation = 0.3 / Math.sqrt(1 - damp ** 2);

  it("reach the errors that theory gives", () => {
    // Persistence: sqrt(2 s^2 (1 - r)), damped: s sqrt(1 - r^2) with r the lag correlation; regression: the noise alone.
    for (const lead of [1, 3]) {
      const r = damp ** lead * Math.cos(turn * lead);
      expect(errorOf("persistence", lead) / (deviation * Math.sqrt(2 * (1 - r)))).toBeCloseTo(1, 1);
      expect(errorOf("damped-anomaly", lead) / (deviation * Math.sqrt(1 - r * r))).toBeCloseTo(1, 1);
      const noise = deviation * Math.sqrt(1 - damp ** (2 * lead));
      expect(errorOf("ridge", lead) / noise).toBeCloseTo(1, 1);
    }
    expect(errorOf("climatology", 3) / deviation).toBeCloseTo(1, 1);
  });

  it("know nothing of the years after the training", () => {
    const other: Series = { ...series, values: series.values.slice() };
    other.values.fill(0, 3100 * size);
    const again = fitBaselines(other, { trainRange: [series.times[0], end], components: size });
    for (const [k, baseline] of baselines.entries())
      expect(again[k].predict([3050], 2)).toEqual(baseline.predict([3050], 2));
  });
});

describe("readSeries", () => {
  const hours = (values: number[]) => ({
    dims: ["time"],
    data: ndarray("float64", [values.length], Float64Array.from(values)),
    attrs: { units: "hours since 2000-01-01" },
  });
  const dataset = (times: number[]) =>
    memoryDataset({
      time: hours(times),
      level: { dims: ["level"], data: float32([2], [500, 850]) },
      latitude: { dims: ["latitude"], data: float32([1], [0]) },
      longitude: { dims: ["longitude"], data: float32([2], [0, 1]) },
      t2m: { dims: ["time", "latitude", "longitude"], data: float32([3, 1, 2], [1, 2, 3, 4, 5, 6]) },
      z: {
        dims: ["time", "level", "latitude", "longitude"],
        data: float32([3, 2, 1, 2], [10, 11, 20, 21, 12, 13, 22, 23, 14, 15, 24, 25]),
        attrs: { units: "m" },
      },
    });

  it("puts variables and levels side by side as channels", async () => {
    const series = await readSeries(dataset([0, 6, 12]), ["t2m", "z@850"]);
    expect(series.channels).toEqual(["t2m", "z@850"]);
    expect([...series.values]).toEqual([1, 2, 20, 21, 3, 4, 22, 23, 5, 6, 24, 25]);
    expect(series.units).toEqual(["", "m"]);
    expect([stateSize(series), stepOf(series)]).toEqual([4, 6 * MS_PER_HOUR]);
    const all = await readSeries(dataset([0, 6, 12]), undefined, { range: [at("2000-01-01T06:00"), 2e15] });
    expect(all.channels).toEqual(["t2m", "z@500", "z@850"]);
    expect([...all.values.subarray(0, 6)]).toEqual([3, 4, 12, 13, 22, 23]);
    expect(all.times[0]).toBe(at("2000-01-01T00:00") + MS_PER_DAY / 4);
  });

  it("says what is not there", async () => {
    await expect(readSeries(dataset([0, 6, 12]), ["z@700"])).rejects.toThrow(/no level 700; it has 500, 850/);
    await expect(readSeries(dataset([0, 12, 6]))).rejects.toThrow(/out of order at index 2/);
    await expect(readSeries(dataset([0, 6, 12]), ["t2"])).rejects.toThrow(/did you mean 't2m'/);
  });
});
