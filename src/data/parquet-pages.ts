/**
 * Checks the pages of a Parquet file before they are decoded (Parquet format, `parquet.thrift`): a damaged page header can
 * send a decoder backwards, or make it count to billions.
 */
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { deserializeTCompactProtocol } from "hyparquet/src/thrift.js";

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
      checkColumn(new DataView(bytes), most);
    }
}

function checkColumn(view: DataView, most: number): void {
  const reader = { view, offset: 0 };
  let values = 0;
  while (reader.offset < view.byteLength - 1) {
    const header = deserializeTCompactProtocol(reader) as Header;
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
    reader.offset += size;
  }
}
