/**
 * Reads Zarr v2 and v3 groups as Datasets (zarr-specs: v2, and v3 core with consolidated metadata as zarr-python writes it).
 *
 *     const dataset = await openZarr(store, { source: "era5.zarr", list });
 *
 * zarrita decodes the chunks; the hierarchy is read here, so that a file which zarrita would call "not found" is told by
 * its true fault, and types it does not know (float16 before Node 24, datetime64) are read as their bits. Decoded chunks
 * are kept up to a bound, since a chunk often holds many of the times that are asked for one by one.
 */
import * as zarr from "zarrita";
import { DataError } from "../errors.js";
import type { DType } from "../tensor/ndarray.js";
import { decoded, type RawVariable } from "./cf.js";
import type { Attributes, AttributeValue, Dataset, Variable } from "./dataset.js";
import { type ChunkCache, chunkCache, readChunks } from "./zarr-chunks.js";
import { directChunks } from "./zarr-direct.js";
import "./zarr-codecs.js";

/** Where the keys of a hierarchy live: a directory, a zip file, an HTTP address, a Map. Keys begin with `/`. */
export interface ZarrStore {
  get(key: `/${string}`): Promise<Uint8Array | undefined>;
  getRange?(
    key: `/${string}`,
    range: { offset: number; length: number } | { suffixLength: number },
  ): Promise<Uint8Array | undefined>;
}

export interface ZarrOptions {
  /** Path or address, for messages. */
  source: string;
  /** The names directly below a path (`""` is the root); needed where the metadata are not consolidated. */
  list?: (path: string) => Promise<string[]>;
  /** Bytes of decoded chunks to keep, 64 MiB unless told. */
  cacheBytes?: number;
  close?: () => Promise<void>;
}

type Json = Record<string, unknown>;
interface Node {
  path: string;
  format: 2 | 3;
  meta: Json;
  attrs: Json;
}

/** Opens the group (or single array) at the root of a store. */
export async function openZarr(store: ZarrStore, options: ZarrOptions): Promise<Dataset> {
  const { source, cacheBytes = 64 * 2 ** 20, close = async () => {} } = options;
  const { nodes, attrs } = await readHierarchy(store, options);
  const cache = chunkCache(cacheBytes);
  const dims: Record<string, number> = {};
  const variables = new Map<string, Variable>();
  let format: 2 | 3 = 3;
  for (const node of nodes) {
    format = node.format;
    const raw = await rawArray(store, node, source, cache);
    raw.dims.forEach((dim, axis) => {
      if ((dims[dim] ??= raw.shape[axis]) !== raw.shape[axis])
        throw new DataError(
          source,
          `dimension '${dim}' is ${dims[dim]} long in one array and ${raw.shape[axis]} in '${raw.name}'; the store is damaged or holds unrelated arrays in one group`,
        );
    });
    variables.set(raw.name, decoded(raw, source));
  }
  return { source, format: `zarr v${format}`, dims, variables, attrs: plainAttributes(attrs), close };
}

/** All arrays below the root, from consolidated metadata or by walking. */
async function readHierarchy(store: ZarrStore, options: ZarrOptions): Promise<{ nodes: Node[]; attrs: Json }> {
  const { source } = options;
  const json = (key: `/${string}`) => readJson(store, key, source);
  const root = await json("/zarr.json");
  if (root) {
    const consolidated = (root["consolidated_metadata"] as Json | null | undefined)?.["metadata"] as Json | undefined;
    if (root["node_type"] === "array") return { nodes: [nodeV3("", root)], attrs: {} };
    const found = consolidated
      ? Object.entries(consolidated)
      : await walk("", options, async (path) => json(`/${path}/zarr.json`));
    const nodes = found.filter(([, meta]) => (meta as Json)["node_type"] === "array");
    return {
      nodes: nodes.map(([path, meta]) => nodeV3(path, meta as Json)),
      attrs: (root["attributes"] ?? {}) as Json,
    };
  }
  const consolidated = (await json("/.zmetadata"))?.["metadata"] as Json | undefined;
  if (consolidated) {
    const paths = Object.keys(consolidated).filter((key) => key.endsWith("/.zarray") || key === ".zarray");
    const nodes = paths.map((key): Node => {
      const path = key.replace(/\/?\.zarray$/, "");
      const attrs = (consolidated[path ? `${path}/.zattrs` : ".zattrs"] ?? {}) as Json;
      return { path, format: 2, meta: consolidated[key] as Json, attrs };
    });
    return { nodes, attrs: (consolidated[".zattrs"] ?? {}) as Json };
  }
  const attrs = (await json("/.zattrs")) ?? {};
  const single = await json("/.zarray");
  if (single) return { nodes: [{ path: "", format: 2, meta: single, attrs }], attrs: {} };
  if (!(await json("/.zgroup")))
    throw new DataError(
      source,
      "there is no Zarr group here (neither zarr.json nor .zgroup, .zarray or .zmetadata); give the path of the store itself",
    );
  const found = await walk(
    "",
    options,
    async (path) => (await json(`/${path}/.zarray`)) ?? (await json(`/${path}/.zgroup`)),
  );
  const nodes: Node[] = [];
  for (const [path, meta] of found)
    if ("shape" in meta) nodes.push({ path, format: 2, meta, attrs: (await json(`/${path}/.zattrs`)) ?? {} });
  return { nodes, attrs };
}

