/** Options that several commands share. */
import { readFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { parse } from "yaml";
import { DataError, UsageError } from "../errors.js";

/** A command with `--json` and `--quiet`, and an example under its help. */
export const commandWith = (name: string, description: string, example: string): Command =>
  new Command(name)
    .description(description)
    .option("--json", "one JSON value on standard output")
    .option("--quiet", "no progress")
    .addHelpText("after", `\nExample:\n  ${example}`);

/** A number, for commander. */
export function numeric(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("a number is needed");
  return value;
}

export const list = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);

/** Gathers `--set a.b=c`, given any number of times. */
export const collect = (text: string, before: string[] = []): string[] => [...before, text];

/** `4` or `4,6` as fine rows and columns in a coarse cell. */
export function factorsOf(text: string): [rows: number, columns: number] {
  const [rows, columns = rows] = text.split(",").map(Number);
  if (!(rows >= 1 && columns >= 1)) throw new UsageError(`--factor ${text}: write it as 4 or as 4,6`);
  return [rows, columns];
}

/** A YAML file as plain values. */
export async function readYaml(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new DataError(file, "it cannot be read; check the path", { cause });
  });
  try {
    const value: unknown = parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("it holds no settings");
    return value as Record<string, unknown>;
  } catch (cause) {
    throw new DataError(file, `it is not YAML: ${(cause as Error).message.split("\n")[0]}`, { cause });
  }
}

/** Puts `a.b=c` into a configuration; values are YAML (numbers, lists, words). */
export function applySettings(config: Record<string, unknown>, settings: readonly string[]): Record<string, unknown> {
  const out = structuredClone(config);
  for (const setting of settings) {
    const equals = setting.indexOf("=");
    if (equals < 1) throw new UsageError(`--set ${setting}: write it as a.b=value`);
    const path = setting.slice(0, equals).split(".");
    let at = out;
    for (const key of path.slice(0, -1)) {
      at[key] ??= {};
      at = at[key] as Record<string, unknown>;
    }
    at[path[path.length - 1]] = parse(setting.slice(equals + 1)) as unknown;
  }
  return out;
}

/** `name=value` options as a record. */
export function pairs(option: string, texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      if (equals < 1 || equals === text.length - 1) throw new UsageError(`${option} ${text}: write it as name=value`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}
