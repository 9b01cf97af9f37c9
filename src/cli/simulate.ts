/** `foehn simulate`: the embedded atmosphere into a Zarr store; its subcommands are experiments with it. */
import { Option } from "commander";
import { UsageError } from "../errors.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, list, numeric } from "./options.js";
import { duration, output } from "./output.js";
import { climateCommand } from "./simulate-climate.js";
import { errorGrowthCommand } from "./simulate-error-growth.js";
import { networkCommand } from "./simulate-network.js";
import { type AtmosphereFlags, withAtmosphere } from "./simulate-options.js";
import { restartDate, startingPoint } from "./simulate-restart.js";
import { simulateTo } from "./simulate-store.js";
import { twinCommand } from "./simulate-twin.js";

interface SimulateFlags extends AtmosphereFlags {
  days?: number;
  years?: number;
  every?: string;
  variables?: string[];
  pressureLevels?: string[];
  members?: number;
  amplitude?: number;
  restart?: string;
  checkpoint?: string;
  out?: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () => {
  const made = withAtmosphere(
    commandWith(
      "simulate",
      "Makes an atmosphere: global weather from physics alone, as a dataset.",
      `foehn simulate --model moist --truncation T31 --years 2 --every 6h --seed 1 --out sim.zarr
  foehn simulate --model moist --co2 4x --days 60 --checkpoint june.restart --out spring.zarr
  foehn simulate --restart june.restart --days 30 --out june.zarr`,
    ),
  )
    .option("--days <n>", "days of weather (default: 90)", numeric)
    .option("--years <n>", "years of weather", numeric)
    .option("--every <hours>", "hours between outputs (default: 6h)")
    .option("--variables <names>", "comma-separated; all where left out", list)
    .option("--pressure-levels <hPa>", "comma-separated", list)
    .option("--members <n>", "an ensemble, along a dimension 'member'", numeric)
    .option("--amplitude <a>", "relative change of the members' starts (default: 0.001)", numeric)
    .option("--restart <file>", "goes on where --checkpoint left off: the same as an unbroken run, bit for bit")
    .option("--checkpoint <file>", "writes the state at the end")
    .addOption(new Option("--out <path>", "Zarr store (needed)"))
    .action(async (flags: SimulateFlags) => {
      const out = output(flags);
      if (flags.out === undefined)
        throw new UsageError("where shall the weather go? Give --out, such as --out sim.zarr");
      if (flags.years !== undefined && flags.days !== undefined)
        throw new UsageError("give --days or --years, not both");
      const { config, restart } = await startingPoint(flags);
      const days = flags.years === undefined ? (flags.days ?? 90) : flags.years * 365.25;
      if (!(days > 0)) throw new UsageError(`${days} days of weather: give --days or --years more than 0`);
      const everyHours = flags.every === undefined ? undefined : numeric(flags.every.replace(/h$/, ""));
      if (restart && everyHours !== undefined && everyHours !== config.everyHours)
        throw new UsageError(`${flags.restart} has outputs every ${config.everyHours} h: leave --every out`);
      const before = restart ? (restart.outputs ?? 0) * (config.everyHours! / 24) : 0;
      const began = performance.now();
      const layout = await simulateTo(
        flags.out,
        {
          ...config,
          days: before + days,
          ...(everyHours === undefined ? {} : { everyHours }),
          ...(flags.variables ? { variables: flags.variables } : {}),
          ...(flags.pressureLevels ? { pressureLevels: flags.pressureLevels.map(numeric) } : {}),
        },
        out,
        { ...flags, restart },
      );
      const seconds = (performance.now() - began) / 1000;
      const { model, truncation } = layout.config;
      const first = restart ? restartDate(layout.config, restart) : new Date(Date.parse(layout.config.start));
      out.result(
        {
          out: flags.out,
          days,
          first: first.toISOString().slice(0, 16),
          seconds,
          years_per_day: (((days / 365.25) * (flags.members ?? 1)) / seconds) * 86_400,
        },
        `${days} days of ${model} weather at T${truncation} in ${duration(seconds)}: ${flags.out}`,
      );
    });
  made.enablePositionalOptions();
  for (const sub of [climateCommand(), errorGrowthCommand(), networkCommand(), twinCommand()])
    made.addCommand(sub.exitOverride());
  return made;
};

export { simulateTo } from "./simulate-store.js";
