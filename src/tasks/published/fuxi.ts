/** FuXi (Chen et al. 2023, npj Climate and Atmospheric Science 6): two states in, two out, a cascade of three stages of five days each. */
import { type Calendar, dayOfYear, hourOfDay } from "../../earth/time.js";
import { float32 } from "../../tensor/ndarray.js";
import { LEVELS_13, onLevels, type PublishedModel } from "./contract.js";

const STEP = 6 * 3_600_000;
const STAGES = ["short", "medium", "long"] as const;
/** Six-hour steps of a stage; the last goes on. */
const STAGE_STEPS = 20;
const CALENDAR: Calendar = "proleptic_gregorian";

/**
 * The time embedding [12] of a step: for t - 6 h, t and t + 6 h the sines of (day of year / 366, hour / 24), then the cosines;
 * the fractions are taken as radians, as in the authors' code.
 */
export function timeEmbedding(time: number): Float32Array {
  return Float32Array.from(
    [-STEP, 0, STEP].flatMap((shift) => {
      const fractions = [dayOfYear(time + shift, CALENDAR) / 366, hourOfDay(time + shift) / 24];
      return [...fractions.map(Math.sin), ...fractions.map(Math.cos)];
    }),
  );
}

export const fuxi: PublishedModel = {
  name: "fuxi",
  licence:
    "none stated in the authors' repository; weights at Zenodo 10.5281/zenodo.10401602: ask them before any use beyond research",
  source: "https://github.com/tpys/FuXi",
  files: STAGES.map((stage) => `${stage}.onnx`),
  tables: [],
  channels: [
    ...onLevels(
      ["geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "relative_humidity"],
      LEVELS_13,
    ),
    "2m_temperature",
    "10m_u_component_of_wind",
    "10m_v_component_of_wind",
    "mean_sea_level_pressure",
    "total_precipitation_6hr",
  ],
  // In percent; precipitation is in mm (kg m-2) here and there
  scale: Object.fromEntries(LEVELS_13.map((level) => [`relative_humidity@${level}`, 100])),
  optional: ["total_precipitation_6hr"],
  history: 2,
  async *forecast({ grid: { latitudes, longitudes }, states, time, maxLead, session }) {
    const size = states[0].length;
    const channels = size / (latitudes * longitudes);
    let pair = new Float32Array(2 * size);
    states.forEach((state, k) => pair.set(state, k * size));
    for (let step = 0; (step + 1) * 6 <= maxLead; step++) {
      const stage = STAGES[Math.min(STAGES.length - 1, Math.floor(step / STAGE_STEPS))];
      const out = await (
        await session(`${stage}.onnx`)
      ).run({
        input: float32([1, 2, channels, latitudes, longitudes], pair),
        temb: float32([1, 12], timeEmbedding(time + step * STEP)),
      });
      // The output's name differs between the files: it is the only one
      pair = Float32Array.from(Object.values(out)[0].data as Float32Array);
      yield { lead: (step + 1) * 6, state: pair.slice(size) };
    }
  },
};
