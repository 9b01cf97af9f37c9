/** A forecast's file as it is written: a Zarr store or, by its ending `.nc`, a NetCDF-4 file made of one. */
import { rm } from "node:fs/promises";
import path from "node:path";
import { openDataset } from "../../data/open.node.js";
import { writeNetcdf } from "../../data/write-netcdf.node.js";
import { createZarr } from "../../data/write-zarr.node.js";
import { type ForecastLayout, piecesOf } from "./layout.js";

export interface ForecastFile {
  /** Writes the state, [channel, place], of a start and a lead, by their positions. */
  write(state: Float32Array, at: { time: number; lead: number }): Promise<void>;
  /** The file takes its place. */
  close(): Promise<void>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

export async function createForecastFile(out: string, layout: ForecastLayout): Promise<ForecastFile> {
  const netcdf = out.endsWith(".nc");
  const store = netcdf ? `${out}.zarr` : out;
  const writer = await createZarr(store, layout.template);
  for (const [name, values] of layout.coordinates) await writer.write(name, {}, values);
  return {
    async write(state, at) {
      for (const { name, selection, values } of piecesOf(layout, state, at))
        await writer.write(name, selection, values);
    },
    async close() {
      await writer.close();
      if (netcdf) await toNetcdf(store, out);
    },
    abort: () => writer.abort(),
  };
}

async function toNetcdf(store: string, out: string): Promise<void> {
  const whole = await openDataset(store, { names: "original" });
  try {
    await writeNetcdf(whole, out);
  } finally {
    await whole.close();
    await rm(path.resolve(store), { recursive: true, force: true });
  }
}
