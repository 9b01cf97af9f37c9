/**
 * Opens data of any format: a path, an address, or a pattern for many files. The format is recognised by content, never by
 * the name's ending.
 *
 *     const dataset = await openDataset("air.2013.nc");
 *     const air = await variable(dataset, "air").read({ time: 0 });
 *     const years = await openDataset("air.*.nc");
 */
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DataError } from "../errors.js";
import { type Plan, resolveArchive } from "./archives.js";
import { diskCache } from "./cache.node.js";
import { combine } from "./combine.js";
import { canonical, withUnits } from "./coords.js";
import { parseCsv } from "./csv.js";
import { type Dataset, memoryDataset } from "./dataset.js";
import { openFileSource } from "./byte-source.node.js";
import { openGrib } from "./grib/open-grib.js";
import { type ByteSource, memorySource } from "./byte-source.js";
import { openHdf5, openRemoteHdf5 } from "./hdf5.node.js";
import { fetchBytes, type HttpOptions, httpSource, httpStore } from "./http.js";
import { imageDataset } from "./image.js";
import { openNetcdf3 } from "./netcdf3.js";
import { parseNpy } from "./npy.js";
import { readParquet } from "./parquet.js";
import { remoteMessages } from "./remote-grib.js";
import { joinTables, type StationTable, stationTable } from "./station-archives.js";
import { gunzipped, gunzippedHead, spool } from "./spool.node.js";
import { type Table, tableDataset, type TableOptions } from "./table.js";
import { openZarr } from "./zarr.js";
import { openZarrDirectory } from "./zarr.node.js";
import { namedBySize, openZip } from "./zip.js";

export interface OpenOptions {
  /** Keep the file's own dimension names instead of Foehn's (`lat` instead of `latitude`). */
  readonly names?: "canonical" | "original";
  /** Bytes of decoded chunks to keep. */
  readonly cacheBytes?: number;
  readonly http?: HttpOptions;
  /** A folder in which what comes over the network is kept. */
  readonly cache?: string;
  /** Units of variables (or columns) that do not say theirs, or say them wrong. */
  readonly units?: Readonly<Record<string, string>>;
  /** For tables: which columns are what, and the path of a table of the stations. */
  readonly table?: Omit<TableOptions, "stations" | "units"> & {
    readonly delimiter?: string;
    readonly missing?: readonly string[];
    readonly stations?: string;
  };
}

type Format = "netcdf3" | "hdf5" | "grib" | "zip" | "gzip" | "parquet" | "npy" | "png" | "bufr" | "text" | "unknown";

