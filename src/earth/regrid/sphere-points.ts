/** Points on the sphere, and the nearest of them: a k-d tree of unit vectors (Bentley 1975). */
import { RADIANS } from "./grid.js";

/** Unit vectors [x, y, z] of latitudes and longitudes in degrees, one after the other. */
export function unitVectors(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): Float64Array {
  const out = new Float64Array(3 * latitudes.length);
  for (let i = 0; i < latitudes.length; i++) {
    const [y, x] = [latitudes[i] * RADIANS, longitudes[i] * RADIANS];
    out[3 * i] = Math.cos(y) * Math.cos(x);
    out[3 * i + 1] = Math.cos(y) * Math.sin(x);
    out[3 * i + 2] = Math.sin(y);
  }
  return out;
}

export interface Neighbour {
  readonly index: number;
  /** Angle between the two, radians. */
  readonly distance: number;
}

/** Squared chords closer than this are equal: the lower index wins. */
const TIE = 1e-14;

/** Finds the nearest k of some points; equally near ones by their index. Points whose place is not known are left out. */
export function nearestFinder(
  latitudes: ArrayLike<number>,
  longitudes: ArrayLike<number>,
): (latitude: number, longitude: number, k: number) => Neighbour[] {
  const vectors = unitVectors(latitudes, longitudes);
  const order = Int32Array.from(
    Array.from({ length: latitudes.length }, (_, i) => i).filter((i) => vectors[3 * i + 2] === vectors[3 * i + 2]),
  );
  build(0, order.length, 0);

  /** Orders [from, to) so that the middle one divides the rest along an axis. */
  function build(from: number, to: number, axis: number): void {
    if (to - from < 2) return;
    const part = Array.from(order.subarray(from, to)).sort((a, b) => vectors[3 * a + axis] - vectors[3 * b + axis]);
    order.set(part, from);
    const middle = (from + to) >> 1;
    build(from, middle, (axis + 1) % 3);
    build(middle + 1, to, (axis + 1) % 3);
  }

  return (latitude, longitude, k) => {
    const at = unitVectors([latitude], [longitude]);
    const best: { index: number; chord: number }[] = [];
    const search = (from: number, to: number, axis: number): void => {
      if (from >= to) return;
      const middle = (from + to) >> 1;
      const index = order[middle];
      const [dx, dy, dz] = [0, 1, 2].map((a) => vectors[3 * index + a] - at[a]);
      const chord = dx * dx + dy * dy + dz * dz;
      const before = (other: { index: number; chord: number }): boolean =>
        chord < other.chord - TIE || (chord < other.chord + TIE && index < other.index);
      if (best.length < k || before(best[k - 1])) {
        const place = best.findIndex(before);
        best.splice(place < 0 ? best.length : place, 0, { index, chord });
        if (best.length > k) best.pop();
      }
      const side = at[axis] - vectors[3 * index + axis];
      const next = (axis + 1) % 3;
      if (side < 0) search(from, middle, next);
      else search(middle + 1, to, next);
      if (best.length < k || side * side <= best[best.length - 1].chord + TIE) {
        if (side < 0) search(middle + 1, to, next);
        else search(from, middle, next);
      }
    };
    search(0, order.length, 0);
    return best.map(({ index, chord }) => ({ index, distance: 2 * Math.asin(Math.min(1, Math.sqrt(chord) / 2)) }));
  };
}
