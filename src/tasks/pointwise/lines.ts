/**
 * The first guess at stations: for each station, variable and lead a straight line from the gridded fields interpolated to it and its own
 * report, by least squares over the training period. What a network adds is what such a line misses.
 *
 *     u(t + L) = b_L . (fields around the station, own report, 1) + r_L net(...)
 *
 * Where a station has no report, the field of the same variable around it stands for it (climatology where the grid has none).
 */
import { type NdArray, float32 } from "../../tensor/ndarray.js";
import type { Departures } from "../forecast/samples.js";
import { solveSymmetric } from "../forecast/solve.js";

export interface Lines {
  /** How many numbers a line begins from: one a gridded channel, the own report, the constant. */
  readonly width: number;
  /** [lead, variable x station, width], leads of 1, 2, ... steps. */
  readonly coefficients: Float32Array;
  /** Root mean square of what each misses in the training period, in departures; [lead, variable x station]. */
  readonly misses: Float32Array;
}

/** What lines begin from. */
export interface LineSource {
  readonly stations: Departures;
  /** The stations' index at each time of the grid, -1 where they have none. */
  readonly at: Int32Array;
  /** Gridded departures at the stations, [channel, station]. */
  readonly around: (index: number) => Float32Array;
  /** For each station variable the grid's channel of the same name, or -1. */
  readonly alike: readonly number[];
}

/** The numbers that the line of `p` (variable x station) begins from at a time of the grid, into `out`; whether its report is among them. */
export function lineRow(
  { stations, at, around, alike }: LineSource,
  start: number,
  p: number,
  count: number,
  out: Float64Array,
): boolean {
  const fields = around(start);
  const channels = out.length - 2;
  for (let c = 0; c < channels; c++) out[c] = fields[c * count + (p % count)];
  const own = at[start] < 0 ? NaN : stations.at(at[start])[p];
  const same = alike[Math.floor(p / count)];
  out[channels] = own === own ? own : same >= 0 ? out[same] : 0;
  out[channels + 1] = 1;
  return own === own;
}

/** The value of a line. */
export function lineAt(
  { width, coefficients }: Lines,
  lead: number,
  p: number,
  size: number,
  row: Float64Array,
): number {
  const at = ((lead - 1) * size + p) * width;
  let sum = 0;
  for (let i = 0; i < width; i++) sum += coefficients[at + i] * row[i];
  return sum;
}

/** Fits the lines; `startsOf` gives the starts of the training period for a lead. `size` is variables times stations. */
export function fitLines(
  source: LineSource,
  { leads, size, count, channels }: { leads: number; size: number; count: number; channels: number },
  startsOf: (lead: number) => readonly number[],
): Lines {
  const width = channels + 2;
  const coefficients = new Float32Array(leads * size * width);
  const misses = new Float32Array(leads * size);
  const row = new Float64Array(width);
  for (let lead = 1; lead <= leads; lead++) {
    const starts = startsOf(lead);
    for (let p = 0; p < size; p++) {
      const normal = new Float64Array(width * width);
      const right = new Float64Array(width);
      let [n, square] = [0, 0];
      for (const start of starts) {
        const y = source.stations.at(source.at[start + lead])[p];
        if (y !== y || !lineRow(source, start, p, count, row)) continue;
        for (let i = 0; i < width; i++) {
          right[i] += row[i] * y;
          for (let j = 0; j < width; j++) normal[i * width + j] += row[i] * row[j];
        }
        square += y * y;
        n++;
      }
      // A touch of ridge, so that fields that go together share what they explain
      const ridged = normal.slice();
      for (let i = 0; i < width; i++) ridged[i * width + i] += 1e-3 * (n || 1);
      const b = solveSymmetric(ridged, right.slice(), width);
      // sum (y - b x)^2 = sum y^2 - 2 b . right + b . normal b
      let sum = square;
      for (let i = 0; i < width; i++) {
        sum -= 2 * b[i] * right[i];
        for (let j = 0; j < width; j++) sum += b[i] * normal[i * width + j] * b[j];
      }
      const at = (lead - 1) * size + p;
      coefficients.set(b, at * width);
      misses[at] = Math.max(Math.sqrt(Math.max(0, sum) / (n || 1)), 0.01);
    }
  }
  return { width, coefficients, misses };
}

/** As named arrays, for the run's `stations.safetensors`. */
export const packLines = ({ width, coefficients, misses }: Lines): [string, NdArray][] => [
  ["line", float32([misses.length, width], coefficients)],
  ["lineMisses", float32([misses.length], misses)],
];

/** Back from what `packLines` wrote. */
export function unpackLines(arrays: ReadonlyMap<string, NdArray>): Lines {
  const [line, misses] = ["line", "lineMisses"].map((name) => arrays.get(name)!);
  return { width: line.shape[1], coefficients: line.data as Float32Array, misses: misses.data as Float32Array };
}
