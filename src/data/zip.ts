/** Zip files: a Zarr hierarchy in one, or NumPy's `.npz`. */
import ZipFileStore from "@zarrita/storage/zip";
import { DataError } from "../errors.js";
import type { NdArray } from "../tensor/ndarray.js";
import { type Dataset, memoryDataset, type MemoryVariable } from "./dataset.js";
import type { ByteSource } from "./byte-source.js";
import { parseNpy } from "./npy.js";
import { openZarr, type ZarrStore } from "./zarr.js";

/** Opens a zipped Zarr hierarchy, at the zip's root or in one folder of it, or an `.npz`. */
export async function openZip(
  bytes: ByteSource,
  options: { source: string; cacheBytes?: number; close?: () => Promise<void> },
): Promise<Dataset> {
  const { source, close } = options;
  let names: string[] = [];
  let prefix = "";
  const reader = {
    getLength: async () => bytes.size,
    read: async (offset: number, length: number) => (await bytes.read(offset, length)).slice(),
  };
  const store = new ZipFileStore(reader, {
    transformEntries: (entries) => {
      names = Object.keys(entries);
      const root = names.find((name) => /(^|\/)(zarr\.json|\.zgroup|\.zarray)$/.test(name) && isOutermost(name, names));
      prefix = root ? root.slice(0, root.lastIndexOf("/") + 1) : "";
      return Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name.slice(prefix.length), entry]));
    },
  });
  const damaged = (cause: Error): never => {
    throw new DataError(
      source,
      `it cannot be read as a zip file (${cause.message}); it is truncated or damaged, copy it again`,
      { cause },
    );
  };
  await store.has("/zarr.json").catch(damaged);
  if (names.some((name) => name.endsWith(".npy")))
    return openNpz((key) => store.get(key).catch(damaged), names, source, close);
  const below = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const readable: ZarrStore = {
    get: (key) => store.get(key).catch(damaged),
    getRange: (key, range) => store.getRange(key, range).catch(damaged),
  };
  return openZarr(readable, {
    ...options,
    list: async (path) => {
      const start = path ? `${path}/` : "";
      const children = below.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
      return [...new Set(children.filter((name) => name.includes("/")).map((name) => name.split("/")[0]))];
    },
  });
}

const depth = (name: string): number => name.split("/").length;
const isOutermost = (name: string, names: readonly string[]): boolean =>
  names.every((other) => !/(^|\/)(zarr\.json|\.zgroup|\.zarray)$/.test(other) || depth(other) >= depth(name));

/** Every array of numbers in an `.npz`; dimensions are named by their lengths. */
async function openNpz(
  get: ZarrStore["get"],
  names: readonly string[],
  source: string,
  close?: () => Promise<void>,
): Promise<Dataset> {
  const variables: Record<string, MemoryVariable> = {};
  const left: string[] = [];
  for (const name of names.filter((each) => each.endsWith(".npy"))) {
    try {
      const data = parseNpy((await get(`/${name}`))!, `${source} (${name})`);
      variables[name.slice(0, -4)] = namedBySize(data);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      left.push(error.message);
    }
  }
  if (Object.keys(variables).length === 0)
    throw new DataError(source, `it holds no arrays of numbers: ${left.join("; ")}`);
  await close?.();
  const dataset = memoryDataset(variables, { source, attrs: left.length ? { problems: left } : {} });
  return { ...dataset, format: "npz" };
}

/** An array without names for its dimensions: `dim_LENGTH`, numbered where a length comes twice. */
export function namedBySize(data: NdArray): MemoryVariable {
  const dims: string[] = [];
  for (const length of data.shape) {
    const name = `dim_${length}`;
    const twice = dims.filter((dim) => dim === name || dim.startsWith(`${name}_`)).length;
    dims.push(twice ? `${name}_${twice}` : name);
  }
  return { dims, data };
}