const nodeV3 = (path: string, meta: Json): Node => ({
  path,
  format: 3,
  meta,
  attrs: (meta["attributes"] ?? {}) as Json,
});

/** Every node below `path`, depth first, of a store whose metadata are not consolidated. */
async function walk(
  path: string,
  options: ZarrOptions,
  read: (path: string) => Promise<Json | undefined>,
): Promise<[string, Json][]> {
  if (!options.list)
    throw new DataError(
      options.source,
      "its metadata are not consolidated and it cannot be listed; consolidate it (zarr.consolidate_metadata) or open a local copy",
    );
  const found: [string, Json][] = [];
  for (const name of (await options.list(path)).sort()) {
    if (name.startsWith(".") || name === "zarr.json") continue;
    const child = path ? `${path}/${name}` : name;
    const meta = await read(child);
    if (!meta) continue;
    found.push([child, meta]);
    if (!("shape" in meta)) found.push(...(await walk(child, options, read)));
  }
  return found;
}

async function readJson(store: ZarrStore, key: `/${string}`, source: string): Promise<Json | undefined> {
  const bytes = await store.get(key);
  if (!bytes) return undefined;
  try {
    return JSON.parse(
      new TextDecoder()
        .decode(bytes)
        .replace(/\bNaN\b/g, '"NaN"')
        .replace(/""NaN""/g, '"NaN"'),
    ) as Json;
  } catch (cause) {
    throw new DataError(source, `its '${key.slice(1)}' is not JSON; the store was not written to its end`, { cause });
  }
}

/** Types zarrita (on this Node) does not decode, read as integers of their width and turned into numbers here. */
const AS_BITS: Readonly<Record<string, { v2: string; v3: string; dtype: DType }>> = {
  float16: { v2: "u2", v3: "uint16", dtype: "float16" },
  datetime64: { v2: "i8", v3: "int64", dtype: "int64" },
};

/** One array as raw blocks. */
async function rawArray(store: ZarrStore, node: Node, source: string, cache: ChunkCache): Promise<RawVariable> {
  const name = node.path || "array";
  const { meta, attrs: timeAttrs, bits } = substituteType(node);
  const attrs: Json = { ...node.attrs, ...timeAttrs };
  const key = node.format === 2 ? "/.zarray" : "/zarr.json";
  const prefix = node.path ? (`/${node.path}` as const) : "";
  // zarrita is given the metadata that were read above, whatever the store says
  const patched: ZarrStore = {
    get: async (wanted) => {
      if (wanted === `${prefix}${key}`) return new TextEncoder().encode(JSON.stringify(meta));
      return wanted.endsWith("/.zattrs") ? undefined : store.get(wanted);
    },
    getRange: store.getRange?.bind(store),
  };
  const location = new zarr.Location(patched, `/${node.path}`);
  let array: zarr.Array<zarr.DataType>;
  try {
    array = await (node.format === 2
      ? zarr.open.v2(location, { kind: "array" })
      : zarr.open.v3(location, { kind: "array" }));
  } catch (cause) {
    throw new DataError(source, `array '${name}' cannot be read: ${(cause as Error).message}`, { cause });
  }
  const { shape, chunks } = array;
  checkShape(shape, chunks, name, source);
  const dtype = bits ?? dtypeOf(array.dtype);
  const direct = directChunks(meta, node.format, (key) => store.get(`${prefix}/${key}`));
  return {
    name,
    dims: dimensionNames(node, shape),
    shape,
    dtype,
    chunks,
    attrs: fillAttributes(plainAttributes(attrs), node),
    readBlock: (block) => readChunks(array, block, dtype, { name, source, cache, direct }),
  };
}

/** More values than this in one chunk are taken for damage rather than allocated. */
const LARGEST_CHUNK = 2 ** 28;

