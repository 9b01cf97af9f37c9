/**
 * Writes station data as a table, CSV or Parquet: a row for each time and station that has any value, with the station's
 * place beside it. Times are ISO 8601 in CSV and timestamps in Parquet; units stand in the names (`temp [K]`).
 */
import { type BasicType, parquetWriteBuffer } from "hyparquet-writer";
import { formatTime } from "../earth/time.js";
import { DataError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { readTimes } from "./coords.js";
import { formatCsv } from "./csv.js";
import type { Dataset, Variable } from "./dataset.js";
import { besidePath, type Overwrite, writeWhole } from "./files.node.js";
import { type Column, unitsInName } from "./table.js";

export interface TableWriteOptions {
  readonly format?: "csv" | "parquet";
  readonly overwrite?: Overwrite;
}

/** Writes the variables on (time, station), or on (time) alone. */
export async function writeTable(dataset: Dataset, target: string, options: TableWriteOptions = {}): Promise<void> {
  const { format = /\.parquet$/.test(target) ? "parquet" : "csv", overwrite } = options;
  if (overwrite === "refuse") await besidePath(target, { overwrite });
  const { columns, times } = await longTable(dataset);
  if (format === "csv") {
    const texts = Array.from(times, (ms) => formatTime(ms));
    return writeWhole(target, formatCsv(new Map<string, Column>([["time", texts], ...columns])));
  }
  const typed = [...columns].map(([name, data]): { name: string; data: unknown[]; type: BasicType } =>
    data instanceof Float64Array
      ? { name, data: Array.from(data, (x) => (Number.isNaN(x) ? null : x)), type: "DOUBLE" }
      : { name, data: [...data], type: "STRING" },
  );
  const instants = {
    name: "time",
    data: Array.from(times, (ms) => new Date(ms)) as unknown[],
    type: "TIMESTAMP" as BasicType,
  };
  return writeWhole(target, new Uint8Array(parquetWriteBuffer({ columnData: [instants, ...typed] })));
}

/** Columns of a long table; rows without any value are left out. */
async function longTable(dataset: Dataset): Promise<{ columns: Map<string, Column>; times: Float64Array }> {
  const hasStations = "station" in dataset.dims;
  const shape = hasStations ? "time,station" : "time";
  const onTable = [...dataset.variables.values()].filter((v) => v.dims.join() === shape && v.name !== "time");
  const numeric = onTable.filter((v) => !v.readStrings);
  if (numeric.length === 0)
    throw new DataError(
      dataset.source,
      `no variable lies on (${shape.replace(",", ", ")}), so there is no table of it; write Zarr or NetCDF`,
    );
  const { values: times } = await readTimes(dataset);
  const width = hasStations ? dataset.dims["station"] : 1;
  const values = await Promise.all(numeric.map(async (v) => toNumbers(await v.read())));
  const rows = Array.from({ length: times.length * width }, (_, i) => i).filter((i) =>
    values.some((all) => !Number.isNaN(all[i])),
  );
  const columns = new Map<string, Column>();
  if (hasStations) {
    const names = dataset.variables.get("station");
    const texts = names?.readStrings ? await names.readStrings() : Array.from({ length: width }, (_, i) => String(i));
    columns.set(
      "station",
      rows.map((i) => texts[i % width]),
    );
    for (const v of dataset.variables.values()) {
      if (v.dims.join() !== "station" || v.readStrings || v.name === "station") continue;
      const place = toNumbers(await v.read());
      columns.set(
        v.name,
        Float64Array.from(rows, (i) => place[i % width]),
      );
    }
  }
  numeric.forEach((v, k) =>
    columns.set(
      columnName(v),
      Float64Array.from(rows, (i) => values[k][i]),
    ),
  );
  for (const v of onTable) {
    const texts = await v.readStrings?.();
    if (!texts) continue;
    columns.set(
      v.name,
      rows.map((i) => texts[i]),
    );
  }
  return { columns, times: Float64Array.from(rows, (i) => times[Math.floor(i / width)]) };
}

/** The name with its units, unless it says them already. */
function columnName(v: Variable): string {
  const units = v.attrs["units"];
  return typeof units !== "string" || unitsInName(v.name).units === units ? v.name : `${v.name} [${units}]`;
}
