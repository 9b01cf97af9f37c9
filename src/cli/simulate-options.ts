/** The options by which a person tells `foehn simulate` and its subcommands what atmosphere to make. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { openDataset } from "../data/open.node.js";
import { DataError, UsageError } from "../errors.js";
import { abruptCo2, type Co2Table, growingCo2, parseCo2Table } from "../simulator/co2.js";
import type { SimulationConfig } from "../simulator/config.js";
import { landFrom, orographyFrom } from "../simulator/surface-file.js";
import { numeric } from "./options.js";

/** What a command line says of an atmosphere; what it does not say is undefined. */
export interface AtmosphereFlags {
  model?: string;
  truncation?: string;
  levels?: number;
  step?: number;
  seed?: number;
  start?: string;
  spinup?: number;
  land?: string;
  orography?: string;
  co2?: string;
  slabDepth?: number;
  sensitivity?: number;
  diurnal?: boolean;
  seasonal?: boolean;
  perturbedPhysics?: number;
}

/** Adds the options of an atmosphere to a command. */
export const withAtmosphere = (command: Command): Command =>
  command
    .option("--model <name>", "barotropic, shallow-water, dry or moist (default: dry)")
    .option("--truncation <T>", "spectral truncation: T21, T31, T42, ... (default: T21)")
    .option("--levels <n>", "sigma levels (default: 5 dry, 8 moist)", numeric)
    .option("--step <seconds>", "chosen from the truncation where left out", numeric)
    .option("--seed <n>", "of the first perturbation (default: 0)", numeric)
    .option("--start <date>", "first day (default: 2001-01-01)")
    .option("--spinup <days>", "days run before and thrown away (default: 60)", numeric)
    .option(
      "--land <which>",
      "none, idealised continents, or a dataset of shares of land: land.nc or land.nc:lsm (moist)",
    )
    .option(
      "--orography <which>",
      "none, idealised, or a dataset of heights on a global grid: heights.nc or heights.nc:z",
    )
    .option(
      "--co2 <path>",
      "moist: 420 (ppm), 4x (abrupt), 1% (a year from the start), or a table with columns year and CO2",
    )
    .option("--slab-depth <m>", "depth of the ocean's mixed layer (moist; default: 30)", numeric)
    .option("--sensitivity <K>", "equilibrium warming per doubling of CO2 (moist; default: 3)", numeric)
    .option("--diurnal", "the sun rises and sets (moist)")
    .option("--no-seasonal", "an equinox for ever (moist)")
    .option("--perturbed-physics <spread>", "relative spread of uncertain parameters, drawn from the seed", numeric);

/** T31 or 31 as a number. */
export function truncationOf(text: string): number {
  const [, number] = /^T?(\d+)$/i.exec(text.trim()) ?? [];
  if (number === undefined)
    throw new UsageError(`a truncation '${text}' is not known: write T21, T31, T42 or the like`);
  return Number(number);
}

/** The configuration that flags ask for; reads the files they name. */
export async function atmosphereConfig(flags: AtmosphereFlags): Promise<Partial<SimulationConfig>> {
  const truncation = flags.truncation === undefined ? undefined : truncationOf(flags.truncation);
  const given = {
    model: flags.model as SimulationConfig["model"] | undefined,
    truncation,
    levels: flags.levels,
    step: flags.step,
    seed: flags.seed,
    start: flags.start,
    spinupDays: flags.spinup,
    land: await mapOf(flags.land, "land", { truncation, read: landFrom }),
    orography: await mapOf(flags.orography, "orography", { truncation, read: orographyFrom }),
    co2: flags.co2 === undefined ? undefined : await co2Of(flags.co2, flags.start),
    slabDepth: flags.slabDepth,
    sensitivity: flags.sensitivity,
    diurnal: flags.diurnal,
    seasonal: flags.seasonal === false ? false : undefined,
    perturbedPhysics: flags.perturbedPhysics,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** none, idealised, or a map from a file. */
async function mapOf(
  text: string | undefined,
  what: string,
  { truncation = 21, read }: { truncation?: number; read: typeof orographyFrom },
): Promise<"none" | "idealised" | Float64Array | undefined> {
  if (text === undefined || text === "none" || text === "idealised") return text;
  const [, location, name] = /^(.*?)(?::(\w*[A-Za-z_]\w*))?$/.exec(text)!; // a port is no variable
  const dataset = await openDataset(location).catch((cause: unknown) => {
    throw new DataError(location, `no ${what} can be read there: give none, idealised or a dataset on a global grid`, {
      cause,
    });
  });
  try {
    return await read(dataset, { truncation, name });
  } finally {
    await dataset.close();
  }
}

/** `420`, `4x`, `1%` or a file. */
export async function co2Of(text: string, start = "2001-01-01"): Promise<number | Co2Table> {
  const [, amount, unit] = /^\s*(-?[\d.]+)\s*(ppm|x|%)?\s*$/i.exec(text) ?? [];
  if (amount !== undefined) {
    const value = Number(amount);
    if (Number.isNaN(value)) throw new UsageError(`--co2 ${text}: write 420 (ppm), 4x, 1% or the name of a table`);
    if (unit?.toLowerCase() === "x") return abruptCo2(value);
    return unit === "%" ? growingCo2(Number(start.slice(0, 4)), 140, value) : value;
  }
  const table = await readFile(text, "utf8").catch((cause: unknown) => {
    throw new DataError(text, "it cannot be read as a table of CO2: check the path, or give 420 (ppm), 4x or 1%", {
      cause,
    });
  });
  return parseCo2Table(table, text);
}
