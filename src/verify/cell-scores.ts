/** Scores of each cell as a dataset (to be written as Zarr or NetCDF): bias and RMSE by variable, lead and place. */
import { type Dataset, memoryDataset, type MemoryVariable } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import type { Verification } from "./verify.js";

/** Variables `air_bias`, `air_rmse`, ... on lead_time (the drawn leads), latitude, longitude. */
export function cellScores({ meta, maps, latitudes, longitudes }: Verification): Dataset {
  const leads = [...new Set(maps.map((m) => m.lead))];
  const coordinate = (name: string, values: ArrayLike<number>, units: string): MemoryVariable => ({
    dims: [name],
    data: ndarray("float64", [values.length], Float64Array.from(values)),
    attrs: { units },
  });
  const variables: Record<string, MemoryVariable> = {
    lead_time: coordinate(
      "lead_time",
      leads.map((lead) => meta.leadHours[lead]),
      "hours",
    ),
    latitude: coordinate("latitude", latitudes, "degrees_north"),
    longitude: coordinate("longitude", longitudes, "degrees_east"),
  };
  const shape = [leads.length, latitudes.length, longitudes.length];
  meta.variables.forEach(({ name, label, units }, channel) => {
    for (const kind of ["bias", "rmse"] as const) {
      const fields = leads.map((lead) => maps.find((m) => m.channel === channel && m.lead === lead)![kind]());
      const data = new Float32Array(shape[0] * shape[1] * shape[2]);
      fields.forEach((field, l) => data.set(field, l * field.length));
      variables[`${name.replace("@", "_")}_${kind}`] = {
        dims: ["lead_time", "latitude", "longitude"],
        data: ndarray("float32", shape, data),
        attrs: { units, long_name: `${kind === "bias" ? "mean error" : "root mean square error"} of ${label}` },
      };
    }
  });
  return memoryDataset(variables, { source: "scores", attrs: { forecast: meta.forecast, truth: meta.truth } });
}
