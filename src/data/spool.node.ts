/** Bytes that a reader needs as a file on disk: gzipped files unpacked, HDF5 fetched from a server. */
import { mkdtemp, open, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { constants, createGunzip, gunzip } from "node:zlib";
import { DataError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";

const PIECE = 8 * 2 ** 20;
/** What is unpacked may take this much of the disk, no more. */
const LIMIT = 64 * 2 ** 30;

/** Bytes of a source in order, some megabytes at a time. */
export async function* sourcePieces(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.size; at += PIECE) yield source.read(at, PIECE);
}

/** Writes bytes to a temporary file; `remove` takes it away again. */
export async function spool(
  bytes: AsyncIterable<Uint8Array>,
  source: string,
): Promise<{ file: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "foehn-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const file = path.join(folder, "data");
  const out = await open(file, "w");
  try {
    let size = 0;
    for await (const part of bytes) {
      size += part.length;
      if (size > LIMIT) throw new DataError(source, "it unpacks to more than 64 GiB; unpack it yourself");
      await out.write(part);
    }
    await out.close();
    return { file, remove };
  } catch (error) {
    await out.close().catch(() => {});
    await remove();
    throw error;
  }
}

/** What gunzip makes of a source. */
export async function* gunzipped(bytes: ByteSource, source: string): AsyncGenerator<Uint8Array> {
  const packed = Readable.from(sourcePieces(bytes));
  const unpacked = createGunzip();
  packed.on("error", (error) => unpacked.destroy(error));
  try {
    for await (const part of packed.pipe(unpacked)) yield part as Uint8Array;
  } catch (cause) {
    throw new DataError(
      source,
      `it cannot be unzipped (${(cause as Error).message}); it is truncated or damaged, copy it again`,
      { cause },
    );
  }
}

/** The first kilobyte of what a gzipped source holds; nothing where it cannot be unzipped. */
export async function gunzippedHead(bytes: ByteSource): Promise<Uint8Array> {
  const begun = await bytes.read(0, 64 * 1024);
  const options = { finishFlush: constants.Z_SYNC_FLUSH };
  const unpacked = await promisify(gunzip)(begun, options).catch(() => new Uint8Array(0));
  return unpacked.subarray(0, 1024);
}
