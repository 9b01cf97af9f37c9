/**
 * The lines along which a grid goes: its columns around the globe, its rows across the poles (onto the meridian opposite,
 * so for scalars; a wind component changes its sign there). Nodes are numbered on beyond the grid's ends where it goes on.
 */
import { bracket } from "./bracket.js";
import { isPeriodic, type RectilinearGrid } from "./grid.js";

/** Where a node of the line of latitudes lies: a row, shifted by columns; two halves where half a turn is no whole column. */
export interface RowPart {
  readonly row: number;
  readonly shift: number;
  readonly share: number;
}

export interface LatitudeLine {
  /** The node before a latitude, and how far it lies towards the next; undefined outside. */
  find(latitude: number): { low: number; share: number } | undefined;
  /** A node's latitude, beyond the pole more than 90; undefined where the line has ended. */
  at(node: number): number | undefined;
  rows(node: number): RowPart[];
}

/** The rows as a line that, on a global grid, goes on across both poles. */
export function latitudeLine(grid: RectilinearGrid): LatitudeLine {
  const { latitudes, longitudes } = grid;
  const [ny, nx] = [latitudes.length, longitudes.length];
  const global = isPeriodic(grid);
  const sign = latitudes[1] > latitudes[0] ? 1 : -1;
  const spacing = Math.abs(latitudes[1] - latitudes[0]);
  const reaches = (latitude: number): boolean => global && 90 - Math.abs(latitude) <= 2 * spacing;
  const [first, last] = [reaches(latitudes[0]), reaches(latitudes[ny - 1])];
  // a row on the pole is its own image: the next beyond it is the image of the row before it
  const onPole = (latitude: number): number => (Math.abs(latitude) > 90 - 1e-6 ? 1 : 0);
  const [low, high] = [onPole(latitudes[0]), onPole(latitudes[ny - 1])];
  const image = (node: number): number | undefined => {
    if (node >= 0 && node < ny) return node;
    const mirrored = node < 0 ? -1 - node + low : 2 * ny - 1 - node - high;
    return (node < 0 ? first : last) && mirrored >= 0 && mirrored < ny ? mirrored : undefined;
  };
  const at = (node: number): number | undefined => {
    const row = image(node);
    if (row === undefined || row === node) return row === undefined ? undefined : latitudes[row];
    return (node < 0 ? -sign : sign) * 180 - latitudes[row];
  };
  return {
    at,
    find(latitude) {
      const inside = bracket(latitudes, latitude);
      if (inside) return inside;
      const before = (latitude - latitudes[0]) * sign < 0;
      const node = before ? -1 : ny - 1;
      const [from, to] = [at(node), at(node + 1)];
      return from === undefined || to === undefined ? undefined : { low: node, share: (latitude - from) / (to - from) };
    },
    rows(node) {
      const row = image(node)!;
      if (row === node) return [{ row, shift: 0, share: 1 }];
      if (nx % 2 === 0) return [{ row, shift: nx / 2, share: 1 }];
      return [
        { row, shift: (nx - 1) / 2, share: 0.5 },
        { row, shift: (nx + 1) / 2, share: 0.5 },
      ];
    },
  };
}

/** The columns as a line that, on a global grid, goes around: a node's longitude, and its column. */
export function longitudeLine(grid: RectilinearGrid): {
  at(node: number): number | undefined;
  column(node: number): number;
} {
  const { longitudes } = grid;
  const nx = longitudes.length;
  if (!isPeriodic(grid)) return { at: (node) => longitudes[node], column: (node) => node };
  const turn = longitudes[1] > longitudes[0] ? 360 : -360;
  const column = (node: number): number => ((node % nx) + nx) % nx;
  return { at: (node) => longitudes[column(node)] + Math.floor(node / nx) * turn, column };
}

/**
 * Weights of a node's slope on the nodes before, at and after it: of the parabola through all three, or of the straight
 * line where one neighbour (its distance undefined) is not there.
 */
export function slopeWeights(before: number | undefined, after: number | undefined): [number, number, number] {
  if (before === undefined && after === undefined) return [0, 0, 0];
  if (before === undefined) return [0, -1 / after!, 1 / after!];
  if (after === undefined) return [-1 / before, 1 / before, 0];
  const both = before + after;
  return [-after / (before * both), (after - before) / (before * after), before / (after * both)];
}
