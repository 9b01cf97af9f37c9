/** Departures of a series from its climatology, each made once. */
import type { RowMaker } from "../../tensor/rows.js";
import { stateAt, type States, stateSize } from "../series.js";
import type { Climatology } from "./climatology.js";

export interface Anomalies {
  /** The state at an index minus the climatology of its time, [channel, cell], or part of it; NaN where missing. Do not write into it. */
  at(index: number, from?: number, to?: number): Float32Array;
  /** Whether a value is missing there. */
  gaps(index: number): boolean;
}

export function anomaliesOf(series: States, climatology: Climatology, rows: RowMaker): Anomalies {
  const size = stateSize(series);
  const kept = rows.float32(series.times.length, size);
  /** 1: known and whole, 2: with gaps. */
  const known = new Uint8Array(series.times.length);
  const make = (index: number) => {
    const [state, mean] = [stateAt(series, index), climatology.at(series.times[index])];
    const field = new Float32Array(size);
    let sum = 0;
    for (let i = 0; i < size; i++) {
      field[i] = state[i] - mean[i];
      sum += field[i];
    }
    kept.set(index, field);
    known[index] = sum === sum ? 1 : 2;
  };
  return {
    at(index, from, to) {
      if (!known[index]) make(index);
      return kept.get(index, from, to);
    },
    gaps(index) {
      if (!known[index]) make(index);
      return known[index] === 2;
    },
  };
}
