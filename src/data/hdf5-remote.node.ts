/**
 * An HDF5 file on a server, as the C library wants it: a file on disk. The file is as long as the one on the server, but holds
 * only the blocks that were asked for. Where the library reads one that is not there, the read fails, the block is fetched,
 * and what the library was doing is done again.
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { ByteSource } from "./byte-source.js";

/** Bytes fetched at least; headers lie scattered, and the next one is often near. */
const BLOCK = 2 ** 20;
const EIO = 29;

/** What is needed of Emscripten's file system, which this build of the library lays over Node's. */
interface FileSystem {
  read(stream: Stream, buffer: Uint8Array, offset: number, length: number, position?: number): number;
  ErrnoError: new (code: number) => Error;
}
interface Stream {
  readonly path: string;
  readonly position: number;
}

/** A file that the library reads. */
export interface LibraryFile {
  readonly path: string;
  /** Some of it may have to be fetched yet. */
  readonly isPartial: boolean;
  /**
   * Does `work`, which reads the file through the library, again until all that it reads is there. `undo` takes back what
   * an unfinished go has made.
   */
  settle<T>(work: () => T, undo?: (made: T) => void): Promise<T>;
  remove(): Promise<void>;
}

const remotes = new Map<string, (from: number, length: number) => boolean>();
const watched = new WeakSet<FileSystem>();

/** Has the file system refuse reads of what is not there. */
function watch(fs: FileSystem): void {
  if (watched.has(fs)) return;
  watched.add(fs);
  const read = fs.read.bind(fs);
  fs.read = (stream, buffer, offset, length, position) => {
    const isThere = remotes.get(stream.path);
    if (isThere && !isThere(position ?? stream.position, length)) throw new fs.ErrnoError(EIO);
    return read(stream, buffer, offset, length, position);
  };
}

/** A file for the library `fs` belongs to, over the bytes of `source`. */
export async function remoteFile(source: ByteSource, fs: unknown): Promise<LibraryFile> {
  watch(fs as FileSystem);
  const folder = await mkdtemp(path.join(os.tmpdir(), "foehn-"));
  const file = path.join(folder, "data");
  const disk = await open(file, "w");
  await disk.truncate(source.size);
  const present = new Set<number>();
  /** Blocks that reads asked for in vain. */
  const wanted = new Set<number>();
  const last = Math.ceil(source.size / BLOCK) - 1;
  remotes.set(file, (from, length) => {
    const end = Math.min(last, Math.floor((from + length - 1) / BLOCK));
    for (let block = Math.floor(from / BLOCK); block <= end; block++) if (!present.has(block)) wanted.add(block);
    return wanted.size === 0;
  });
  const fetchWanted = async (): Promise<void> => {
    const blocks = [...wanted].sort((a, b) => a - b);
    wanted.clear();
    for (let i = 0, next = 0; i < blocks.length; i = next) {
      next = i + 1;
      while (next < blocks.length && blocks[next] === blocks[next - 1] + 1) next++;
      const bytes = await source.read(blocks[i] * BLOCK, (next - i) * BLOCK);
      await disk.write(bytes, 0, bytes.length, blocks[i] * BLOCK);
      for (const block of blocks.slice(i, next)) present.add(block);
    }
  };
  // one at a time: what a read asks for in vain belongs to the work under way
  let before: Promise<unknown> = Promise.resolve();
  const settled = async <T>(work: () => T, undo?: (made: T) => void): Promise<T> => {
    for (;;) {
      let made: { value: T } | undefined;
      try {
        made = { value: work() };
      } catch (error) {
        if (wanted.size === 0) throw error;
      }
      if (wanted.size === 0) return made!.value;
      if (made) undo?.(made.value);
      await fetchWanted();
    }
  };
  return {
    path: file,
    isPartial: true,
    settle(work, undo) {
      const result = before.then(() => settled(work, undo));
      before = result.catch(() => {});
      return result;
    },
    async remove() {
      remotes.delete(file);
      await disk.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
