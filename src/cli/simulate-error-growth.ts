/** `foehn simulate error-growth`: how fast two nearly equal runs part. */
import type { Command } from "commander";
import { describeGrowth, errorGrowth } from "../simulator/experiments.js";
import { commandWith, numeric } from "./options.js";
import { bar, output, timeLeft } from "./output.js";
import { type AtmosphereFlags, withAtmosphere } from "./simulate-options.js";
import { startingPoint } from "./simulate-restart.js";

interface GrowthFlags extends AtmosphereFlags {
  days: number;
  amplitude: number;
  members: number;
  restart?: string;
  json?: boolean;
  quiet?: boolean;
}

export const errorGrowthCommand = (): Command =>
  withAtmosphere(
    commandWith(
      "error-growth",
      "Runs an atmosphere from starts that differ a little, and says how fast the difference grows.",
      "foehn simulate error-growth --model moist --truncation T31 --land idealised --orography idealised --days 45",
    ),
  )
    .option("--days <n>", "days to follow", numeric, 45)
    .option("--amplitude <a>", "relative change of every coefficient at the start", numeric, 1e-6)
    .option("--members <n>", "perturbed runs to compare with the control", numeric, 1)
    .option("--restart <file>", "begins at a state that --checkpoint wrote, without a spin-up")
    .action(async (flags: GrowthFlags) => {
      const out = output(flags);
      const { config, restart } = await startingPoint(flags);
      const began = performance.now();
      const growth = await errorGrowth(config, {
        days: flags.days,
        amplitude: flags.amplitude,
        members: flags.members,
        restart,
        onDay: (day) =>
          out.progress(
            `${bar(day / flags.days)} day ${day} of ${flags.days}  ${timeLeft(began, day / flags.days)} left`,
          ),
      });
      out.result(growth, describeGrowth(growth));
    });
