/**
 * The baselines that stand beside every forecast, fitted to the training years of a series.
 *
 *     const baselines = fitBaselines(series, { trainRange: [start, end] });
 *     const fields = baselines[0].predict([100, 101], 4); // [2, channel, latitude, longitude], four steps ahead
 */
import { memoryRows, type RowMaker } from "../../tensor/rows.js";
import type { States } from "../series.js";
import { anomaliesOf } from "./anomalies.js";
import type { Baseline, TimeRange } from "./baseline.js";
import { type Climatology, climatologyForecast, fitClimatology } from "./climatology.js";
import { dampedAnomaly } from "./damped-anomaly.js";
import { persistence } from "./persistence.js";
import { ridgeRegression } from "./ridge.js";

export type { Baseline, TimeRange } from "./baseline.js";
export { type Climatology, fitClimatology, readClimatology } from "./climatology.js";

export interface BaselineOptions {
  /** Everything is fitted to the instants in [start, end), milliseconds. */
  readonly trainRange: TimeRange;
  /** Days of the climatology's triangular window. */
  readonly climatologyWindow?: number;
  /** Principal components of the ridge regression. */
  readonly components?: number;
  readonly seed?: number;
  /** Where what they learn is kept. */
  readonly rows?: RowMaker;
  /** Leads that will be asked for, in steps of the series; others may be too, one at a time. */
  readonly leads?: readonly number[];
  /** One made elsewhere, instead of the training period's. */
  readonly climatology?: Climatology;
}

/** Of every baseline there is, in the order that `fitBaselines` gives. */
export const BASELINES = ["persistence", "climatology", "damped-anomaly", "ridge"] as const;

/** Where the record is too short for anything else. */
export const persistenceOnly = (series: States): Baseline[] => [persistence(series)];

/** Persistence, climatology, damped anomaly persistence and ridge regression; each fits a lead when first asked for it. */
export function fitBaselines(series: States, options: BaselineOptions): Baseline[] & { climatology: Climatology } {
  const { trainRange, climatologyWindow = 61, components = 50, seed = 0, rows = memoryRows } = options;
  const climatology = options.climatology ?? fitClimatology(series, { trainRange, window: climatologyWindow, rows });
  const anomalies = anomaliesOf(series, climatology, rows);
  const all = [
    persistence(series),
    climatologyForecast(series, climatology),
    dampedAnomaly(series, climatology, { trainRange, rows, anomalies, leads: options.leads }),
    ridgeRegression(series, climatology, { trainRange, components, seed, rows, anomalies }),
  ];
  return Object.assign(all, { climatology });
}
