/**
 * Writes Zarr v3 (or v2) directories that xarray, zarr-python and zarrita open: zstd-compressed chunks, consolidated
 * metadata. The store lies beside its place until `close`, which puts it there in one step.
 *
 *     await writeZarr(dataset, "out.zarr");
 *
 *     const writer = await createZarr("sim.zarr", template, { growing: "time" });   // dims.time may be 0
 *     await writer.write("temperature", { time: 0 }, field);                         // any order, any box
 *     await writer.close();
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../errors.js";
import type { DType } from "../tensor/ndarray.js";
import type { Attributes, Dataset } from "./dataset.js";
import { besidePath, cannotWrite, type Overwrite, takePlace } from "./files.node.js";
import { chunkShape, pieces, type Template, templateOf } from "./template.js";
import type { OpenArray } from "./zarr-metadata.node.js";
import { automaticShards } from "./zarr-shards.js";
import { type ZarrWriter, zarrWriter } from "./zarr-writer.node.js";

export type { ZarrWriter } from "./zarr-writer.node.js";

export interface ZarrWriteOptions {
  zarrFormat?: 2 | 3;
  /** zstd's level, 1 (fast) to 22; 0 leaves chunks uncompressed. */
  level?: number;
  /** Chunk lengths by dimension; -1 is the whole dimension. */
  chunks?: Readonly<Record<string, number>>;
  /**
   * Several chunks in one file (v3 only), by dimension: whole multiples of the chunks'; -1 is the whole dimension. `auto`,
   * which `writeZarr` takes unless told, does so for arrays of thousands of chunks; `never` does not.
   */
  shards?: Readonly<Record<string, number>> | "auto" | "never";
  overwrite?: Overwrite;
}

/** Values a copy holds at a time. */
const PIECE_VALUES = 2 ** 22;
/** Writes a whole dataset, piece by piece. */
export async function writeZarr(dataset: Dataset, target: string, options: ZarrWriteOptions = {}): Promise<void> {
  const template = templateOf(dataset, options);
  const settings = { shards: "auto", ...options } as const;
  const writer = await createZarr(target, template, settings);
  try {
    for (const v of dataset.variables.values()) {
      const { files } = lengthsOf(v.name, template, settings, target);
      for (const selection of pieces(v, files, PIECE_VALUES))
        await writer.write(v.name, selection, v.readStrings ? await v.readStrings(selection) : await v.read(selection));
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** A store to be filled piece by piece; `growing` names the dimension whose length is not known before. */
export async function createZarr(
  target: string,
  template: Template,
  options: ZarrWriteOptions & { growing?: string } = {},
): Promise<ZarrWriter> {
  const { zarrFormat = 3, level = 1, overwrite, growing } = options;
  const root = await besidePath(target, { overwrite });
  await mkdir(root).catch((cause: Error) => cannotWrite(target, cause));
  const arrays = new Map<string, OpenArray>();
  for (const [name, v] of Object.entries(template.variables))
    arrays.set(name, {
      name,
      template: v,
      folder: path.join(root, name),
      shape: v.dims.map((dim) => lengthOf(dim, template.dims, name, target)),
      ...lengthsOf(name, template, options, target),
    });
  return zarrWriter({
    root,
    target,
    arrays,
    attrs: template.attrs ?? {},
    growing,
    zarrFormat,
    level,
    finish: () => takePlace(root, target, isZarrDirectory),
    discard: () => rm(root, { recursive: true, force: true }),
  });
}

/**
 * Goes on writing to a store that `createZarr` made, along one dimension. Readers see the old length until `close`, which
 * replaces the metadata last; a killed process leaves the store as it was.
 */
export async function appendZarr(target: string, growing: string): Promise<ZarrWriter> {
  const text = await readFile(path.join(target, "zarr.json"), "utf8").catch((cause: Error) => {
    throw new DataError(target, "there is no Zarr v3 store of Foehn's here to append to; write it first", { cause });
  });
  const meta = JSON.parse(text) as {
    attributes: Attributes;
    consolidated_metadata?: { metadata: Record<string, ArrayMetadata> };
  };
  const arrays = new Map<string, OpenArray>();
  let level = 0;
  for (const [name, array] of Object.entries(meta.consolidated_metadata?.metadata ?? {})) {
    if (!array.shape) continue; // a group
    const sharding = array.codecs.find((codec) => codec.name === "sharding_indexed")?.configuration;
    const codecs = sharding?.codecs ?? array.codecs;
    level = codecs.find((codec) => codec.name === "zstd")?.configuration?.level ?? 0;
    const files = array.chunk_grid.configuration.chunk_shape;
    arrays.set(name, {
      name,
      template: { dims: array.dimension_names, dtype: array.data_type, attrs: array.attributes },
      folder: path.join(target, name),
      shape: [...array.shape],
      chunks: sharding?.chunk_shape ?? files,
      files,
    });
  }
  if (![...arrays.values()].some(({ template }) => template.dims.includes(growing)))
    throw new DataError(target, `no variable has a dimension '${growing}' to append along`);
  return zarrWriter({
    root: target,
    target,
    arrays,
    attrs: meta.attributes,
    growing,
    zarrFormat: 3,
    level,
    finish: async () => {},
    discard: async () => {},
  });
}

export const isZarrDirectory = (directory: string): boolean =>
  ["zarr.json", ".zgroup", ".zarray", ".zmetadata"].some((name) => existsSync(path.join(directory, name)));

/** Lengths of a variable's chunks and of what lies in one file. */
function lengthsOf(
  name: string,
  template: Template,
  { shards = "never", zarrFormat = 3 }: ZarrWriteOptions,
  target: string,
): { chunks: readonly number[]; files: readonly number[] } {
  const v = template.variables[name];
  const chunks = chunkShape(v, template.dims);
  const shape = v.dims.map((dim) => lengthOf(dim, template.dims, name, target));
  if (shards === "never" || v.dtype === "string" || zarrFormat === 2) return { chunks, files: chunks };
  if (shards === "auto") return { chunks, files: automaticShards(shape, chunks, v.dtype) ?? chunks };
  const files = v.dims.map((dim, axis) => {
    const wanted = shards[dim] ?? chunks[axis];
    const length = wanted === -1 ? Math.ceil(shape[axis] / chunks[axis]) * chunks[axis] : wanted;
    if (length < 1 || length % chunks[axis] !== 0)
      throw new DataError(
        target,
        `a shard of '${name}' is ${length} along '${dim}', which is no whole number of chunks of ${chunks[axis]}`,
      );
    return length;
  });
  return { chunks, files };
}

interface ArrayMetadata {
  shape: number[];
  data_type: DType | "string";
  dimension_names: string[];
  attributes: Attributes;
  chunk_grid: { configuration: { chunk_shape: number[] } };
  codecs: Codec[];
}

interface Codec {
  name: string;
  configuration?: { level?: number; chunk_shape?: number[]; codecs?: Codec[] };
}

function lengthOf(dim: string, dims: Readonly<Record<string, number>>, name: string, target: string): number {
  if (dims[dim] === undefined)
    throw new DataError(target, `variable '${name}' has dimension '${dim}', whose length is not given`);
  return dims[dim];
}
