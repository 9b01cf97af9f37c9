/** Persistence: the state at the start, unchanged. Hard to beat for hours, hopeless after days. */
import { stateAt, type States, stateSize } from "../series.js";
import type { Baseline } from "./baseline.js";

export function persistence(series: States): Baseline {
  return {
    name: "persistence",
    description: "the state at the start, unchanged",
    predict(initIndices) {
      if (initIndices.length === 1) return stateAt(series, initIndices[0]);
      const size = stateSize(series);
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++) out.set(stateAt(series, initIndices[k]), k * size);
      return out;
    },
  };
}
