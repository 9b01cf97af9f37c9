/** A simulation into a Zarr store, output time after output time; an ensemble member after member. */
import type { MemoryVariable, Selection } from "../data/dataset.js";
import { createZarr, type ZarrWriter } from "../data/write-zarr.node.js";
import type { Saved } from "../simulator/atmosphere.js";
import type { SimulationConfig } from "../simulator/config.js";
import { ensemble } from "../simulator/experiments.js";
import {
  attributes,
  coordinates,
  type Progress,
  simulate,
  simulationLayout,
  type SimulationLayout,
  type Snapshot,
} from "../simulator/simulate.js";
import { BlowUpError } from "../simulator/stability.js";
import { float32, ndarray } from "../tensor/ndarray.js";
import { bar, type Output, timeLeft } from "./output.js";
import { writeRestart } from "./simulate-restart.js";

export interface StoreOptions {
  /** Goes on from here. */
  readonly restart?: Saved;
  /** Writes the last state here (of the control, in an ensemble). */
  readonly checkpoint?: string;
  /** An ensemble of so many, along a dimension `member`, and the relative size of what sets them apart. */
  readonly members?: number;
  readonly amplitude?: number;
}

/** Runs a simulation into a store at `target`. After a blow-up the last sound state is in `target` + `.last-good.restart`. */
export async function simulateTo(
  target: string,
  given: Partial<SimulationConfig>,
  out: Output,
  { restart, checkpoint, members, amplitude }: StoreOptions = {},
): Promise<SimulationLayout> {
  const layout = simulationLayout(given, { restart });
  const writer = await openStore(target, layout, members);
  const began = performance.now();
  const count = members ?? 1;
  const onProgress = ({ day, days, spinup, yearsPerDay, fastest }: Progress, member: number) => {
    const part = (member + day / days) / count;
    const who = members === undefined ? "" : `member ${member + 1} of ${count}, `;
    out.progress(
      `${bar(part)} ${spinup ? "spinning up" : "simulating"}, ${who}day ${day.toFixed(0)} of ${days.toFixed(0)}  ` +
        `${yearsPerDay.toFixed(0)} years a day, fastest wind ${fastest.toFixed(0)} m/s  ${timeLeft(began, part)} left`,
    );
  };
  let time = 0;
  let at = 0;
  const onState = async (saved: () => Saved): Promise<void> => {
    if (checkpoint && at === 0 && time === layout.times.length) await writeRestart(checkpoint, layout.config, saved());
  };
  try {
    const run = { restart, onState };
    const weather =
      members === undefined
        ? alone(simulate(layout.config, { ...run, onProgress: (progress) => onProgress(progress, 0) }))
        : ensemble(layout.config, { ...run, members, amplitude, onProgress });
    for await (const { member, snapshot } of weather) {
      if (member !== at) [at, time] = [member, 0];
      const place: Selection = members === undefined ? { time } : { member, time };
      for (const { name, shape } of layout.variables)
        await writer.write(name, place, float32(shape.slice(1), snapshot.fields[name]));
      time++;
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error instanceof BlowUpError ? await kept(error, target, layout.config) : error;
  }
  out.done();
  return layout;
}

async function* alone(snapshots: AsyncIterable<Snapshot>): AsyncGenerator<{ member: number; snapshot: Snapshot }> {
  for await (const snapshot of snapshots) yield { member: 0, snapshot };
}

/** Lays out a store and writes what does not change with time. */
async function openStore(target: string, layout: SimulationLayout, members: number | undefined): Promise<ZarrWriter> {
  const axes = coordinates(layout);
  const fixed: Record<string, MemoryVariable> = { ...axes, ...layout.statics };
  const dims: Record<string, number> = {};
  for (const [name, { data }] of Object.entries(axes)) dims[name] = data.shape[0];
  if (members !== undefined) {
    dims["member"] = members;
    const numbers = Int32Array.from({ length: members }, (_, i) => i);
    fixed["member"] = {
      dims: ["member"],
      data: ndarray("int32", [members], numbers),
      attrs: { standard_name: "realization", long_name: "member of the ensemble; 0 is the control" },
    };
  }
  const along = members === undefined ? [] : ["member"];
  const writer = await createZarr(target, {
    dims,
    attrs: attributes(layout.config),
    variables: Object.fromEntries([
      ...Object.entries(fixed).map(
        ([name, v]) => [name, { dims: v.dims, dtype: v.data.dtype, attrs: v.attrs }] as const,
      ),
      ...layout.variables.map(
        (v) => [v.name, { dims: [...along, ...v.dims], dtype: "float32" as const, attrs: v.attrs }] as const,
      ),
    ]),
  });
  for (const [name, { data }] of Object.entries(fixed)) await writer.write(name, {}, data);
  return writer;
}

/** Keeps the last sound state of a run that blew up, and says where. */
async function kept(error: BlowUpError, target: string, config: SimulationConfig): Promise<BlowUpError> {
  if (!error.lastGood) return error;
  const file = `${target}.last-good.restart`;
  await writeRestart(file, config, error.lastGood);
  error.message += `; the last sound state is in ${file}`;
  return error;
}
