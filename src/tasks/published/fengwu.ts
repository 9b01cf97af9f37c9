/** FengWu (Chen et al. 2023, arXiv:2304.02948): two standardised states in, the next two out. */
import { UsageError } from "../../errors.js";
import { float32 } from "../../tensor/ndarray.js";
import { LEVELS_13, onLevels, type PublishedModel, type State } from "./contract.js";

export const fengwu: PublishedModel = {
  name: "fengwu",
  licence: "none stated in the authors' repository: ask them before any use beyond research",
  source: "https://github.com/OpenEarthLab/FengWu",
  files: ["fengwu_v2.onnx", "fengwu_v1.onnx"],
  tables: ["data_mean.npy", "data_std.npy"],
  channels: [
    "10m_u_component_of_wind",
    "10m_v_component_of_wind",
    "2m_temperature",
    "mean_sea_level_pressure",
    ...onLevels(
      ["geopotential", "specific_humidity", "u_component_of_wind", "v_component_of_wind", "temperature"],
      LEVELS_13,
    ),
  ],
  scale: {},
  optional: [],
  history: 2,
  async *forecast({ grid: { latitudes, longitudes }, states, maxLead, available, session, table }) {
    const cells = latitudes * longitudes;
    const size = states[0].length;
    const channels = size / cells;
    const [mean, deviation] = [await table("data_mean.npy"), await table("data_std.npy")];
    if (mean.length !== channels || deviation.length !== channels)
      throw new UsageError(
        `data_mean.npy has ${mean.length} numbers and data_std.npy ${deviation.length}, but FengWu has ${channels} channels; use the files that came with the model`,
      );
    // The second is for operational analyses, the first for ERA5
    const model = await session(available.has("fengwu_v2.onnx") ? "fengwu_v2.onnx" : "fengwu_v1.onnx");
    const standardised = (state: State): State =>
      state.map((v, p) => (v - mean[Math.floor(p / cells)]) / deviation[Math.floor(p / cells)]);
    const physical = (state: State): State =>
      state.map((v, p) => v * deviation[Math.floor(p / cells)] + mean[Math.floor(p / cells)]);
    let pair = new Float32Array(2 * size);
    states.forEach((state, k) => pair.set(standardised(state), k * size));
    for (let lead = 6; lead <= maxLead; lead += 6) {
      const out = await model.run({ input: float32([1, 2 * channels, latitudes, longitudes], pair) });
      const next = (Object.values(out)[0].data as Float32Array).subarray(0, size); // t + 6 h; what follows is its guess at t + 12 h
      const moved = new Float32Array(2 * size);
      moved.set(pair.subarray(size));
      moved.set(next, size);
      pair = moved;
      yield { lead, state: physical(next) };
    }
  },
};
