/**
 * Foehn as a library. The path from data to a verified forecast:
 *
 *     const dataset = await openDataset("era5.zarr");
 *     const runtime = await openRuntime();
 *     const config = parseForecastConfig({ data: { path: "era5.zarr", variables: ["t2m"] } });
 *     const model = await trainRun({ run: "runs/first", config, dataset, runtime });
 *     await writeForecast({ model, dataset, runtime, out: "forecast.zarr", starts: "test" });
 *     const result = await verifyForecast({ forecast: await openDataset("forecast.zarr"), truth: dataset });
 *     console.log(formatScores(result.rows));
 *
 * And from equations to a trained network (docs/engine.md):
 *
 *     const g = new Graph("line");
 *     const p = scope(g);
 *     const x = g.input("x", "float32", [8, 1]), y = g.input("y", "float32", [8, 1]);
 *     const loss = reduceMean(square(sub(linear(x, p.param("w", [1, 1], zero)), y)));
 *     const trainer = await createTrainer(runtime, { loss, parameters: initialise(p, { seed: 1 }), optimiser: adamW() });
 */

// Data
export { type Dataset, memoryDataset, type Variable, variable } from "./data/dataset.js";
export { openDataset } from "./data/open.node.js";
export { describe as describeDataset } from "./data/info.js";
export { convertDataset } from "./data/convert.node.js";
export { writeNetcdf } from "./data/write-netcdf.node.js";
export { createZarr, writeZarr } from "./data/write-zarr.node.js";
export { subset } from "./data/subset.js";
export { regridded } from "./data/regrid.js";
export { resampled } from "./data/resample.js";
export { derive } from "./data/derive.js";
export { lossy } from "./data/lossy.js";
export { climatologyQuantiles, monthlyClimatology } from "./data/climate-statistics.js";

// Graphs and training
export * from "./compute.js";
export { openOnnx } from "./graph/import.node.js";
export { openInline, openRuntime } from "./engine/runtime.node.js";

// Architectures
export { ARCHITECTURES, type ModelConfig, preset, PRESET_NAMES, resolveModel, writeAt } from "./models/index.js";

// The atmosphere
export { simulate, simulateDataset } from "./simulator/simulate.js";

// Forecasts and their verification
export { type ForecastConfig, parseForecastConfig } from "./tasks/forecast/config.js";
export { trainRun, writeForecast } from "./tasks/forecast/make.node.js";
export { openRun } from "./tasks/forecast/run.node.js";
export { createPredictor } from "./tasks/forecast/rollout.js";
export { fitBaselines } from "./tasks/baselines/index.js";
export { verifyForecast } from "./verify/verify.js";
export { formatScores } from "./verify/table.js";
export { savedScores } from "./verify/saved.js";
export { reportHtml } from "./verify/report/html.js";

export { DataError, FoehnError, GraphError, UsageError } from "./errors.js";
