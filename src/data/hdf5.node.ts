/**
 * NetCDF-4 and HDF5 files through h5wasm (the HDF5 C library compiled to WebAssembly), read from disk in pieces.
 *
 * Dimensions are named after the file's dimension scales (`DIMENSION_LIST`, NetCDF-4's way); an axis without one is called
 * `phony_dim_N` as the NetCDF library does. Variables in groups are named by their path. Types that hold neither numbers
 * nor text (compound, opaque, references, variable-length lists) are left out.
 */
import path from "node:path";
import type * as H5 from "h5wasm";
import type Library from "h5wasm/node";
import { DataError } from "../errors.js";
import { type DType, stridesOf, TYPED_ARRAYS, type TypedArray } from "../tensor/ndarray.js";
import { allocator, type Block, copyBlock, product } from "./blocks.js";
import type { ByteSource } from "./byte-source.js";
import { decoded, type RawVariable } from "./cf.js";
import type { Attributes, AttributeValue, Dataset } from "./dataset.js";
import { type LibraryFile, remoteFile } from "./hdf5-remote.node.js";
import { placedImage, radarCalibration, radarCoordinates, type RadarGrid, radarGrid, radarTime } from "./knmi-radar.js";
import { withVariables } from "./views.js";

/** HDF5's type classes (H5Tpublic.h). */
const INTEGER = 0;
const FLOAT = 1;
const STRING = 3;
const ENUM = 8;

/** Attributes that hold the machinery of dimension scales. */
const HIDDEN = new Set([
  "CLASS",
  "NAME",
  "DIMENSION_LIST",
  "DIMENSION_LABELS",
  "REFERENCE_LIST",
  "_Netcdf4Dimid",
  "_Netcdf4Coordinates",
  "_NCProperties",
  "_nc3_strict",
]);

/** NetCDF-4's mark of a dimension without a variable. */
const NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable";

/** Pieces larger than this are read one after the other, so that WebAssembly's memory stays small. */
const PIECE_BYTES = 64 * 2 ** 20;

/** Loaded with the first file: other formats need not wait for it. */
let h5wasm: typeof Library;

/** The C library, told to throw what it would print. */
export async function hdf5Library(): Promise<typeof H5.Module> {
  h5wasm ??= (await import("h5wasm/node")).default;
  const library = await h5wasm.ready;
  (library as unknown as { activate_throwing_error_handler(): number }).activate_throwing_error_handler();
  return library;
}

