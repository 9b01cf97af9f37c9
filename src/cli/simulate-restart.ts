/** Restart files of `foehn simulate`: the state of an atmosphere on disk, from which a run goes on bit for bit. */
import { rename, writeFile } from "node:fs/promises";
import type { Saved } from "../simulator/atmosphere.js";
import type { SimulationConfig } from "../simulator/config.js";
import { encodeRestart } from "../simulator/restart.js";

/** Writes a state beside its place and puts it there in one step. */
export async function writeRestart(file: string, config: SimulationConfig, saved: Saved): Promise<void> {
  const beside = `${file}.partial`;
  await writeFile(beside, encodeRestart(config, saved));
  await rename(beside, file);
}
