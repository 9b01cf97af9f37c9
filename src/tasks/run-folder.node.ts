/** The folder of a run: begun once, gone on with only by the configuration it began with. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parse, stringify } from "yaml";
import { writeWhole } from "../data/files.node.js";
import { DataError, UsageError } from "../errors.js";

/**
 * Makes the folder of a new run: `prepare` gives the files it begins with, `config.yaml` comes last and makes it a run. Refuses
 * a folder that already holds one, unless it is to be gone on with and the configuration is the same.
 */
export async function beginFolder(
  run: string,
  config: object,
  options: { resume: boolean; prepare?: () => readonly (readonly [name: string, bytes: Uint8Array])[] },
): Promise<void> {
  const text = stringify(config);
  const name = path.join(run, "config.yaml");
  if (existsSync(name)) {
    if (!options.resume)
      throw new UsageError(`${run} already holds a run: go on with it by --resume, or name another folder with --out`);
    if (stringify(parse(await readFile(name, "utf8"))) !== text)
      throw new UsageError(
        `${run}/config.yaml differs from the configuration given: resume with the same one, or train into another folder`,
      );
    return;
  }
  const files = options.prepare?.() ?? [];
  await mkdir(run, { recursive: true });
  for (const [file, bytes] of files) await writeWhole(path.join(run, file), bytes);
  await writeWhole(name, text);
}

/** What the run in a folder was trained for: `forecast`, `downscale`, `pretrain`. */
export async function taskOf(run: string): Promise<string> {
  const text = await readFile(path.join(run, "config.yaml"), "utf8").catch((cause: unknown) => {
    throw new DataError(run, "this is not the folder of a run: it has no config.yaml", { cause });
  });
  return (parse(text) as { task?: string }).task ?? "forecast";
}