/** Opens a file, a directory, an address, a public archive's part, or all files a pattern (`*`, `?`) matches. */
export async function openDataset(location: string, given: OpenOptions = {}): Promise<Dataset> {
  const { names = "canonical", units = {} } = given;
  const options = given.cache ? { ...given, http: { ...given.http, cache: diskCache(given.cache) } } : given;
  const named = (opened: Dataset): Dataset => {
    const dataset = withUnits(opened, units);
    return names === "canonical" ? canonical(dataset) : dataset;
  };
  if (/^https?:\/\//.test(location)) return named(await openAddress(location, options));
  const plan = existsSync(location) ? undefined : resolveArchive(location);
  if (plan) return named(await openPlan(location, plan, options));
  if (!/[*?]/.test(location) || existsSync(location)) return named(await openPath(location, options));
  const files = await matching(location);
  if (files.length === 0) throw new DataError(location, "no file matches this pattern; check it");
  const opened: Dataset[] = [];
  try {
    for (const file of files) opened.push(named(await openPath(file, options)));
    return await combine(opened);
  } catch (error) {
    await Promise.all(opened.map((dataset) => dataset.close()));
    throw error;
  }
}

/** The files a pattern matches, in order of their names. `*` and `?` stay within a path's part. */
async function matching(pattern: string): Promise<string[]> {
  const parts = pattern.split("/");
  let found = [parts[0] === "" ? "/" : ""];
  for (const part of parts) {
    if (part === "") continue;
    if (!/[*?]/.test(part)) {
      found = found.map((base) => path.join(base, part));
      continue;
    }
    const source = part
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    const expression = new RegExp(`^${source}$`);
    const next: string[] = [];
    for (const base of found) {
      const names = await readdir(base || ".").catch(() => []);
      next.push(
        ...names.filter((name) => expression.test(name) && !name.startsWith(".")).map((name) => path.join(base, name)),
      );
    }
    found = next;
  }
  return found.filter((file) => existsSync(file)).sort();
}

async function openPath(location: string, options: OpenOptions): Promise<Dataset> {
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
    const inside = (await readdir(location)).filter((name) => !/^\.|\.md$|^LICEN[CS]E/.test(name)).sort();
    const some = inside.slice(0, 3).join(", ") + (inside.length > 3 ? ", ..." : "");
    throw new DataError(
      location,
      `this directory is no Zarr store${some && `, it holds ${some}`}; name what is meant, several files with a pattern such as '*.nc'`,
    );
  }
  if (info.size === 0) throw new DataError(location, "the file is empty; copy it again");
  const file = await openFileSource(location);
  try {
    const head = await file.read(0, 1024);
    const format = recognise(head);
    if (format === "hdf5") {
      await file.close();
      return await openHdf5(location);
    }
    return await openBytes(file, format, head, { ...options, source: location, close: () => file.close() });
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
}

/** A Zarr hierarchy or a file on a server. */
async function openAddress(url: string, options: OpenOptions): Promise<Dataset> {
  const store = httpStore(url, options.http);
  for (const key of ["/zarr.json", "/.zmetadata"] as const)
    if (await store.get(key)) return openZarr(store, { source: url, cacheBytes: options.cacheBytes });
  if (!(await fetchBytes(url, { ...options.http, method: "HEAD" })))
    throw new DataError(url, "there is neither a Zarr store with consolidated metadata nor a file; check the address");
  const source = await httpSource(url, options.http);
  const head = await source.read(0, 1024);
  const format = recognise(head);
  if (format === "hdf5") return openRemoteHdf5(source, url);
  return openBytes(source, format, head, { ...options, source: url, close: async () => {} });
}

/** Part of a public archive. */
async function openPlan(location: string, plan: Plan, options: OpenOptions): Promise<Dataset> {
  const { http = {} } = options;
  if (plan.kind === "zarr")
    return openZarr(httpStore(plan.url, http), { source: plan.url, cacheBytes: options.cacheBytes });
  if (plan.kind === "grib") return openGrib(await remoteMessages(plan.files, plan.chosen, http), location);
  const parts: StationTable[] = [];
  for (const url of plan.urls) {
    const answer = await fetchBytes(url, http);
    if (!answer) throw new DataError(url, "there is no such station file on the server; check the identifier");
    const text = await wholeText(memorySource(answer.bytes), recognise(answer.bytes.subarray(0, 1024)), url);
    parts.push(stationTable(plan.layout, text, url));
  }
  const { units } = parts[0];
  return tableDataset(joinTables(parts.map(({ table }) => table)), { ...(await tableOptions(options)), units });
}

/** A dataset over a temporary file that bytes are written to first; the file goes when the dataset is closed. */
async function openSpooled(bytes: AsyncIterable<Uint8Array>, source: string, options: OpenOptions): Promise<Dataset> {
  const { file, remove } = await spool(bytes, source);
  try {
    const dataset = await openPath(file, options);
    const close = async (): Promise<void> => {
      await dataset.close();
      await remove();
    };
    return { ...dataset, source, close };
  } catch (error) {
    await remove();
    // the temporary file is no business of the reader's
    if (error instanceof DataError)
      throw new DataError(source, error.message.replace(`${file}: `, ""), { cause: error });
    throw error;
  }
}

async function openBytes(
  bytes: ByteSource,
  format: Format,
  head: Uint8Array,
  options: OpenOptions & { source: string; close: () => Promise<void> },
): Promise<Dataset> {
  const { source, close, table } = options;
  switch (format) {
    case "netcdf3":
      return openNetcdf3(bytes, { source, close });
    case "grib":
      return openGrib(bytes, source, { onClose: close });
    case "zip":
      return openZip(bytes, { source, close, cacheBytes: options.cacheBytes });
    case "parquet": {
      const dataset = tableDataset(await readParquet(bytes, source), await tableOptions(options));
      await close();
      return dataset;
    }
    case "npy": {
      const array = parseNpy(await bytes.read(0, bytes.size), source);
      await close();
      return { ...memoryDataset({ array: namedBySize(array) }, { source }), format: "npy" };
    }
    case "png": {
      const picture = await bytes.read(0, bytes.size);
      await close();
      const beside = source.replace(/\.png$/i, ".json");
      const about = await readFile(beside, "utf8").catch(() => undefined);
      if (about === undefined)
        throw new DataError(
          source,
          `a picture is data only with a JSON beside it that says what its channels are (${beside})`,
        );
      return imageDataset(picture, parsedJson(about, beside), source);
    }
    case "gzip": {
      const inside = await gunzippedHead(bytes);
      // what cannot be unzipped is told so where it is read whole, as text
      if (inside.length === 0 || ["text", "unknown", "bufr"].includes(recognise(inside)))
        return openBytes(bytes, "text", inside, options);
      const dataset = await openSpooled(gunzipped(bytes, source), source, options);
      await close();
      return dataset;
    }
    case "text": {
      const content = await wholeText(bytes, isGzip(await bytes.read(0, 2)) ? "gzip" : "text", source);
      await close();
      return tableDataset(parseCsv(content, { source, ...table }), await tableOptions(options));
    }
    default:
      throw new DataError(
        source,
        `its format is not known (${format === "unknown" ? `it begins with ${hex(head)}` : format.toUpperCase()}); Foehn reads Zarr, NetCDF, HDF5, GRIB, CSV, Parquet and NumPy arrays`,
      );
  }
}

function parsedJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataError(source, "it is not JSON; write it again", { cause });
  }
}

