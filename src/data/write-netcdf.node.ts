/**
 * Writes NetCDF-4 files through h5wasm, with the dimension scales and attributes that make an HDF5 file a NetCDF-4 one
 * (NetCDF User's Guide, "NetCDF-4 format"), so that `ncdump`, xarray and the NetCDF library open it as such.
 *
 *     await writeNetcdf(dataset, "out.nc");
 */
import { open, rm } from "node:fs/promises";
import type * as H5 from "h5wasm";
import { DataError } from "../errors.js";
import { type DType, float16ToNumber, type NdArray, TYPED_ARRAYS, type TypedArray } from "../tensor/ndarray.js";
import type { Attributes, AttributeValue, Dataset, Variable } from "./dataset.js";
import { besidePath, cannotWrite, type Overwrite, takePlace } from "./files.node.js";
import { hdf5Library, hdf5Reason } from "./hdf5.node.js";
import { chunkShape, pieces, templateOf } from "./template.js";
import { writeNetcdf3 } from "./write-netcdf3.js";

export interface NetcdfWriteOptions {
  /** Deflate's level, 0 (none) to 9. */
  level?: number;
  /** Chunk lengths by dimension; -1 is the whole dimension. */
  chunks?: Readonly<Record<string, number>>;
  /** Dimensions that other programs may lengthen. */
  unlimited?: readonly string[];
  overwrite?: Overwrite;
}

const PIECE_VALUES = 2 ** 22;

/** h5wasm's names of the types; half floats and booleans have none in NetCDF and are widened. */
const HDF5_TYPES: Partial<Record<DType, { code: string; dtype: DType }>> = {
  float64: { code: "<d", dtype: "float64" },
  float32: { code: "<f", dtype: "float32" },
  float16: { code: "<f", dtype: "float32" },
  int64: { code: "<q", dtype: "int64" },
  int32: { code: "<i", dtype: "int32" },
  int16: { code: "<h", dtype: "int16" },
  int8: { code: "<b", dtype: "int8" },
  uint64: { code: "<Q", dtype: "uint64" },
  uint32: { code: "<I", dtype: "uint32" },
  uint16: { code: "<H", dtype: "uint16" },
  uint8: { code: "<B", dtype: "uint8" },
  bool: { code: "<B", dtype: "uint8" },
};

/** Writes a whole dataset in the classic format (CDF-2, or CDF-5 where types or sizes ask for it), beside its place first. */
export async function writeClassicNetcdf(
  dataset: Dataset,
  target: string,
  options: { overwrite?: Overwrite } = {},
): Promise<void> {
  const beside = await besidePath(target, options);
  const file = await open(beside, "w").catch((cause: Error) => cannotWrite(target, cause));
  try {
    await writeNetcdf3(dataset, {
      write: async (offset, bytes) => void (await file.write(bytes, 0, bytes.length, offset)),
    });
    await file.close();
    await takePlace(beside, target);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(beside, { force: true });
    throw error instanceof DataError ? error : cannotWrite(target, error as Error);
  }
}

/** Writes a whole dataset as NetCDF-4, piece by piece, beside its place first. */
export async function writeNetcdf(dataset: Dataset, target: string, options: NetcdfWriteOptions = {}): Promise<void> {
  const library = await hdf5Library();
  const { default: h5wasm } = await import("h5wasm/node");
  const beside = await besidePath(target, options);
  let file: H5.File | undefined;
  try {
    file = new h5wasm.File(beside, "w", { track_order: true });
    writeAttributes(file, dataset.attrs);
    writeAttribute(file, "_NCProperties", "version=2,foehn=1");
    writeDimensions(file, dataset);
    for (const v of coordinatesFirst(dataset)) await writeVariable(file, v, dataset, options);
    attachScales(file, dataset);
    file.close();
    file = undefined;
    await takePlace(beside, target);
  } catch (error) {
    if (file) library.close_file(file.file_id);
    await rm(beside, { force: true });
    if (error instanceof DataError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === "string") cannotWrite(target, error as Error);
    throw new DataError(target, `it cannot be written as NetCDF (${hdf5Reason(error)})`, { cause: error });
  }
}

const coordinatesFirst = (dataset: Dataset): Variable[] => {
  const all = [...dataset.variables.values()];
  const isCoordinate = (v: Variable): boolean => v.name in dataset.dims;
  return [...all.filter(isCoordinate), ...all.filter((v) => !isCoordinate(v))];
};

const isScale = (v: Variable, dataset: Dataset): boolean =>
  v.name in dataset.dims && v.dims.length === 1 && v.dims[0] === v.name;

/** Every dimension without a coordinate is an empty scale that says so. */
function writeDimensions(file: H5.File, dataset: Dataset): void {
  const names = Object.keys(dataset.dims);
  for (const [id, dim] of names.entries()) {
    const v = dataset.variables.get(dim);
    if (v && isScale(v, dataset)) continue;
    if (v)
      throw new DataError(
        dataset.source,
        `variable '${dim}' is named like a dimension but has others (${v.dims.join(", ")}); rename it`,
      );
    const length = dataset.dims[dim];
    const scale = file.create_dataset({ name: dim, data: new Float32Array(length), shape: [length], dtype: "<f" });
    scale.make_scale(`This is a netCDF dimension but not a netCDF variable.${String(length).padStart(10)}`);
    scale.create_attribute("_Netcdf4Dimid", id, [], "<i");
  }
}

