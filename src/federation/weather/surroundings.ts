/**
 * The coarse fields around a site: what an analysis or a reanalysis that everybody can have says of the weather upstream of it.
 * They are read on a square of points about each of the site's own points, east and north in kilometres, so that a stencil means
 * the same everywhere, and shown as departures from their climatology there in units of their deviation.
 */
import { applyWeights, points, rectilinear, regridWeights } from "../../earth/regrid/index.js";
import { DataError } from "../../errors.js";
import { fitNormaliser, type Normaliser } from "../../tasks/forecast/normaliser.js";
import { cellCount, type Series, stateSize } from "../../tasks/series.js";
import { departuresOf, type FittedMember, onlyPart, type Surroundings } from "./member.js";
import type { SharedTask } from "./task.js";

type Spec = NonNullable<SharedTask["surroundings"]>;

/** Mean radius of the earth, km (IUGG). */
const RADIUS = 6371.0088;
const RADIANS = Math.PI / 180;

/** Coarse fields, and the name of what they were read from. */
export interface Field {
  readonly series: Series;
  readonly source: string;
}

interface Places {
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
}

/** The points around each cell of a grid, [point, cell]: from south-west to north-east, row by row. */
export function stencil(grid: Places, { reach, points: side }: Pick<Spec, "reach" | "points">): Places {
  const cells = [...grid.latitudes].flatMap((latitude) =>
    [...grid.longitudes].map((longitude) => [latitude, longitude]),
  );
  const offsets = Array.from({ length: side }, (_, i) => (side > 1 ? reach * ((2 * i) / (side - 1) - 1) : 0));
  const all = offsets.flatMap((north) =>
    offsets.flatMap((east) => cells.map(([latitude, longitude]) => displaced(latitude, longitude, east, north))),
  );
  return { latitudes: Float64Array.from(all, ([v]) => v), longitudes: Float64Array.from(all, ([, v]) => v) };
}

/** Where one ends after so many kilometres along a great circle, towards (east, north) at its beginning. */
function displaced(latitude: number, longitude: number, east: number, north: number): [number, number] {
  const angle = Math.hypot(east, north) / RADIUS;
  if (angle === 0) return [latitude, longitude];
  const bearing = Math.atan2(east, north);
  const [sin, cos] = [Math.sin(latitude * RADIANS), Math.cos(latitude * RADIANS)];
  const up = sin * Math.cos(angle) + cos * Math.sin(angle) * Math.cos(bearing);
  const turn = Math.atan2(Math.sin(bearing) * Math.sin(angle) * cos, Math.cos(angle) - sin * up);
  return [Math.asin(Math.min(1, Math.max(-1, up))) / RADIANS, longitude + turn / RADIANS];
}

/** A field about the points of a member's record, at that record's times: channels x stencil x cells, missing values NaN. */
export function fieldAround(record: Series, field: Series, spec: Spec): Series {
  const around = stencil(record, spec);
  const { latitudes, longitudes } = around;
  const weights = regridWeights(
    rectilinear(field.latitudes, field.longitudes),
    points(latitudes, longitudes),
    "bilinear",
  );
  const size = field.channels.length * latitudes.length;
  const found = applyWeights(weights, field.values);
  const at = new Map(Array.from(field.times, (time, t) => [time, t]));
  const values = new Float32Array(record.times.length * size).fill(NaN);
  record.times.forEach((time, t) => {
    const k = at.get(time);
    if (k !== undefined) values.set(found.subarray(k * size, (k + 1) * size), t * size);
  });
  return { ...field, ...around, scattered: true, times: record.times, values };
}

/** Fits what lies around a member to its training part. Throws DataError where the field does not cover the record. */
export function fitSurroundings(
  { series, parts }: Pick<FittedMember, "series" | "parts">,
  field: Field,
  task: SharedTask,
): Surroundings {
  const around = fieldAround(series, field.series, task.surroundings!);
  refuseBare(around, field.source);
  const normaliser = fitNormaliser(onlyPart(around, parts, "train"), {
    trainRange: [-Infinity, Infinity],
    step: task.forecast.step * 3_600_000,
    leadSteps: 1,
    firstGuess: "damped-anomaly",
    missing: "skip",
  });
  return { normaliser, departures: departuresOf(around, normaliser) };
}

/** The same from what was fitted before. */
export const knownSurroundings = (record: Series, normaliser: Normaliser, field: Field, spec: Spec): Surroundings => ({
  normaliser,
  departures: departuresOf(fieldAround(record, field.series, spec), normaliser),
});

/** Half of the record's times must have a field, and the field must reach the record's own place. */
const LEAST_COVER = 0.5;

function refuseBare(around: Series, source: string): void {
  const size = stateSize(around);
  const middle = Math.floor(cellCount(around) / 2);
  let seen = 0;
  for (let t = 0; t < around.times.length; t++)
    if (around.values[t * size + middle] === around.values[t * size + middle]) seen++;
  if (seen < LEAST_COVER * around.times.length)
    throw new DataError(
      source,
      `it has a field at the site's place for ${seen} of the record's ${around.times.length} times; give fields of the same period and region`,
    );
}