async function tableOptions({ table = {}, units }: OpenOptions): Promise<TableOptions> {
  const { stations, ...rest } = table;
  return { ...rest, units, stations: stations === undefined ? undefined : await readTable(stations) };
}

/** A CSV file (gzipped or not) as a table. */
export async function readTable(file: string): Promise<Table> {
  const bytes = await readFile(file).catch((cause: Error) => {
    throw new DataError(file, "the table cannot be read; check the path", { cause });
  });
  const format = recognise(bytes.subarray(0, 1024));
  return parseCsv(await wholeText(memorySource(bytes), format, file), { source: file });
}

/** Tables are read whole; more text than this is refused rather than unzipped. */
const LARGEST_TEXT = 2 ** 29;

/** The text of a file, unzipped where need be; what holds other bytes than text is refused. */
async function wholeText(bytes: ByteSource, format: Format, source: string): Promise<string> {
  let content = await bytes.read(0, Math.min(bytes.size, LARGEST_TEXT + 1));
  if (format === "gzip") {
    content = await promisify(gunzip)(content, { maxOutputLength: LARGEST_TEXT }).catch((cause: Error) => {
      throw new DataError(
        source,
        `it cannot be unzipped (${cause.message}); it is truncated or damaged, copy it again`,
        { cause },
      );
    });
    const inside = recognise(content.subarray(0, 1024));
    if (inside !== "text")
      throw new DataError(source, `it is gzipped ${inside}; unzip it first (gunzip) and open what comes out`);
  }
  if (content.length > LARGEST_TEXT)
    throw new DataError(
      source,
      `it holds ${content.length} bytes of text, more than the ${LARGEST_TEXT} that are read as one table; split it, or make Parquet or NetCDF of it`,
    );
  return new TextDecoder().decode(content);
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
  if (magic === "PK\x03\x04") return "zip";
  if (isGzip(head)) return "gzip";
  if (magic === "PAR1") return "parquet";
  if (ascii(head, 0, 6) === "\x93NUMPY") return "npy";
  if (magic === "\x89PNG") return "png";
  if (magic === "BUFR") return "bufr";
  // a centre's bulletin header may stand before the first message
  if (magic === "GRIB" || ascii(head, 0, 256).includes("GRIB")) return "grib";
  return isTextual(head) ? "text" : "unknown";
}

const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b;
const isTextual = (head: Uint8Array): boolean =>
  head.includes(10) && head.every((b) => b >= 32 || b === 9 || b === 10 || b === 13);