function checkShape(shape: unknown, chunks: unknown, name: string, source: string): void {
  const isList = (list: unknown, least: number): list is number[] =>
    Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && (n as number) >= least);
  const fits = isList(shape, 0) && isList(chunks, 1) && shape.length === chunks.length;
  if (!fits || chunks.reduce((a, b) => a * b, 1) > LARGEST_CHUNK)
    throw new DataError(
      source,
      `array '${name}' has shape ${JSON.stringify(shape)} in chunks of ${JSON.stringify(chunks)}, which cannot be; the metadata are damaged`,
    );
}

function substituteType(node: Node): { meta: Json; attrs: Json; bits?: DType } {
  const { meta } = node;
  const type = node.format === 2 ? meta["dtype"] : meta["data_type"];
  if (node.format === 2 && typeof type === "string") {
    const time = /^([<>])([Mm])8\[(\w+)\]$/.exec(type);
    if (time)
      return {
        meta: { ...meta, dtype: `${time[1]}i8`, fill_value: 0 },
        attrs: datetimeAttributes(time[3], time[2] === "M"),
        bits: "int64",
      };
    if (/^[<>]f2$/.test(type))
      return { meta: { ...meta, dtype: `${type[0]}u2`, fill_value: 0 }, attrs: {}, bits: "float16" };
  }
  if (type === "float16")
    return { meta: { ...meta, data_type: AS_BITS["float16"].v3, fill_value: 0 }, attrs: {}, bits: "float16" };
  if (typeof type === "object" && type && (type as Json)["name"] === "numpy.datetime64") {
    const { unit = "ns" } = ((type as Json)["configuration"] ?? {}) as { unit?: string };
    return {
      meta: { ...meta, data_type: "int64", fill_value: 0 },
      attrs: datetimeAttributes(unit, true),
      bits: "int64",
    };
  }
  return { meta, attrs: {} };
}

const DATETIME_UNITS: Readonly<Record<string, string>> = {
  D: "days",
  h: "hours",
  m: "minutes",
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
};

function datetimeAttributes(unit: string, since: boolean): Json {
  const name = DATETIME_UNITS[unit] ?? unit;
  return since ? { units: `${name} since 1970-01-01`, calendar: "proleptic_gregorian" } : { units: name };
}

function dtypeOf(type: zarr.DataType): DType | "string" {
  return type === "string" || type.startsWith("v2:") ? "string" : (type as DType);
}

function dimensionNames(node: Node, shape: readonly number[]): string[] {
  const names = (node.attrs["_ARRAY_DIMENSIONS"] ??
    node.meta["dimension_names"] ??
    (node.attrs["_NCZARR_ARRAY"] as Json | undefined)?.["dimrefs"]) as (string | null)[] | undefined;
  const last = node.path.split("/").at(-1)!;
  return shape.map((n, axis) => {
    const given = names?.[axis];
    if (given) return given.replace(/^\//, "");
    return shape.length === 1 && node.path ? last : `dim_${n}_${axis}`;
  });
}

/** v2 keeps the missing value in the array's metadata; 0 is zarr-python's default and means nothing. v3 keeps it in an attribute, floats as base64. */
function fillAttributes(attrs: Attributes, node: Node): Attributes {
  const said = attrs["_FillValue"];
  if (typeof said === "string" && Number.isNaN(Number(said)) && /^[A-Za-z0-9+/]{11}=$/.test(said)) {
    const bytes = Uint8Array.from(atob(said), (c) => c.charCodeAt(0));
    return { ...attrs, _FillValue: new DataView(bytes.buffer).getFloat64(0, true) };
  }
  const fill = node.format === 2 ? node.meta["fill_value"] : undefined;
  return said === undefined && typeof fill === "number" && fill !== 0 ? { ...attrs, _FillValue: fill } : attrs;
}

const HIDDEN_ATTRIBUTES = new Set([
  "_ARRAY_DIMENSIONS",
  "_NCZARR_ARRAY",
  "_NCZARR_ATTR",
  "_NCZARR_GROUP",
  "_nczarr_array",
]);

/** JSON attributes as CF's: numbers, texts, lists of them; what is nested stays as its JSON text. */
export function plainAttributes(attrs: Json): Attributes {
  const entries = Object.entries(attrs).filter(([key, value]) => !HIDDEN_ATTRIBUTES.has(key) && value !== null);
  return Object.fromEntries(entries.map(([key, value]) => [key, plain(value)]));
}

function plain(value: unknown): AttributeValue {
  if (typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (Array.isArray(value) && (value.every((v) => typeof v === "number") || value.every((v) => typeof v === "string")))
    return value;
  return JSON.stringify(value);
}