async function writeVariable(file: H5.File, v: Variable, dataset: Dataset, options: NetcdfWriteOptions): Promise<void> {
  const { level = 4, unlimited = [] } = options;
  const name = v.name.replaceAll("/", "_");
  let created: H5.Dataset;
  if (v.readStrings) created = file.create_dataset({ name, data: await v.readStrings(), shape: [...v.shape] });
  else {
    const type = HDF5_TYPES[v.dtype];
    if (!type)
      throw new DataError(
        dataset.source,
        `variable '${v.name}' is ${v.dtype}, which NetCDF does not hold; convert it first`,
      );
    created = await writeNumbers(file, name, v, type, {
      level,
      unlimited,
      chunks: templateOf(dataset, options).variables[v.name].chunks,
    });
    const fill = v.attrs["_FillValue"];
    // missing values are NaN: said so, as xarray does
    if (typeof fill === "number") created.create_attribute("_FillValue", [fill], [1], type.code);
    else if (type.dtype.startsWith("float")) created.create_attribute("_FillValue", [NaN], [1], type.code);
  }
  const { _FillValue: _, ...attrs } = v.attrs;
  writeAttributes(created, attrs);
  if (isScale(v, dataset)) {
    created.make_scale(name);
    created.create_attribute("_Netcdf4Dimid", Object.keys(dataset.dims).indexOf(v.name), [], "<i");
  }
}

async function writeNumbers(
  file: H5.File,
  name: string,
  v: Variable,
  type: { code: string; dtype: DType },
  options: { level: number; unlimited: readonly string[]; chunks?: readonly number[] },
): Promise<H5.Dataset> {
  const { level, unlimited, chunks } = options;
  const { code: dtype } = type;
  const shape = [...v.shape];
  const lengths = Object.fromEntries(v.dims.map((dim, axis) => [dim, shape[axis]]));
  const pieceShape = chunkShape({ dims: v.dims, dtype: v.dtype, chunks }, lengths).map((n, axis) =>
    Math.max(1, Math.min(n, shape[axis])),
  );
  const grows = v.dims.some((dim) => unlimited.includes(dim));
  // small arrays lie whole; larger ones are chunked and filled piece by piece
  if (shape.length === 0 || (shape.length === 1 && !grows && shape[0] < 4096)) {
    const data = values(await v.read(), type.dtype);
    return file.create_dataset({ name, data, shape, dtype });
  }
  const empty = file.create_dataset({
    name,
    data: new TYPED_ARRAYS[type.dtype](0),
    shape: [0, ...shape.slice(1)],
    maxshape: shape.map((n, axis) => (unlimited.includes(v.dims[axis]) ? null : n)),
    chunks: pieceShape,
    dtype,
    ...(level > 0 ? { compression: "gzip" as const, compression_opts: level } : {}),
  });
  empty.resize(shape);
  // asked for anew, to see the new shape: `refresh` would leave the file open for ever
  const created = file.get(name) as H5.Dataset;
  for (const selection of pieces(v, pieceShape, PIECE_VALUES)) {
    const ranges = v.dims.map((dim): [number, number] => {
      const { start, stop } = selection[dim] as { start: number; stop: number };
      return [start, stop];
    });
    created.write_slice(ranges, values(await v.read(selection), type.dtype));
  }
  return created;
}

/** The numbers in a type NetCDF has. */
function values(array: NdArray, dtype: DType): TypedArray {
  if (array.dtype === dtype || array.dtype === "bool") return array.data;
  return Float32Array.from(array.data as Uint16Array, float16ToNumber);
}

function attachScales(file: H5.File, dataset: Dataset): void {
  for (const v of dataset.variables.values()) {
    if (isScale(v, dataset)) continue;
    const created = file.get(v.name.replaceAll("/", "_")) as H5.Dataset;
    v.dims.forEach((dim, axis) => created.attach_scale(axis, `/${dim}`));
  }
}

function writeAttributes(entity: H5.Group | H5.Dataset, attrs: Attributes): void {
  for (const [name, value] of Object.entries(attrs)) writeAttribute(entity, name, value);
}

/** Texts as fixed-length characters, as the NetCDF library writes them; whole numbers as int32, others as float64. */
function writeAttribute(entity: H5.Group | H5.Dataset, name: string, value: AttributeValue): void {
  if (typeof value === "string") {
    const length = Math.max(1, new TextEncoder().encode(value).length);
    entity.create_attribute(name, value, [], `S${length}`);
  } else if (typeof value === "number") writeNumericAttribute(entity, name, [value]);
  else if (value.length === 0) return;
  else if (typeof value[0] === "string") entity.create_attribute(name, value as string[], [value.length]);
  else writeNumericAttribute(entity, name, value as readonly number[]);
}

function writeNumericAttribute(entity: H5.Group | H5.Dataset, name: string, numbers: readonly number[]): void {
  const whole = numbers.every((n) => Number.isInteger(n) && Math.abs(n) < 2 ** 31);
  entity.create_attribute(name, [...numbers], [numbers.length], whole ? "<i" : "<d");
}
