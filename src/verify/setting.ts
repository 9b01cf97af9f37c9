/** What a verification rests on: the weights of cells, the baselines, the one of reference. */
import { ordered } from "../data/coords.js";
import type { Dataset } from "../data/dataset.js";
import { MS_PER_DAY, MS_PER_HOUR } from "../earth/time.js";
import { identify } from "../earth/variables.js";
import { latitudeWeights, type WeightKind } from "../earth/weights.js";
import { nearest, UsageError } from "../errors.js";
import {
  type Baseline,
  type Climatology,
  fitBaselines,
  persistenceOnly,
  readClimatology,
  type TimeRange,
} from "../tasks/baselines/index.js";
import { probabilisticClimatology } from "../tasks/baselines/probabilistic-climatology.js";
import { type States, stepOf } from "../tasks/series.js";
import { toNumbers } from "../tensor/ndarray.js";
import type { Pairing } from "./pairing.js";
import { regionWeights } from "./regions.js";
import type { VerifyOptions } from "./verify.js";

/** By region, a weight for every cell. Stations count alike. */
export async function weightsOf(
  specs: readonly string[],
  kind: WeightKind,
  { truth, forecast }: Pairing,
  truthSet: Dataset,
): Promise<Float64Array[]> {
  const { latitudes, longitudes, scattered } = truth;
  const rowWeights = scattered ? new Float64Array(latitudes.length).fill(1) : latitudeWeights(latitudes, kind);
  const mask = scattered ? undefined : await maskOf([truthSet, forecast], truth);
  const places = { latitudes, longitudes, scattered, ...(mask ? { land: () => mask } : {}) };
  return specs.map((spec) => regionWeights(spec, places, rowWeights));
}

/** A land-sea mask on the grid, if one of the data sets has it. */
async function maskOf(
  datasets: readonly Dataset[],
  { latitudes, longitudes }: States,
): Promise<Uint8Array | undefined> {
  for (const each of datasets) {
    const dataset = await ordered(each, "latitude");
    for (const v of dataset.variables.values())
      if (
        v.dims.join() === "latitude,longitude" &&
        v.shape[0] === latitudes.length &&
        v.shape[1] === longitudes.length &&
        identify(v)?.name === "land_sea_mask"
      )
        return Uint8Array.from(toNumbers(await v.read()), (x) => Number(x >= 0.5));
  }
  return undefined;
}

/** All baselines, or persistence alone where the truth before the forecast is too short to know a climatology. */
export async function fit(
  { truth, leadHours, starts }: Pairing,
  trainRange: TimeRange,
  { climatology: file, climatologyWindow, seed = 0, rows, baselines: wanted }: VerifyOptions,
  notes: string[],
): Promise<{ baselines: Baseline[]; climatology?: Climatology; whole: boolean }> {
  const climatology = file && (await readClimatology(file, truth, { rows }));
  const inside = truth.times.filter((t) => t >= trainRange[0] && t < trainRange[1]).length;
  if (inside < 100) {
    if (!wanted || wanted.some((name) => name !== "persistence"))
      notes.push(
        `The truth holds ${inside} times in the training period: persistence is the only baseline${climatology ? "" : ", and anomaly scores are left out"}. Give truth that reaches further back (a year or more).`,
      );
    return { baselines: persistenceOnly(truth), climatology, whole: false };
  }
  const leads = [...leadHours.keys()]
    .filter((l) => starts.some((start) => start.validIndices[l] >= 0))
    .map((l) => (leadHours[l] * MS_PER_HOUR) / stepOf(truth));
  const baselines = fitBaselines(truth, { trainRange, climatologyWindow, seed, rows, climatology, leads });
  return { baselines, climatology: baselines.climatology, whole: true };
}

export function referenceOf(wanted: string | undefined, baselines: readonly Baseline[]): string | null {
  if (wanted === undefined || baselines.some((b) => b.name === wanted)) return wanted ?? null;
  const names = baselines.map((b) => b.name);
  const near = nearest(wanted, names);
  throw new UsageError(
    `there is no baseline '${wanted}' here${near ? `; did you mean '${near}'?` : "."} There are ${names.join(", ")}`,
  );
}

/** Past states of the season as members: of the same day where the training years are enough, else of the days around it, or the nearest that there are. */
export function climatologyEnsemble(truth: States, trainRange: TimeRange, members: number) {
  // Whole years: a day seen once too few would have to be a member twice.
  const years = Math.max(1, Math.floor((trainRange[1] - trainRange[0]) / (365.2425 * MS_PER_DAY)));
  const window = Math.min(61, 2 * Math.ceil((members / years - 1) / 2) + 1);
  return probabilisticClimatology(truth, { trainRange, window: Math.max(1, window), fewest: members });
}
