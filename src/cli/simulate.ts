/** `foehn simulate`: the embedded atmosphere into a Zarr store, written as it runs. */
import { createZarr } from "../data/write-zarr.node.js";
import { float32 } from "../tensor/ndarray.js";
import { attributes, coordinates, simulate, simulationLayout, type SimulationLayout } from "../simulator/simulate.js";
import type { SimulationConfig } from "../simulator/config.js";
import { UsageError } from "../errors.js";
import type { Saved } from "../simulator/atmosphere.js";
import { writeRestart } from "./simulate-restart.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, list, numeric } from "./options.js";
import { type AtmosphereFlags, atmosphereConfig, withAtmosphere } from "./simulate-options.js";
import { bar, duration, type Output, output, timeLeft } from "./output.js";

interface SimulateFlags extends AtmosphereFlags {
  days?: number;
  years?: number;
  every: string;
  variables?: string[];
  pressureLevels?: string[];
  checkpoint?: string;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  withAtmosphere(
    commandWith(
      "simulate",
      "Makes an atmosphere: global weather from physics alone, as a dataset.",
      "foehn simulate --model moist --truncation T31 --years 2 --every 6h --seed 1 --out sim.zarr",
    ),
  )
    .option("--days <n>", "days of weather (default: 90)", numeric)
    .option("--years <n>", "years of weather", numeric)
    .option("--every <hours>", "hours between outputs, such as 6h", "6h")
    .option("--variables <names>", "comma-separated; all where left out", list)
    .option("--pressure-levels <hPa>", "comma-separated", list)
    .option("--checkpoint <file>", "the state at the end, from which --restart goes on")
    .requiredOption("--out <path>", "Zarr store")
    .action(async (flags: SimulateFlags) => {
      const out = output(flags);
      if (flags.years !== undefined && flags.days !== undefined)
        throw new UsageError("give --days or --years, not both");
      const config: Partial<SimulationConfig> = {
        ...(await atmosphereConfig(flags)),
        everyHours: numeric(flags.every.replace(/h$/, "")),
        days: flags.years === undefined ? (flags.days ?? 90) : flags.years * 365.25,
        ...(flags.variables ? { variables: flags.variables } : {}),
        ...(flags.pressureLevels ? { pressureLevels: flags.pressureLevels.map(numeric) } : {}),
      };
      const began = performance.now();
      const layout = await simulateTo(flags.out, config, out, flags);
      const seconds = (performance.now() - began) / 1000;
      const years = layout.config.days / 365.25;
      out.result(
        { out: flags.out, days: layout.config.days, seconds, years_per_day: (years / seconds) * 86_400 },
        `${layout.config.days} days of ${layout.config.model} weather at T${layout.config.truncation} in ${duration(seconds)}: ${flags.out}`,
      );
    });

/** Runs a simulation into a Zarr store, output time after output time. */
export async function simulateTo(
  target: string,
  given: Partial<SimulationConfig>,
  out: Output,
  { checkpoint }: { checkpoint?: string } = {},
): Promise<SimulationLayout> {
  const layout = simulationLayout(given);
  const axes = { ...coordinates(layout), ...layout.statics };
  const dims: Record<string, number> = {};
  for (const [name, { data }] of Object.entries(coordinates(layout))) dims[name] = data.shape[0];
  const writer = await createZarr(target, {
    dims,
    attrs: attributes(layout.config),
    variables: Object.fromEntries([
      ...Object.entries(axes).map(
        ([name, v]) => [name, { dims: v.dims, dtype: v.data.dtype, attrs: v.attrs }] as const,
      ),
      ...layout.variables.map((v) => [v.name, { dims: v.dims, dtype: "float32" as const, attrs: v.attrs }] as const),
    ]),
  });
  const began = performance.now();
  try {
    for (const [name, { data }] of Object.entries(axes)) await writer.write(name, {}, data);
    let time = 0;
    const onProgress = ({
      day,
      days,
      spinup,
      yearsPerDay,
    }: {
      day: number;
      days: number;
      spinup: boolean;
      yearsPerDay: number;
    }) =>
      out.progress(
        `${bar(day / days)} ${spinup ? "spinning up" : "simulating"}, day ${day.toFixed(0)} of ${days.toFixed(0)}  ${yearsPerDay.toFixed(0)} years a day  ${timeLeft(began, day / days)} left`,
      );
    const onState = async (saved: () => Saved): Promise<void> => {
      if (checkpoint && time === layout.times.length) await writeRestart(checkpoint, layout.config, saved());
    };
    for await (const { fields } of simulate(layout.config, { onProgress, onState })) {
      for (const { name, shape } of layout.variables)
        await writer.write(name, { time }, float32(shape.slice(1), fields[name]));
      time++;
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  out.done();
  return layout;
}
