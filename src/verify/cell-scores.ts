/** Scores of each cell as a dataset (to be written as Zarr or NetCDF): bias, RMSE and MAE by variable, lead and place, and every baseline's RMSE. */
import { type Dataset, memoryDataset, type MemoryVariable } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import type { CellErrors } from "./cell-sums.js";
import type { Verification } from "./verify.js";

/** Variables `air_bias`, `air_rmse`, `air_mae`, `air_count`, `air_rmse_persistence`, ... on lead_time, latitude, longitude (or station). */
export function cellScores({ meta, cells, latitudes, longitudes, stations }: Verification): Dataset {
  const leads = cells.leads;
  const coordinate = (dims: string[], values: ArrayLike<number>, units: string): MemoryVariable => ({
    dims,
    data: ndarray("float64", [values.length], Float64Array.from(values)),
    attrs: { units },
  });
  const hours = leads.map((lead) => meta.leadHours[lead]);
  const variables: Record<string, MemoryVariable> = { lead_time: coordinate(["lead_time"], hours, "hours") };
  variables["latitude"] = coordinate([stations ? "station" : "latitude"], latitudes, "degrees_north");
  variables["longitude"] = coordinate([stations ? "station" : "longitude"], longitudes, "degrees_east");
  const places = stations ? ["station"] : ["latitude", "longitude"];
  const shape = [leads.length, ...(stations ? [stations.length] : [latitudes.length, longitudes.length])];
  const kinds: [string, string, (of: CellErrors) => Float32Array, number][] = [
    ["bias", "mean error", (of) => of.bias(), 0],
    ["rmse", "root mean square error", (of) => of.rmse(), 0],
    ["mae", "mean absolute error", (of) => of.mae(), 0],
    ["count", "number of starts", (of) => of.count(), 0],
    ...meta.baselines
      .slice(0, cells.forecasters - 1)
      .map(({ name }, k): (typeof kinds)[number] => [
        `rmse_${name}`,
        `root mean square error of ${name}`,
        (of) => of.rmse(),
        k + 1,
      ]),
  ];
  meta.variables.forEach(({ name, label, units }, channel) => {
    for (const [kind, words, of, forecaster] of kinds) {
      const data = new Float32Array(leads.length * cells.cells);
      leads.forEach((lead, l) => data.set(of(cells.of(channel, lead, forecaster)), l * cells.cells));
      variables[`${name}_${kind}`.replace(/[^A-Za-z0-9_]/g, "_")] = {
        dims: ["lead_time", ...places],
        data: ndarray("float32", shape, data),
        attrs: { units: kind === "count" ? "1" : units, long_name: `${words} of ${label}` },
      };
    }
  });
  return memoryDataset(variables, { source: "scores", attrs: { forecast: meta.forecast, truth: meta.truth } });
}
