/** Parquet tables through hyparquet: every column that holds numbers, texts or instants. */
import { type AsyncBuffer, parquetMetadataAsync, parquetRead } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { DataError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import { checkPages } from "./parquet-pages.js";
import type { Column, Table } from "./table.js";

/** Reads a Parquet table. */
export async function readParquet(bytes: ByteSource, source: string): Promise<Table> {
  const file: AsyncBuffer = {
    byteLength: bytes.size,
    slice: async (start, end = bytes.size) => {
      const piece = await bytes.read(start, end - start);
      return piece.slice().buffer;
    },
  };
  // The decoder begins to read columns and may then throw for another reason, leaving their failures to no one: bytes come
  // only after it has had its say, and never where it has thrown.
  let failed = false;
  const patient: AsyncBuffer = {
    byteLength: file.byteLength,
    slice: async (start, end) => {
      const piece = await file.slice(start, end);
      await new Promise((resolve) => setTimeout(resolve));
      return failed ? new Promise<never>(() => {}) : piece;
    },
  };
  try {
    const metadata = await parquetMetadataAsync(file);
    const rows = Number(metadata.num_rows);
    const grouped = metadata.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
    // run lengths pack many equal rows into a byte, but not without bound
    if (rows !== grouped || !(rows >= 0) || rows > 1e6 + 1000 * bytes.size)
      throw new Error(`its footer tells of ${rows} rows in groups of ${grouped} in a file of ${bytes.size} bytes`);
    await checkPages(file, metadata);
    const raw = new Map<string, unknown[]>();
    await parquetRead({
      file: patient,
      metadata,
      compressors,
      onChunk: ({ columnName, columnData, rowStart }) => {
        const all = raw.get(columnName) ?? new Array<unknown>(rows).fill(null);
        raw.set(columnName, all);
        for (let i = 0; i < columnData.length; i++) all[rowStart + i] = (columnData as ArrayLike<unknown>)[i];
      },
    });
    const columns = new Map<string, Column>();
    const instants = new Set<string>();
    for (const [name, values] of raw) {
      if (values.some((value) => value instanceof Date)) instants.add(name);
      const column = columnOf(values);
      if (column) columns.set(name, column);
    }
    return { source, format: "parquet", columns, instants };
  } catch (cause) {
    failed = true;
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      source,
      `it cannot be read as Parquet (${(cause as Error).message}); it is truncated or damaged, copy it again`,
      { cause },
    );
  }
}

function columnOf(values: readonly unknown[]): Column | undefined {
  const first = values.find((value) => value !== null && value !== undefined);
  if (typeof first === "string") return values.map((value) => (typeof value === "string" ? value : ""));
  if (["number", "bigint", "boolean", "undefined"].includes(typeof first) || first instanceof Date)
    return Float64Array.from(values, (value) => (value === null || value === undefined ? NaN : Number(value)));
  return undefined; // lists and structures
}
