/** `foehn simulate`: the embedded atmosphere into a Zarr store, written as it runs. */
import { createZarr } from "../data/write-zarr.node.js";
import { float32 } from "../tensor/ndarray.js";
import { attributes, coordinates, simulate, simulationLayout, type SimulationLayout } from "../simulator/simulate.js";
import type { SimulationConfig } from "../simulator/config.js";
import { UsageError } from "../errors.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, list, numeric } from "./options.js";
import { bar, duration, type Output, output, timeLeft } from "./output.js";

interface SimulateFlags {
  model: string;
  truncation: string;
  levels?: number;
  days?: number;
  years?: number;
  every: string;
  seed: number;
  start?: string;
  spinup?: number;
  variables?: string[];
  pressureLevels?: string[];
  out: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "simulate",
    "Makes an atmosphere: global weather from physics alone, as a dataset.",
    "foehn simulate --model moist --truncation T31 --years 2 --every 6h --seed 1 --out sim.zarr",
  )
    .option("--model <name>", "barotropic, shallow-water, dry or moist", "dry")
    .option("--truncation <T>", "spectral truncation: T21, T31, T42, ...", "T21")
    .option("--levels <n>", "sigma levels", numeric)
    .option("--days <n>", "days of weather", numeric)
    .option("--years <n>", "years of weather", numeric)
    .option("--every <hours>", "hours between outputs, such as 6h", "6h")
    .option("--seed <n>", "of the first perturbation", numeric, 0)
    .option("--start <date>", "first day")
    .option("--spinup <days>", "days run before and thrown away", numeric)
    .option("--variables <names>", "comma-separated; all where left out", list)
    .option("--pressure-levels <hPa>", "comma-separated", list)
    .requiredOption("--out <path>", "Zarr store")
    .action(async (flags: SimulateFlags) => {
      const out = output(flags);
      const config: Partial<SimulationConfig> = {
        model: flags.model as SimulationConfig["model"],
        truncation: numeric(flags.truncation.replace(/^T/i, "")),
        everyHours: numeric(flags.every.replace(/h$/, "")),
        seed: flags.seed,
        days: flags.years === undefined ? (flags.days ?? 90) : flags.years * 365.25,
        ...(flags.levels === undefined ? {} : { levels: flags.levels }),
        ...(flags.start === undefined ? {} : { start: flags.start }),
        ...(flags.spinup === undefined ? {} : { spinupDays: flags.spinup }),
        ...(flags.variables ? { variables: flags.variables } : {}),
        ...(flags.pressureLevels ? { pressureLevels: flags.pressureLevels.map(numeric) } : {}),
      };
      if (flags.years !== undefined && flags.days !== undefined)
        throw new UsageError("give --days or --years, not both");
      const began = performance.now();
      const layout = await simulateTo(flags.out, config, out);
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
): Promise<SimulationLayout> {
  const layout = simulationLayout(given);
  const axes = coordinates(layout);
  const dims: Record<string, number> = {};
  for (const [name, { data }] of Object.entries(axes)) dims[name] = data.shape[0];
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
    for await (const { fields } of simulate(layout.config, { onProgress })) {
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
