/** Interpolation to points: nearest neighbour, bilinear in latitude and longitude, inverse distance. */
import { type Bracket, bracket, longitudeBracket, targetPoints } from "./bracket.js";
import { type Grid, isPeriodic, type PointGrid, pointsOf, RADIANS, type RectilinearGrid } from "./grid.js";
import { nearestFinder } from "./sphere-points.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

/**
 * Bilinear weights: linear in longitude along the two rows around a point, then linear in latitude. Poleward of a global
 * grid's last row the second row is the pole, whose value is the mean of the last one. Points outside a regional grid
 * have no value.
 */
export function bilinearWeights(source: RectilinearGrid, target: Grid): RegridWeights {
  const { latitudes, longitudes } = source;
  const [ny, nx] = [latitudes.length, longitudes.length];
  const builder = weightsBuilder(pointsOf(target), ny * nx);
  const periodic = isPeriodic(source);
  for (const [latitude, longitude] of targetPoints(target)) {
    const x = longitudeBracket(source, longitude);
    const addRow = (row: number, weight: number): void => {
      if (!x) return;
      builder.add(row * nx + x.low, weight * (1 - x.share));
      builder.add(row * nx + x.high, weight * x.share);
    };
    const y = bracket(latitudes, latitude);
    if (x && y) {
      addRow(y.low, 1 - y.share);
      addRow(y.high, y.share);
    } else if (x && periodic) {
      const row = polarRow(latitudes, latitude);
      if (row >= 0) {
        const share = (latitude - latitudes[row]) / (Math.sign(latitude) * 90 - latitudes[row]);
        addRow(row, 1 - share);
        for (let column = 0; column < nx; column++) builder.add(row * nx + column, share / nx);
      }
    }
    builder.endRow();
  }
  return builder.build();
}

/** The row next to the pole a latitude lies towards, if the pole is no more than two spacings away from it; else -1. */
function polarRow(latitudes: Float64Array, latitude: number): number {
  const n = latitudes.length;
  if (n < 2) return -1;
  const last = Math.abs(latitudes[0] - latitude) < Math.abs(latitudes[n - 1] - latitude) ? 0 : n - 1;
  const spacing = Math.abs(last === 0 ? latitudes[1] - latitudes[0] : latitudes[n - 1] - latitudes[n - 2]);
  const isTowardsPole =
    Math.sign(latitude) === Math.sign(latitudes[last]) && Math.abs(latitude) > Math.abs(latitudes[last]);
  return isTowardsPole && 90 - Math.abs(latitudes[last]) <= 2 * spacing ? last : -1;
}

/** Nearest neighbour on the sphere; the lower index where two are equally near. Points outside a regional grid take its edge. */
export function nearestWeights(source: Grid, target: Grid): RegridWeights {
  const builder = weightsBuilder(pointsOf(target), pointsOf(source));
  const find = source.kind === "rectilinear" ? nearestOnGrid(source) : nearestOf(source);
  for (const [latitude, longitude] of targetPoints(target)) {
    builder.add(find(latitude, longitude), 1);
    builder.endRow();
  }
  return builder.build();
}

/** Finds the index of the value nearest to a place. */
type Finder = (latitude: number, longitude: number) => number;

const cosineOfAngle = (lat1: number, lon1: number, lat2: number, lon2: number): number =>
  Math.sin(lat1 * RADIANS) * Math.sin(lat2 * RADIANS) +
  Math.cos(lat1 * RADIANS) * Math.cos(lat2 * RADIANS) * Math.cos((lon1 - lon2) * RADIANS);

/**
 * Of rows and columns, the nearest to a point among them lies in the nearest column of one of the rows around it; the
 * nearest to a point outside a regional grid lies on the grid's rim.
 */
function nearestOnGrid(grid: RectilinearGrid): Finder {
  const { latitudes, longitudes } = grid;
  const [ny, nx] = [latitudes.length, longitudes.length];
  const onRim = nearestOf(rim(grid));
  const rimIndices = rimCells(ny, nx);
  return (latitude, longitude) => {
    const y = bracket(latitudes, latitude) ?? (isPeriodic(grid) ? edgeRow(latitudes, latitude) : undefined);
    if (!y || !longitudeBracket(grid, longitude)) {
      return rimIndices[onRim(latitude, longitude)];
    }
    const column = nearestColumn(longitudes, longitude);
    let best = { index: -1, cosine: -Infinity };
    for (const row of [Math.min(y.low, y.high), Math.max(y.low, y.high)]) {
      const cosine = cosineOfAngle(latitude, longitude, latitudes[row], longitudes[column]);
      if (cosine > best.cosine + 1e-15) best = { index: row * nx + column, cosine };
    }
    return best.index;
  };
}

/** The indices of a grid's outermost rows and columns. */
const rimCells = (ny: number, nx: number): number[] =>
  Array.from({ length: ny * nx }, (_, i) => i).filter((i) => {
    const [row, column] = [Math.floor(i / nx), i % nx];
    return row === 0 || row === ny - 1 || column === 0 || column === nx - 1;
  });

function rim({ latitudes, longitudes }: RectilinearGrid): PointGrid {
  const nx = longitudes.length;
  const cells = rimCells(latitudes.length, nx);
  return {
    kind: "points",
    latitudes: Float64Array.from(cells, (i) => latitudes[Math.floor(i / nx)]),
    longitudes: Float64Array.from(cells, (i) => longitudes[i % nx]),
  };
}

function edgeRow(latitudes: Float64Array, latitude: number): Bracket {
  const n = latitudes.length;
  const row = Math.abs(latitudes[0] - latitude) < Math.abs(latitudes[n - 1] - latitude) ? 0 : n - 1;
  return { low: row, high: row, share: 0 };
}

function nearestColumn(longitudes: Float64Array, longitude: number): number {
  let best = 0;
  let least = Infinity;
  for (let i = 0; i < longitudes.length; i++) {
    const turned = Math.abs(((((longitude - longitudes[i]) % 360) + 540) % 360) - 180);
    if (turned < least - 1e-9) [best, least] = [i, turned];
  }
  return best;
}

/** The nearest of scattered points. */
function nearestOf({ latitudes, longitudes }: { latitudes: Float64Array; longitudes: Float64Array }): Finder {
  const find = nearestFinder(latitudes, longitudes);
  return (latitude, longitude) => find(latitude, longitude, 1)[0].index;
}

/** Inverse-distance weights of the nearest points: w = 1 / d^power, the point itself where it coincides with one. */
export function inverseDistanceWeights(
  source: Grid,
  target: Grid,
  options: { neighbours?: number; power?: number } = {},
): RegridWeights {
  const { neighbours = 8, power = 2 } = options;
  const builder = weightsBuilder(pointsOf(target), pointsOf(source));
  const all = [...targetPoints(source)];
  const find = nearestFinder(
    all.map(([y]) => y),
    all.map(([, x]) => x),
  );
  for (const [latitude, longitude] of targetPoints(target)) {
    const found = find(latitude, longitude, Math.min(neighbours, all.length));
    // less than a metre
    if (found[0].distance < 1e-7) builder.add(found[0].index, 1);
    else {
      const raw = found.map(({ distance }) => distance ** -power);
      const total = raw.reduce((a, b) => a + b, 0);
      found.forEach(({ index }, i) => builder.add(index, raw[i] / total));
    }
    builder.endRow();
  }
  return builder.build();
}
