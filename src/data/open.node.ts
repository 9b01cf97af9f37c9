/**
 * Opens data of any format: `openDataset("era5.zarr")`. The format is recognised by content, never by the name's ending.
 *
 *     const dataset = await openDataset("air.2013.nc");
 *     const air = await variable(dataset, "air").read({ time: 0 });
 */
import { existsSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../errors.js";
import { canonical } from "./coords.js";
import type { Dataset } from "./dataset.js";
import { openHdf5 } from "./hdf5.node.js";
import { type ByteSource, openNetcdf3 } from "./netcdf3.js";
import { openZarrDirectory } from "./zarr.node.js";

export interface OpenOptions {
  /** Keep the file's own dimension names instead of Foehn's (`lat` instead of `latitude`). */
  names?: "canonical" | "original";
  /** Bytes of decoded chunks to keep. */
  cacheBytes?: number;
}

type Format = "netcdf3" | "hdf5" | "grib" | "zip" | "gzip" | "parquet" | "npy" | "png" | "bufr" | "text" | "unknown";

/** Opens a file or directory. */
export async function openDataset(location: string, options: OpenOptions = {}): Promise<Dataset> {
  const { names = "canonical" } = options;
  const dataset = await openAny(location, options);
  return names === "canonical" ? canonical(dataset) : dataset;
}

async function openAny(location: string, options: OpenOptions): Promise<Dataset> {
  const info = await stat(location).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT")
      throw new DataError(location, "there is no such file or directory; check the path", { cause });
    throw new DataError(location, `it cannot be read (${cause.code ?? cause.message}); check its permissions`, {
      cause,
    });
  });
  if (info.isDirectory()) {
    if ([".zgroup", ".zarray", ".zmetadata", "zarr.json"].some((name) => existsSync(path.join(location, name))))
      return openZarrDirectory(location, options);
    throw new DataError(location, "this directory is no Zarr store; name its files with a pattern such as '*.nc'");
  }
  if (info.size === 0) throw new DataError(location, "the file is empty; copy it again");
  const bytes = await fileSource(location);
  const head = await bytes.read(0, 1024);
  switch (recognise(head)) {
    case "netcdf3":
      return openNetcdf3(bytes, { source: location, close: () => bytes.close() });
    case "hdf5":
      await bytes.close();
      return openHdf5(location);
    default:
      await bytes.close();
      throw new DataError(
        location,
        `its format is not known (it begins with ${hex(head)}); Foehn reads Zarr, NetCDF, HDF5 and GRIB`,
      );
  }
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes.subarray(0, 4), (b) => b.toString(16).padStart(2, "0")).join(" ");

const ascii = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length));

/** The format a file's first bytes tell. */
export function recognise(head: Uint8Array): Format {
  const magic = ascii(head, 0, 4);
  if (magic.startsWith("CDF") && [1, 2, 5].includes(head[3])) return "netcdf3";
  for (const at of [0, 512]) if (ascii(head, at, 8) === "\x89HDF\r\n\x1a\n") return "hdf5";
  if (magic === "GRIB" || ascii(head, 0, 256).includes("GRIB")) return "grib";
  if (magic === "BUFR") return "bufr";
  if (magic === "PK\x03\x04") return "zip";
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (magic === "PAR1") return "parquet";
  if (ascii(head, 0, 6) === "\x93NUMPY") return "npy";
  if (ascii(head, 0, 4) === "\x89PNG") return "png";
  return head.every((b) => b >= 32 || b === 9 || b === 10 || b === 13) ? "text" : "unknown";
}

/** A file's bytes by position. */
export async function fileSource(file: string): Promise<ByteSource & { close(): Promise<void> }> {
  const handle: FileHandle = await open(file, "r");
  const { size } = await handle.stat();
  return {
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done < bytes.length ? bytes.subarray(0, done) : bytes;
    },
    close: () => handle.close(),
  };
}
