/**
 * Checks the pages of a Parquet file before they are decoded (Parquet format, `parquet.thrift`): a damaged page header can
 * send a decoder backwards, or make it count to billions.
 */
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { deserializeTCompactProtocol } from "hyparquet/src/thrift.js";
import { compressors } from "hyparquet-compressors";

/** Values a page may hold for each byte it takes, run lengths and compression included. */
const VALUES_PER_BYTE = 1000;
const LARGEST_PAGE = 2 ** 31 - 1;

type Header = Record<string, unknown>;

const count = (value: unknown, most: number, what: string): number => {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most)
    throw new Error(`a page says that its ${what} is ${String(value)}`);
  return value;
};

/** Throws where a column's pages do not fit into it, or hold more values than it says. */
export async function checkPages(file: AsyncBuffer, metadata: FileMetaData): Promise<void> {
  for (const { columns } of metadata.row_groups)
    for (const { meta_data: meta } of columns) {
      if (!meta) throw new Error("a column has no description");
      const start = Math.min(
        ...[meta.dictionary_page_offset, meta.data_page_offset].flatMap((x) => (x ? [Number(x)] : [])),
      );
      const length = count(Number(meta.total_compressed_size), file.byteLength - start, "column's length");
      const bytes = await file.slice(start, start + length);
      const most = count(Number(meta.num_values), 1e6 + VALUES_PER_BYTE * file.byteLength, "column's number of values");
      // lists and structures are left out of tables, so only plain columns' runs are looked at
      const [name] = meta.path_in_schema;
      const element = metadata.schema.find((e) => e.name === name && e.num_children === undefined);
      const isPlain = meta.path_in_schema.length === 1 && element?.repetition_type !== "REPEATED";
      const column = { codec: meta.codec, optional: element?.repetition_type === "OPTIONAL", isPlain };
      checkColumn(new DataView(bytes), most, column);
    }
}

interface Plain {
  readonly codec: string;
  readonly optional: boolean;
  readonly isPlain: boolean;
}

function checkColumn(view: DataView, most: number, column: Plain): void {
  const reader = { view, offset: 0 };
  let values = 0;
  while (reader.offset < view.byteLength - 1) {
    const header = deserializeTCompactProtocol(reader);
    const rest = view.byteLength - reader.offset;
    const size = count(header["field_3"], rest, "length");
    count(header["field_2"], Math.min(LARGEST_PAGE, 1e6 + VALUES_PER_BYTE * 8 * rest), "unpacked length");
    const [data, dictionary, data2] = [5, 7, 8].map((k) => header[`field_${k}`] as Header | undefined);
    if (dictionary) count(dictionary["field_1"], 1e6 + VALUES_PER_BYTE * size, "number of values");
    for (const page of [data, data2]) if (page) values += count(page["field_1"], most - values, "number of values");
    if (data2) {
      count(data2["field_2"], most, "number of missing values");
      count(data2["field_3"], most, "number of rows");
      const levels = count(data2["field_5"], size, "levels' length");
      count(data2["field_6"], size - levels, "levels' length");
    }
    if (column.isPlain && (data ?? data2)) {
      const page = new Uint8Array(view.buffer, view.byteOffset + reader.offset, size);
      checkPageRuns(page, Number(header["field_2"]), data, data2, column);
    }
    reader.offset += size;
  }
}

/** Encodings whose values are runs: RLE, and indices into a dictionary. */
const [PLAIN_DICTIONARY, RLE, RLE_DICTIONARY] = [2, 3, 8];

/** The runs of a page: whether values are there, and which of a dictionary they are. */
function checkPageRuns(
  page: Uint8Array,
  unpackedSize: number,
  v1: Header | undefined,
  v2: Header | undefined,
  { codec, optional }: Plain,
): void {
  const unpack = (bytes: Uint8Array, size: number): Uint8Array => {
    const decompress = compressors[codec as keyof typeof compressors];
    return codec === "UNCOMPRESSED" || !decompress ? bytes : decompress(bytes, size);
  };
  const values = Number((v1 ?? v2!)["field_1"]);
  const encoding = Number(v1 ? v1["field_2"] : v2!["field_4"]);
  let body: Uint8Array;
  if (v2) {
    const levels = Number(v2["field_5"]) + Number(v2["field_6"]);
    checkRuns(page.subarray(Number(v2["field_6"]), levels), 1, values);
    const packed = v2["field_7"] !== false;
    body = packed ? unpack(page.subarray(levels), unpackedSize - levels) : page.subarray(levels);
  } else {
    body = unpack(page, unpackedSize);
    if (optional && body.length >= 4) {
      const length = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
      checkRuns(body.subarray(4, 4 + length), 1, values);
      body = body.subarray(4 + length);
    }
  }
  if (encoding === RLE) checkRuns(body.subarray(4), 1, values);
  if (encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY) checkRuns(body.subarray(1), body[0] ?? 0, values);
}

/** Runs of the hybrid of run lengths and packed bits: none goes on beyond the page's values. */
function checkRuns(bytes: Uint8Array, width: number, values: number): void {
  let at = 0;
  for (let seen = 0; seen < values && at < bytes.length;) {
    let header = 0;
    for (let shift = 0, byte = 128; byte >= 128 && at < bytes.length && shift < 35; shift += 7) {
      byte = bytes[at++];
      header += (byte & 127) * 2 ** shift;
    }
    const run = Math.floor(header / 2);
    const isPacked = header % 2 === 1;
    const most = isPacked ? Math.ceil((values - seen) / 8) : values - seen;
    // writers may fill the last packed group up to their block, never a run of equal values
    if (run > most + (isPacked ? 64 : 0)) throw new Error(`a run of ${run} goes on beyond a page of ${values} values`);
    seen += isPacked ? 8 * run : run;
    at += isPacked ? run * width : (width + 7) >> 3;
    if (run === 0 && header === 0 && at >= bytes.length) break;
  }
}
