/** Restart files: the state of a run as safetensors, from which it goes on bit for bit. */
import { DataError, UsageError } from "../errors.js";
import { ndarray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.js";
import type { Saved } from "./atmosphere.js";
import type { SimulationConfig } from "./config.js";

const OROGRAPHY = "orography";

/** The bytes of a restart file: the state's arrays, with the configuration in the metadata. */
export function encodeRestart(config: SimulationConfig, saved: Saved): Uint8Array {
  const { orography, ...plain } = config;
  const own = typeof orography === "string" ? [] : [[OROGRAPHY, orography] as const];
  return encodeSafetensors(
    [...Object.entries(saved.arrays), ...own].map(
      ([name, data]) => [name, ndarray("float64", [data.length], data)] as const,
    ),
    {
      format: "foehn simulation",
      steps: `${saved.steps}`,
      ...(saved.outputs === undefined ? {} : { outputs: `${saved.outputs}` }),
      config: JSON.stringify(typeof orography === "string" ? config : plain),
    },
  );
}

/** A restart file's configuration and state; `source` names it in errors. */
export function decodeRestart(bytes: Uint8Array, source = "restart"): { config: SimulationConfig; saved: Saved } {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata["format"] !== "foehn simulation")
    throw new DataError(source, "is no restart file of a simulation: give one that `simulate` wrote");
  const arrays = Object.fromEntries(
    [...tensors].map(([name, { data }]) => [name, Float64Array.from(data as Float64Array)]),
  );
  const { [OROGRAPHY]: orography, ...state } = arrays;
  const config = JSON.parse(metadata["config"]) as SimulationConfig;
  return {
    config: orography ? { ...config, orography } : config,
    saved: {
      steps: Number(metadata["steps"]),
      arrays: state,
      ...(metadata["outputs"] === undefined ? {} : { outputs: Number(metadata["outputs"]) }),
    },
  };
}

/** Refuses a state that is not of the atmosphere which `expected` was saved from. */
export function checkRestart(expected: Saved, given: Saved): void {
  for (const [name, array] of Object.entries(expected.arrays)) {
    const length = given.arrays[name]?.length;
    if (length !== array.length)
      throw new DataError(
        "restart",
        `its '${name}' has ${length ?? "no"} values where this run needs ${array.length}: go on with the model, truncation and levels it was made with`,
      );
  }
}

/** Arrays that hold spectra of the state itself, in every model of the hierarchy. */
const SPECTRA = ["now", "before"];

/**
 * The same state with every spectral coefficient changed by a relative `amplitude` times a normal number: the start of an
 * ensemble's member. Both time levels change alike, so that no swing between odd and even steps is set off.
 */
export function perturbed(saved: Saved, { seed, amplitude }: { seed: number; amplitude: number }): Saved {
  const arrays = { ...saved.arrays };
  for (const name of SPECTRA) {
    const draw = random(seed).split("perturbation");
    arrays[name] = arrays[name].map((value) => value * (1 + amplitude * draw.normal()));
  }
  return { ...saved, arrays };
}

/**
 * The same state for a run with another step (seconds): the time level before is brought to the new step's distance along the line
 * between both. A remedy for a run that blew up; such a run is no longer the unbroken one bit for bit.
 */
export function restepped(saved: Saved, { from, to }: { from: number; to: number }): Saved {
  const steps = (saved.steps * from) / to;
  if (!Number.isInteger(steps))
    throw new UsageError(
      `the state after ${saved.steps * from} s lies between two steps of ${to} s: take a step that divides it`,
    );
  const { now, before } = saved.arrays;
  return {
    ...saved,
    steps,
    arrays: { ...saved.arrays, before: before.map((value, i) => now[i] + ((value - now[i]) * to) / from) },
  };
}