/** The innermost reason of an HDF5 error stack, or the message itself. */
export function hdf5Reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const frames = [...text.matchAll(/#\d+: \S+ line \d+ in \w+\(\): (.+)/g)];
  return frames.at(-1)?.[1] ?? text.split("\n")[0];
}

/** Opens an HDF5 or NetCDF-4 file on disk. */
export const openHdf5 = (file: string): Promise<Dataset> =>
  openThrough(file, {
    path: path.resolve(file),
    isPartial: false,
    settle: async (work) => work(),
    remove: async () => {},
  });

/** Opens one on a server; only what is read of it is fetched. */
export async function openRemoteHdf5(bytes: ByteSource, source: string): Promise<Dataset> {
  const library = await hdf5Library();
  const file = await remoteFile(bytes, library.FS);
  return openThrough(source, file).catch(async (error: unknown) => {
    await file.remove();
    throw error;
  });
}

async function openThrough(source: string, file: LibraryFile): Promise<Dataset> {
  const library = await hdf5Library();
  const open = (): { h5: H5.File; dataset: Dataset } => {
    const h5 = new h5wasm.File(file.path, "r");
    try {
      return { h5, dataset: readStructure(library, h5, source, file) };
    } catch (error) {
      h5.close();
      throw error;
    }
  };
  try {
    return (await file.settle(open, ({ h5 }) => h5.close())).dataset;
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(
      source,
      `it cannot be opened as HDF5 (${hdf5Reason(error)}); it is truncated or damaged, copy it again`,
      { cause: error },
    );
  }
}

/** Hands out NetCDF's names for axes without a dimension scale: one number a length and group, another where a variable has it twice. */
function phonyDimensions(): (group: string, length: number, used: readonly string[]) => string {
  const known = new Map<string, string[]>();
  let next = 0;
  return (group, length, used) => {
    const key = `${group}:${length}`;
    const names = known.get(key) ?? [];
    known.set(key, names);
    let name = names.find((each) => !used.includes(each));
    if (!name) names.push((name = `phony_dim_${next++}`));
    return name;
  };
}

function readStructure(library: typeof H5.Module, h5: H5.File, source: string, file: LibraryFile): Dataset {
  const phony = phonyDimensions();
  const dims: Record<string, number> = {};
  const raws: RawVariable[] = [];
  const isNetcdf = "_NCProperties" in h5.attrs || h5.paths().length === 0;
  const visit = (group: H5.Group, prefix: string): void => {
    const calibration = calibrationOf(group);
    for (const name of group.keys()) {
      const entity = group.get(name);
      if (entity instanceof h5wasm.Group) visit(entity, `${prefix}${name}/`);
      else if (entity instanceof h5wasm.Dataset) {
        const raw = rawVariable(library, entity, {
          name: `${prefix}${name}`,
          group: prefix,
          phony,
          dims,
          source,
          file,
          calibration,
        });
        if (raw) raws.push(raw);
      }
    }
  };
  visit(h5, "");
  const place = radarPlace(h5);
  const variables = raws.map((raw) => decoded(place ? placedImage(raw, place.grid) : raw, source));
  const dataset: Dataset = {
    source,
    format: isNetcdf || raws.some((raw) => raw.defaultFill) ? "netcdf4" : "hdf5",
    dims,
    variables: new Map(variables.map((v) => [v.name, v])),
    attrs: attributesOf(h5),
    close: async () => {
      h5.close();
      await file.remove();
    },
  };
  return place
    ? withVariables(dataset, [...variables, ...radarCoordinates(place.grid, place.seconds, source)])
    : dataset;
}

/** KNMI's word on an image in the same group. */
function calibrationOf(group: H5.Group): Attributes | undefined {
  const beside = groupIn(group, "calibration");
  return beside && radarCalibration(attributesOf(group), attributesOf(beside));
}

function groupIn(group: H5.Group, name: string): H5.Group | undefined {
  const entity = group.keys().includes(name) ? group.get(name) : undefined;
  return entity instanceof h5wasm.Group ? entity : undefined;
}

/** Where and when KNMI's radar images are, if the file says so. */
function radarPlace(h5: H5.File): { grid: RadarGrid; seconds: number } | undefined {
  const geographic = groupIn(h5, "geographic");
  const projection = geographic && groupIn(geographic, "map_projection");
  const overview = groupIn(h5, "overview");
  const seconds = overview && radarTime(attributesOf(overview));
  const grid = projection && radarGrid(attributesOf(geographic), attributesOf(projection));
  return grid && seconds !== undefined ? { grid, seconds } : undefined;
}

function rawVariable(
  library: typeof H5.Module,
  entity: H5.Dataset,
  context: {
    name: string;
    group: string;
    phony: ReturnType<typeof phonyDimensions>;
    dims: Record<string, number>;
    source: string;
    file: LibraryFile;
    calibration?: Attributes;
  },
): RawVariable | undefined {
  const { name, group, phony, dims, source, file } = context;
  const { metadata } = entity;
  const { shape, chunks } = metadata;
  const dtype = dtypeOf(metadata);
  const isScale = "CLASS" in entity.attrs && entity.attrs["CLASS"].value === "DIMENSION_SCALE";
  if (isScale && shape) {
    dims[name] ??= shape[0];
    const label = entity.attrs["NAME"]?.value;
    if (typeof label === "string" && label.startsWith(NO_VARIABLE)) return undefined;
  }
  if (!dtype || !shape) return undefined;
  const names: string[] = [];
  const hasScales = "DIMENSION_LIST" in entity.attrs;
  shape.forEach((length, axis) => {
    const [scale] = hasScales ? entity.get_attached_scales(axis) : [];
    const dim = scale?.replace(/^\//, "") ?? (isScale && axis === 0 ? name : phony(group, length, names));
    names.push(dim);
    dims[dim] ??= length;
  });
  return {
    name,
    dims: names,
    shape,
    dtype,
    attrs: { ...attributesOf(entity), ...context.calibration },
    chunks: chunks ?? undefined,
    defaultFill: hasScales || isScale,
    readBlock: async (block) => {
      const read = (part: Block): Promise<TypedArray | string[]> =>
        file.settle(() => (dtype === "string" ? readText(entity, part) : readNumbers(library, entity, dtype, part)));
      try {
        return await (file.isPartial && chunks ? byChunks(block, chunks, read, allocator(dtype)) : read(block));
      } catch (error) {
        if (error instanceof DataError) throw error;
        throw new DataError(
          source,
          `variable '${name}' cannot be read (${hdf5Reason(error)}); the file is damaged or needs a filter that is not built in (it uses ${filterNames(entity)})`,
          { cause: error },
        );
      }
    },
  };
}

/** A block chunk by chunk, so that what is read again when a chunk had to be fetched is that chunk alone. */
async function byChunks<T extends TypedArray | string[]>(
  { start, count }: Block,
  chunks: readonly number[],
  read: (block: Block) => Promise<T>,
  allocate: (size: number) => T,
): Promise<T> {
  const out = allocate(count.reduce((a, b) => a * b, 1));
  const along = start.map((from, axis) => {
    const first = Math.floor(from / chunks[axis]);
    const end = Math.ceil((from + count[axis]) / chunks[axis]);
    return Array.from({ length: end - first }, (_, i) => first + i);
  });
  for (const place of product(along)) {
    const low = place.map((c, axis) => Math.max(start[axis], c * chunks[axis]));
    const high = place.map((c, axis) => Math.min(start[axis] + count[axis], (c + 1) * chunks[axis]));
    const size = low.map((at, axis) => high[axis] - at);
    const strides = stridesOf(count);
    const offset = low.reduce((sum, at, axis) => sum + (at - start[axis]) * strides[axis], 0);
    const data = await read({ start: low, count: size });
    copyBlock({ data, strides: stridesOf(size), offset: 0 }, { data: out, strides, offset }, size);
  }
  return out;
}

/** Its filters by name, for messages. */
function filterNames(entity: H5.Dataset): string {
  const names = entity.filters.map(({ id, name }) => name || `filter ${id}`);
  return names.length ? names.join(", ") : "none";
}

function dtypeOf({ type, size, signed, enum_type: of }: H5.Metadata): DType | "string" | undefined {
  const kind = type === ENUM ? (of?.type ?? INTEGER) : type;
  if (kind === STRING) return "string";
  if (kind === INTEGER && [1, 2, 4, 8].includes(size)) return `${signed ? "" : "u"}int${size * 8}` as DType;
  if (kind === FLOAT && [2, 4, 8].includes(size)) return `float${size * 8}` as DType;
  return undefined;
}

/** Numbers of a block, straight out of the library's memory, piece by piece along the first axis. */
function readNumbers(library: typeof H5.Module, entity: H5.Dataset, dtype: DType, { start, count }: Block): TypedArray {
  const total = count.reduce((a, b) => a * b, 1);
  const Type = TYPED_ARRAYS[dtype];
  const out = new Uint8Array(total * Type.BYTES_PER_ELEMENT);
  const rows = count.length ? count[0] : 1;
  const rowBytes = rows ? out.length / rows : 0;
  const step = Math.max(1, Math.floor(PIECE_BYTES / Math.max(1, rowBytes)));
  for (let row = 0; row < rows && total > 0; row += step) {
    const n = Math.min(step, rows - row);
    const bytes = n * rowBytes;
    const pointer = library._malloc(bytes);
    if (pointer === 0) throw new Error(`${bytes} bytes of memory could not be had`);
    try {
      const counts = count.map((c, axis) => BigInt(axis === 0 ? n : c));
      const offsets = start.map((s, axis) => BigInt(axis === 0 ? s + row : s));
      const whole = count.length === 0;
      library.get_dataset_data(
        entity.file_id,
        entity.path,
        whole ? null : counts,
        whole ? null : offsets,
        whole ? null : count.map(() => 1n),
        BigInt(pointer),
      );
      out.set(library.HEAPU8.subarray(pointer, pointer + bytes), row * rowBytes);
    } finally {
      library._free(pointer);
    }
  }
  return new Type(out.buffer);
}

function readText(entity: H5.Dataset, { start, count }: Block): string[] {
  if (count.length === 0) return [entity.value as string];
  const values = entity.slice(start.map((from, axis): [number, number] => [from, from + count[axis]]));
  return (values as string[]).map((text) => text.replace(/[\0 ]+$/, ""));
}

/** Attributes of numbers and texts; others are left out. */
function attributesOf(entity: H5.Group | H5.Dataset): Attributes {
  const attrs: Record<string, AttributeValue> = {};
  for (const [name, attribute] of Object.entries(entity.attrs)) {
    if (HIDDEN.has(name)) continue;
    const { type } = attribute.metadata;
    if (type !== INTEGER && type !== FLOAT && type !== STRING && type !== ENUM) continue;
    const value = plainValue(attribute.json_value);
    if (value !== undefined) attrs[name] = value;
  }
  return attrs;
}

function plainValue(value: unknown): AttributeValue | undefined {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean" || typeof value === "bigint") return Number(value);
  if (!Array.isArray(value)) return undefined;
  const list = value.map((v) => (typeof v === "string" ? v : Number(v))) as number[] | string[];
  return list.length === 1 ? list[0] : list;
}
