/** Pangu-Weather (Bi et al. 2023, Nature 619): four models for 1, 3, 6 and 24 hours, combined so that few steps are taken. */
import { UsageError } from "../../errors.js";
import { float32 } from "../../tensor/ndarray.js";
import { lastJump } from "../forecast/leads.js";
import { LEVELS_13, onLevels, type PublishedModel, type State } from "./contract.js";

const UPPER = ["geopotential", "specific_humidity", "temperature", "u_component_of_wind", "v_component_of_wind"];
const SURFACE = ["mean_sea_level_pressure", "10m_u_component_of_wind", "10m_v_component_of_wind", "2m_temperature"];
/** 1000 hPa first. */
const LEVELS = [...LEVELS_13].reverse();
const HOURS = [24, 6, 3, 1] as const;
const fileOf = (hours: number): string => `pangu_weather_${hours}.onnx`;

export const pangu: PublishedModel = {
  name: "pangu",
  licence: "weights CC BY-NC-SA 4.0, commercial use forbidden by their authors",
  source: "https://github.com/198808xc/Pangu-Weather",
  files: HOURS.map(fileOf),
  tables: [],
  channels: [...onLevels(UPPER, LEVELS), ...SURFACE],
  scale: {},
  optional: [],
  history: 1,
  async *forecast({ grid: { latitudes, longitudes }, states: [begin], maxLead, session }) {
    if (maxLead < 6)
      throw new UsageError(`a lead of ${maxLead} h is too short: Pangu-Weather's forecasts are made every 6 h`);
    const cells = latitudes * longitudes;
    const upper = UPPER.length * LEVELS.length * cells;
    const reached = new Map<number, State>([[0, begin]]);
    for (let lead = 6; lead <= maxLead; lead += 6) {
      const hours = lastJump(lead, HOURS)! as (typeof HOURS)[number];
      const from = reached.get(lead - hours)!;
      const out = await (
        await session(fileOf(hours))
      ).run({
        input: float32([UPPER.length, LEVELS.length, latitudes, longitudes], from.subarray(0, upper)),
        input_surface: float32([SURFACE.length, latitudes, longitudes], from.subarray(upper)),
      });
      const state = new Float32Array(begin.length);
      state.set(out["output"].data as Float32Array);
      state.set(out["output_surface"].data as Float32Array, upper);
      if (lead % 24 === 0) reached.clear(); // what lies before the day is not begun from again
      reached.set(lead, state);
      yield { lead, state };
    }
  },
};
