/** Restart files: the state of a run as safetensors, from which it goes on bit for bit. */
import { DataError, UsageError } from "../errors.js";
import { ndarray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.js";
import type { Saved } from "./atmosphere.js";
import type { SimulationConfig } from "./config.js";

/** Settings that may be maps: they travel beside the state, their names behind `CONFIG`. */
const MAPS = ["orography", "land"] as const;
const CONFIG = "config.";

/** The bytes of a restart file: the state's arrays and the configuration's maps, with the rest of it in the metadata. */
export function encodeRestart(config: SimulationConfig, saved: Saved): Uint8Array {
  const maps = MAPS.filter((name) => config[name] instanceof Float64Array);
  const plain = Object.fromEntries(
    Object.entries(config).filter(([name]) => !(maps as readonly string[]).includes(name)),
  );
  return encodeSafetensors(
    [
      ...Object.entries(saved.arrays),
      ...maps.map((name) => [`${CONFIG}${name}`, config[name] as Float64Array] as const),
    ].map(([name, data]) => [name, ndarray("float64", [data.length], data)] as const),
    {
      format: "foehn simulation",
      steps: `${saved.steps}`,
      ...(saved.outputs === undefined ? {} : { outputs: `${saved.outputs}` }),
      config: JSON.stringify(plain),
    },
  );
}

/** A restart file's configuration and state; `source` names it in errors. */
export function decodeRestart(bytes: Uint8Array, source = "restart"): { config: SimulationConfig; saved: Saved } {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata["format"] !== "foehn simulation")
    throw new DataError(source, "is no restart file of a simulation: give one that `simulate` wrote");
  const state: Record<string, Float64Array> = {};
  const maps: Record<string, Float64Array> = {};
  for (const [name, { data }] of tensors) {
    const values = Float64Array.from(data as Float64Array);
    if (name.startsWith(CONFIG)) maps[name.slice(CONFIG.length)] = values;
    else state[name] = values;
  }
  return {
    config: { ...(JSON.parse(metadata["config"]) as SimulationConfig), ...maps },
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
