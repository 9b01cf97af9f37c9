/** `foehn simulate climate`: runs an atmosphere for years and writes a page of its climate beside what is observed. */
import type { Command } from "commander";
import path from "node:path";
import { writeWhole } from "../data/files.node.js";
import { type Climate, climateFeatures, describeClimate, measureClimate } from "../simulator/climate.js";
import { climatePlots } from "../simulator/climate-plots.js";
import { PRESSURE_LEVELS } from "../simulator/config.js";
import { OBSERVED } from "../simulator/observed.js";
import { commandWith, numeric } from "./options.js";
import { bar, output, timeLeft } from "./output.js";
import { type AtmosphereFlags, withAtmosphere } from "./simulate-options.js";
import { startingPoint } from "./simulate-restart.js";

interface ClimateFlags extends AtmosphereFlags {
  years: number;
  restart?: string;
  out: string;
  svg?: string;
  json?: boolean;
  quiet?: boolean;
}

export const climateCommand = (): Command =>
  withAtmosphere(
    commandWith(
      "climate",
      "Runs an atmosphere and writes a page of its climate: zonal means, jets, storm tracks, rain, the energy budget.",
      "foehn simulate climate --model moist --truncation T31 --land idealised --orography idealised --years 1 --out climate.html",
    ),
  )
    .requiredOption("--out <file>", "the page, .html")
    .option("--years <n>", "years to average over", numeric, 1)
    .option("--restart <file>", "begins at a state that --checkpoint wrote, without a spin-up")
    .option("--svg <prefix>", "writes every plot to a file of its own as well: <prefix>rain.svg, ...")
    .action(async (flags: ClimateFlags) => {
      const out = output(flags);
      const { config, restart } = await startingPoint(flags);
      const began = performance.now();
      const climate = await measureClimate(
        { ...config, pressureLevels: PRESSURE_LEVELS },
        {
          years: flags.years,
          restart,
          onDay: (day, days) =>
            out.progress(`${bar(day / days)} day ${day} of ${days}  ${timeLeft(began, day / days)} left`),
        },
      );
      const plots = climatePlots(climate);
      const text = describeClimate(climate);
      await writeWhole(flags.out, page(climate, plots, text));
      if (flags.svg !== undefined)
        for (const [name, svg] of Object.entries(plots)) await writeWhole(`${flags.svg}${name}.svg`, svg);
      out.result(
        { out: flags.out, features: climateFeatures(climate), energy: climate.energy },
        `${text}\n${path.normalize(flags.out)}`,
      );
    });

function page({ config, years }: Climate, plots: Readonly<Record<string, string>>, text: string): string {
  const rows = OBSERVED.map(
    ({ what, value, source }) => `<tr><td>${what}</td><td>${value}</td><td>${source}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Climate of the ${config.model} atmosphere at T${config.truncation}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #16212b }
figure { display: inline-block; width: 36rem; max-width: 100%; margin: 0 0.5rem 1rem 0 }
td, th { text-align: left; padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; border-bottom: 1px solid #dde3e8 }
pre { background: #f4f6f8; padding: 0.8rem; white-space: pre-wrap }
</style>
<h1>Climate of the ${config.model} atmosphere at T${config.truncation}</h1>
<p>${years} year${years === 1 ? "" : "s"}; seed ${config.seed}.</p>
<pre>${text}</pre>
${Object.values(plots)
  .map((svg) => `<figure>${svg}</figure>`)
  .join("\n")}
<h2>What is observed on Earth</h2>
<table>
${rows.join("\n")}
</table>
</html>
`;
}
