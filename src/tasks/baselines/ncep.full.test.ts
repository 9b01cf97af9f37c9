import { existsSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { openDataset } from "../../data/open.node.js";
import { latitudeWeights } from "../../earth/weights.js";
import { readSeries, stateAt, stateSize } from "../series.js";
import { fitBaselines } from "./index.js";

const shared = process.env["FOEHN_SHARED"] ?? path.resolve(import.meta.dirname, "../../../../shared");
const store = path.join(shared, "data/ncep-air-na/air_temperature.zarr");

/** RMSE in K with cosine weights on the second half of 2014, trained to March: about what others' baselines reach there. */
const REACHED_BY_OTHERS: Record<string, number[]> = {
  persistence: [2.25, 2.75, 3.58, 3.87],
  climatology: [3.4, 3.4, 3.4, 3.4],
  "damped-anomaly": [1.37, 2.53, 3.05, 3.2],
  ridge: [1.51, 2.4, 3.02, 3.31],
};

it.skipIf(!existsSync(store))(
  "baselines on the NCEP reanalysis over North America (needs ../shared/data/ncep-air-na)",
  async () => {
    const series = await readSeries(await openDataset(store), ["air"]);
    const baselines = fitBaselines(series, { trainRange: [Date.parse("2013-01-01"), Date.parse("2014-04-01")] });
    const weights = latitudeWeights(series.latitudes, "cos");
    const [size, columns] = [stateSize(series), series.longitudes.length];
    for (const baseline of baselines) {
      const reached = [1, 4, 8, 12].map((lead) => {
        const inits = [...series.times.keys()].filter(
          (i) => series.times[i] >= Date.parse("2014-07-01") && i + lead < series.times.length,
        );
        const fields = baseline.predict(inits, lead);
        let sum = 0;
        inits.forEach((index, k) => {
          const truth = stateAt(series, index + lead);
          for (let i = 0; i < size; i++)
            sum += weights[Math.floor(i / columns)] * (fields[k * size + i] - truth[i]) ** 2;
        });
        return Math.sqrt(sum / (inits.length * size));
      });
      console.log(baseline.name, reached.map((x) => x.toFixed(2)).join(" / "), "K at 6 / 24 / 48 / 72 h");
      reached.forEach((x, k) => expect(x / REACHED_BY_OTHERS[baseline.name][k]).toBeLessThan(1.03));
    }
  },
);
