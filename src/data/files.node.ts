/** Whole or not at all: what is written lies beside its place until it is done, then takes it in one step. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../errors.js";

export type Overwrite = "replace" | "refuse";

const PARTIAL = ".partial-";

/** Where a file or directory is written before it takes its place; leftovers of killed processes are removed. */
export async function besidePath(target: string, options: { overwrite?: Overwrite } = {}): Promise<string> {
  const { overwrite = "replace" } = options;
  if (overwrite === "refuse" && existsSync(target))
    throw new DataError(target, "it exists already; name another place or allow it to be replaced");
  const folder = path.dirname(path.resolve(target));
  const base = path.basename(target) + PARTIAL;
  await mkdir(folder, { recursive: true }).catch((cause: Error) => cannotWrite(target, cause));
  for (const name of await readdir(folder)) {
    const owner = name.startsWith(base) ? Number(name.slice(base.length).split(".")[0]) : NaN;
    if (owner && owner !== process.pid && !isRunning(owner))
      await rm(path.join(folder, name), { recursive: true, force: true });
  }
  return path.join(folder, `${base}${process.pid}.${counter++}`);
}

let counter = 0;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Puts what was written beside in its place. A directory is replaced only where `mayReplace` knows it for one of ours. */
export async function takePlace(
  beside: string,
  target: string,
  mayReplace: (directory: string) => boolean = () => false,
): Promise<void> {
  const old = await stat(target).catch(() => undefined);
  if (!old?.isDirectory()) return rename(beside, target).catch((cause: Error) => cannotWrite(target, cause));
  if (!mayReplace(target))
    throw new DataError(
      target,
      "a directory of that name exists and is not of the kind to be written; name another place",
    );
  const aside = `${beside}.old`;
  await rename(target, aside);
  await rename(beside, target);
  await rm(aside, { recursive: true, force: true });
}

/** Writes a file in one step. */
export async function writeWhole(target: string, content: string | Uint8Array): Promise<void> {
  const beside = await besidePath(target);
  try {
    await writeFile(beside, content);
    await takePlace(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error instanceof DataError ? error : cannotWrite(target, error as Error);
  }
}

/** The one sentence for a failed write. */
export function cannotWrite(target: string, cause: NodeJS.ErrnoException): never {
  const why: Record<string, string> = {
    ENOSPC: "the disk is full; make room and try again",
    EACCES: "writing there is not permitted; choose another place",
    EROFS: "the disk is read-only; choose another place",
    ENOTDIR: "part of its path is a file, not a directory; choose another place",
  };
  throw new DataError(target, `it cannot be written: ${why[cause.code ?? ""] ?? cause.message}`, { cause });
}
