/** Writes datasets as files of GRIB 2 messages, one field in memory at a time. */
import { open, rm } from "node:fs/promises";
import { DataError, FoehnError } from "../errors.js";
import { dataVariables, type Dataset } from "./dataset.js";
import { besidePath, cannotWrite, type Overwrite, takePlace } from "./files.node.js";
import { gribMessages, type WriteGribOptions } from "./grib/write-grib.js";

/** Writes every variable on latitude and longitude. Throws DataError where one cannot be said in GRIB. */
export async function writeGrib(
  dataset: Dataset,
  target: string,
  options: WriteGribOptions & { overwrite?: Overwrite } = {},
): Promise<void> {
  const { overwrite, ...rest } = options;
  const variables = rest.variables ?? fields(dataset);
  const beside = await besidePath(target, { overwrite });
  const file = await open(beside, "w").catch((cause: Error) => cannotWrite(target, cause));
  try {
    for await (const message of gribMessages(dataset, { ...rest, variables })) await file.write(message);
    await file.close();
    await takePlace(beside, target);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(beside, { force: true });
    if (error instanceof DataError) throw error;
    if (error instanceof FoehnError) throw new DataError(target, error.message, { cause: error });
    cannotWrite(target, error as Error);
  }
}

/** What lies on latitude and longitude: station names, bounds and the like have no place in GRIB. */
function fields(dataset: Dataset): string[] {
  const names = dataVariables(dataset).filter(
    (v) => !v.readStrings && v.dims.includes("latitude") && v.dims.includes("longitude"),
  );
  if (names.length === 0)
    throw new DataError(
      dataset.source,
      "no variable lies on latitude and longitude, so there is nothing GRIB could hold; write Zarr, NetCDF or a table",
    );
  return names.map((v) => v.name);
}
