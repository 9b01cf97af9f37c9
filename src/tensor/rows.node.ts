/** Rows over a scratch file, for tables that memory should not hold. */
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { memoryRows, type RowMaker, type Rows } from "./rows.js";

type Numbers = Float32Array | Float64Array;

/**
 * Tables in memory until `memory` bytes are taken, then in files of `folder`. The files have no name (where the system allows it,
 * they are unlinked at once), so nothing is left behind by a kill.
 */
export function scratchRows({ folder, memory = 256e6 }: { folder: string; memory?: number }): RowMaker {
  let taken = 0;
  let count = 0;
  const open: { file: number; name: string }[] = [];

  function fileOf<A extends Numbers>(rows: number, width: number, make: (length: number) => A): Rows<A> {
    mkdirSync(folder, { recursive: true });
    const name = path.join(folder, `.scratch-${process.pid}-${count++}.tmp`);
    const file = openSync(name, "wx+");
    if (process.platform !== "win32") rmSync(name);
    open.push({ file, name });
    const bytes = make(0).BYTES_PER_ELEMENT;
    ftruncateSync(file, rows * width * bytes); // zeros, without taking place
    const transfer = (
      data: A,
      at: number,
      move: (file: number, buffer: Uint8Array, offset: number, length: number, at: number) => number,
    ) => {
      const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < raw.length;) done += move(file, raw, done, raw.length - done, at + done);
    };
    return {
      count: rows,
      width,
      get(row, from = 0, to = width) {
        const out = make(to - from);
        transfer(out, (row * width + from) * bytes, readSync);
        return out;
      },
      set(row, values, from = 0) {
        const data = make(values.length);
        data.set(values);
        transfer(data, (row * width + from) * bytes, writeSync);
      },
    };
  }

  const fits = (bytes: number): boolean => {
    if (taken + bytes > memory) return false;
    taken += bytes;
    return true;
  };
  return {
    float32: (rows, width) =>
      fits(4 * rows * width)
        ? memoryRows.float32(rows, width)
        : fileOf(rows, width, (length) => new Float32Array(length)),
    float64: (rows, width) =>
      fits(8 * rows * width)
        ? memoryRows.float64(rows, width)
        : fileOf(rows, width, (length) => new Float64Array(length)),
    close() {
      for (const { file, name } of open.splice(0)) {
        closeSync(file);
        if (process.platform === "win32") rmSync(name, { force: true });
      }
    },
  };
}
