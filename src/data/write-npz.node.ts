/**
 * Writes datasets for NumPy: `.npz`, a zip file (APPNOTE 6.3) of uncompressed `.npy` arrays, one a variable, coordinates
 * too. Names, units and attributes have no place in it. A variable at a time is read piece by piece.
 */
import { open, rm } from "node:fs/promises";
import { DataError } from "../errors.js";
import { sizeOf } from "../tensor/ndarray.js";
import type { Dataset, Variable } from "./dataset.js";
import { besidePath, cannotWrite, type Overwrite, takePlace } from "./files.node.js";
import { npyHeader } from "./npy.js";
import { bytesOf, pieces } from "./template.js";

const PIECE_VALUES = 2 ** 22;
/** Zip without its 64-bit extension. */
const LARGEST = 2 ** 32 - 1;

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32 (ISO 3309) of more bytes after those of `before`. */
function crc32(bytes: Uint8Array, before = 0): number {
  let crc = before ^ 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Little-endian integers of given widths in bytes. */
function pack(...parts: (readonly [value: number, bytes: number])[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, [, width]) => sum + width, 0));
  let at = 0;
  for (const [value, width] of parts) for (let i = 0; i < width; i++) out[at++] = Math.floor(value / 256 ** i) % 256;
  return out;
}

const VERSION = 20;
const DOS_DATE = ((1980 - 1980) << 9) | (1 << 5) | 1;

/** Writes all numeric variables. Texts are refused: NumPy would need pickles for them. */
export async function writeNpz(
  dataset: Dataset,
  target: string,
  options: { overwrite?: Overwrite } = {},
): Promise<void> {
  const numeric = [...dataset.variables.values()].filter((v) => !v.readStrings && v.dtype !== "bfloat16");
  if (numeric.length === 0) throw new DataError(dataset.source, "it has no numeric variable to write");
  const beside = await besidePath(target, options);
  const file = await open(beside, "w").catch((cause: Error) => cannotWrite(target, cause));
  let at = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    await file.write(bytes, 0, bytes.length, at);
    at += bytes.length;
    if (at > LARGEST)
      throw new DataError(target, "it would be larger than 4 GiB, which this zip cannot be; write Zarr");
  };
  const directory: Uint8Array[] = [];
  try {
    for (const v of numeric) {
      const name = new TextEncoder().encode(`${v.name.replaceAll("/", "_")}.npy`);
      const start = at;
      const header = npyHeader(v.dtype, v.shape);
      const size = header.length + sizeOf(v.shape) * bytesOf(v.dtype);
      // sizes are known before, the CRC only after: it is put into its place then
      const local = (crc: number): Uint8Array =>
        pack(
          [0x04034b50, 4],
          [VERSION, 2],
          [0, 2],
          [0, 2],
          [0, 2],
          [DOS_DATE, 2],
          [crc, 4],
          [size, 4],
          [size, 4],
          [name.length, 2],
          [0, 2],
        );
      await write(local(0));
      await write(name);
      let crc = crc32(header);
      await write(header);
      for await (const bytes of rowMajor(v)) {
        crc = crc32(bytes, crc);
        await write(bytes);
      }
      const begun = local(crc);
      await file.write(begun, 0, begun.length, start);
      directory.push(
        pack(
          [0x02014b50, 4],
          [VERSION, 2],
          [VERSION, 2],
          [0, 2],
          [0, 2],
          [0, 2],
          [DOS_DATE, 2],
          [crc, 4],
          [size, 4],
          [size, 4],
          [name.length, 2],
          [0, 2],
          [0, 2],
          [0, 2],
          [0, 2],
          [0, 4],
          [start, 4],
        ),
        name,
      );
    }
    const from = at;
    for (const part of directory) await write(part);
    await write(
      pack(
        [0x06054b50, 4],
        [0, 2],
        [0, 2],
        [numeric.length, 2],
        [numeric.length, 2],
        [at - from, 4],
        [from, 4],
        [0, 2],
      ),
    );
    await file.close();
    await takePlace(beside, target);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(beside, { force: true });
    throw error instanceof DataError ? error : cannotWrite(target, error as Error);
  }
}

/** The values in order, in pieces of whole rows of the first dimension. */
async function* rowMajor(v: Variable): AsyncGenerator<Uint8Array> {
  const bytes = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const rest = v.shape.slice(1);
  const chunk = [Math.max(1, v.chunks?.[0] ?? 1), ...rest.map((n) => Math.max(1, n))];
  for (const piece of pieces(v, v.shape.length ? chunk : [], PIECE_VALUES)) yield bytes((await v.read(piece)).data);
}
