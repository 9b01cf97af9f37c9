/** The metadata files of Zarr stores Foehn writes, consolidated as zarr-python does it (v3: inline in the root's zarr.json). */
import { mkdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type { DType } from "../tensor/ndarray.js";
import type { Attributes } from "./dataset.js";
import type { TemplateVariable } from "./template.js";

/** An array being written. */
export interface OpenArray {
  readonly name: string;
  readonly template: TemplateVariable;
  readonly folder: string;
  readonly shape: number[];
  readonly chunks: readonly number[];
  /** What lies in one file: a chunk, or a shard of several. */
  readonly files: readonly number[];
}

export const sameLengths = (a: readonly number[], b: readonly number[]): boolean => a.every((n, i) => n === b[i]);

export interface StoreMetadata {
  root: string;
  arrays: Map<string, OpenArray>;
  attrs: Attributes;
  level: number;
}

/** JSON knows no NaN: Zarr writes it as text. In ASCII, since zarr-python 2 reads nothing else. */
const json = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === "number" && !Number.isFinite(v) ? String(v) : v), 1).replace(
    /[\u0080-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** Metadata files replace older ones in one step each, the root's last: it is what readers begin with. */
async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.partial`, text);
  await rename(`${file}.partial`, file);
}

/** The groups that arrays named by a path (`obs/t2m`) lie in. */
function groupsOf(arrays: ReadonlyMap<string, OpenArray>): Set<string> {
  const groups = new Set<string>();
  for (const name of arrays.keys())
    for (let end = name.indexOf("/"); end >= 0; end = name.indexOf("/", end + 1)) groups.add(name.slice(0, end));
  return groups;
}

export async function writeMetadataV3({ root, arrays, attrs, level }: StoreMetadata): Promise<void> {
  const metadata: Record<string, unknown> = {};
  for (const group of groupsOf(arrays)) {
    metadata[group] = { zarr_format: 3, node_type: "group", attributes: {} };
    await replaceFile(path.join(root, group, "zarr.json"), json(metadata[group]));
  }
  for (const { name, template, shape, chunks, files } of arrays.values()) {
    const { dtype, dims, attrs: own = {} } = template;
    const isText = dtype === "string";
    const codecs = [
      isText ? { name: "vlen-utf8", configuration: {} } : { name: "bytes", configuration: { endian: "little" } },
      ...(level > 0 ? [{ name: "zstd", configuration: { level, checksum: false } }] : []),
    ];
    const sharding = {
      name: "sharding_indexed",
      configuration: {
        chunk_shape: chunks,
        codecs,
        index_codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }],
        index_location: "end",
      },
    };
    metadata[name] = {
      zarr_format: 3,
      node_type: "array",
      shape,
      data_type: dtype,
      chunk_grid: { name: "regular", configuration: { chunk_shape: files } },
      chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
      fill_value: isText ? "" : dtype.startsWith("float") ? NaN : dtype === "bool" ? false : 0,
      codecs: sameLengths(files, chunks) ? codecs : [sharding],
      attributes: own,
      dimension_names: dims,
      storage_transformers: [],
    };
    await replaceFile(path.join(root, name, "zarr.json"), json(metadata[name]));
  }
  const group = {
    zarr_format: 3,
    node_type: "group",
    attributes: attrs,
    consolidated_metadata: { kind: "inline", must_understand: false, metadata },
  };
  await replaceFile(path.join(root, "zarr.json"), json(group));
}

/** NumPy's names of the types. */
const NUMPY: Readonly<Record<DType | "string", string>> = {
  float64: "<f8",
  float32: "<f4",
  float16: "<f2",
  bfloat16: "<u2",
  int64: "<i8",
  int32: "<i4",
  int16: "<i2",
  int8: "|i1",
  uint64: "<u8",
  uint32: "<u4",
  uint16: "<u2",
  uint8: "|u1",
  bool: "|b1",
  string: "|O",
};

export async function writeMetadataV2({ root, arrays, attrs, level }: StoreMetadata): Promise<void> {
  const metadata: Record<string, unknown> = { ".zgroup": { zarr_format: 2 }, ".zattrs": attrs };
  for (const group of groupsOf(arrays)) metadata[`${group}/.zgroup`] = { zarr_format: 2 };
  for (const { name, template, shape, chunks } of arrays.values()) {
    const { dtype, dims, attrs: own = {} } = template;
    metadata[`${name}/.zarray`] = {
      zarr_format: 2,
      shape,
      chunks,
      dtype: NUMPY[dtype],
      compressor: level > 0 ? { id: "zstd", level } : null,
      // an integer fill value would be read as "missing" by xarray
      fill_value: dtype.startsWith("float") ? NaN : null,
      order: "C",
      filters: dtype === "string" ? [{ id: "vlen-utf8" }] : null,
    };
    metadata[`${name}/.zattrs`] = { ...own, _ARRAY_DIMENSIONS: dims };
  }
  for (const [key, value] of Object.entries(metadata)) await replaceFile(path.join(root, key), json(value));
  await replaceFile(path.join(root, ".zmetadata"), json({ metadata, zarr_consolidated_format: 1 }));
}
