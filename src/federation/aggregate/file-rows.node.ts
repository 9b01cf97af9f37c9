/** Updates on disk, one file of little-endian float32 each: a round larger than memory is aggregated from here. */
import { mkdir, open, type FileHandle, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../errors.js";
import type { Rows } from "./rows.js";

/** Writes one update whole or not at all; returns its path. */
export async function writeRow(folder: string, name: string, values: Float32Array): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, `${name}.f32`);
  await writeFile(`${file}.part`, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  await rename(`${file}.part`, file);
  return file;
}

/** Opens files written by `writeRow` as rows of `length` numbers; `close` when done. */
export async function fileRows(files: readonly string[], length: number): Promise<Rows & { close(): Promise<void> }> {
  const handles: FileHandle[] = [];
  const close = async (): Promise<void> => void (await Promise.all(handles.map((h) => h.close())));
  try {
    for (const file of files) {
      const { size } = await stat(file);
      if (size !== 4 * length)
        throw new DataError(
          file,
          `holds ${size} bytes, not the ${4 * length} of ${length} numbers; have the site send it again`,
        );
      handles.push(await open(file));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    count: files.length,
    length,
    precision: "float32",
    async read(row, from, into) {
      const bytes = new Uint8Array(into.buffer, into.byteOffset, into.length * 4);
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handles[row].read(bytes, done, bytes.length - done, 4 * from + done);
        if (bytesRead === 0)
          throw new DataError(files[row], `ends before number ${from + into.length}; have the site send it again`);
        done += bytesRead;
      }
    },
    close,
  };
}

export const removeRows = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });
