/** Restart files of `foehn simulate`: the state of an atmosphere on disk, from which a run goes on bit for bit. */
import { readFile } from "node:fs/promises";
import { writeWhole } from "../data/files.node.js";
import { DataError, UsageError } from "../errors.js";
import type { Saved } from "../simulator/atmosphere.js";
import { MOIST_ONLY, type SimulationConfig } from "../simulator/config.js";
import { decodeRestart, encodeRestart, restepped } from "../simulator/restart.js";
import { atmosphereConfig, type AtmosphereFlags } from "./simulate-options.js";

export const writeRestart = (file: string, config: SimulationConfig, saved: Saved): Promise<void> =>
  writeWhole(file, encodeRestart(config, saved));

export async function readRestart(file: string): Promise<{ config: SimulationConfig; saved: Saved }> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new DataError(file, "it cannot be read: give a file that --checkpoint wrote", { cause });
  });
  return decodeRestart(bytes, file);
}

/** What may change at a restart without the saved state losing its meaning: forcings and physics, not grids and clocks. */
const MAY_CHANGE = ["step", "co2", "sensitivity", "slabDepth", "perturbedPhysics", "diurnal", "seasonal"] as const;

/**
 * The atmosphere that flags ask for and, with `--restart`, the state it goes on from: its configuration is then that of the file,
 * changed only where that makes sense (another path of CO2, say, or a shorter step after a blow-up).
 */
export async function startingPoint(
  flags: AtmosphereFlags & { restart?: string },
): Promise<{ config: Partial<SimulationConfig>; restart?: Saved }> {
  const given = await atmosphereConfig(flags);
  if (flags.restart === undefined) {
    refuseForeign(given, given.model ?? "dry");
    return { config: given };
  }
  const { config, saved } = await readRestart(flags.restart);
  refuseForeign(given, config.model);
  for (const key of Object.keys(given) as (keyof SimulationConfig)[])
    if (!(MAY_CHANGE as readonly string[]).includes(key) && JSON.stringify(given[key]) !== JSON.stringify(config[key]))
      throw new UsageError(
        `${flags.restart} was made with another ${key} (${String(config[key])}): leave that option out, or start afresh without --restart`,
      );
  const { step = config.step } = given;
  return {
    config: { ...config, ...given },
    restart: step === config.step ? saved : restepped(saved, { from: config.step, to: step }),
  };
}

/** Refuses what the model would not listen to. */
function refuseForeign(given: Partial<SimulationConfig>, model: string): void {
  const foreign = model === "moist" ? undefined : MOIST_ONLY.find((key) => key in given && given[key] !== "none");
  if (foreign !== undefined)
    throw new UsageError(`${foreign} means nothing to the ${model} model: leave it out, or take --model moist`);
}

/** The date on which a saved state's weather goes on. */
export function restartDate({ start, everyHours }: SimulationConfig, { outputs = 0 }: Saved): Date {
  return new Date(Date.parse(start) + outputs * everyHours * 3_600_000);
}
