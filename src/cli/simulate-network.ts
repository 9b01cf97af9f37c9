/** `foehn simulate network`: a synthetic observing network reads a simulated world. */
import type { Command } from "commander";
import path from "node:path";
import { type Dataset, variable } from "../data/dataset.js";
import { openDataset } from "../data/open.node.js";
import { writeZarr } from "../data/write-zarr.node.js";
import { DataError, UsageError } from "../errors.js";
import {
  byOwner,
  densityFrom,
  type Flaws,
  type NetworkOptions,
  observe,
  observingNetwork,
  USUAL_FLAWS,
} from "../simulator/network.js";
import { commandWith, list, numeric } from "./options.js";
import { output } from "./output.js";

interface NetworkFlags {
  stations: number;
  density: string;
  region?: number[];
  owners: string[];
  seed: number;
  variables?: string[];
  noise: number;
  bias: number;
  elevation: number;
  gaps: number;
  outliers: number;
  split?: boolean;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

const numbers = (text: string): number[] => list(text).map(numeric);

export const networkCommand = (): Command =>
  commandWith(
    "network",
    "Places stations in simulated weather and writes what they report, flaws and all.",
    "foehn simulate network sim.zarr --stations 40 --density population --owners roads,airports --seed 1 --out stations.zarr",
  )
    .argument("<data>", "weather on a global grid")
    .requiredOption("--out <path>", "Zarr store")
    .option("--stations <n>", "how many", numeric, 40)
    .option(
      "--density <which>",
      "uniform, population, or a dataset of weights on a grid: people.nc or people.nc:z",
      "uniform",
    )
    .option("--region <south,north,west,east>", "degrees; the globe where left out", numbers)
    .option("--owners <names>", "comma-separated; stations are shared out among them at random", list, ["owner-1"])
    .option("--split", "a store an owner, its name before .zarr, instead of one for all")
    .option("--seed <n>", "of places and flaws", numeric, 0)
    .option("--variables <names>", "comma-separated surface fields; what stations usually report where left out", list)
    .option("--noise <factor>", "times the usual errors of reading (WMO-No. 8)", numeric, 1)
    .option("--bias <factor>", "times the usual constant errors", numeric, 1)
    .option(
      "--elevation <m>",
      "standard deviation of a station's height above the model's ground",
      numeric,
      USUAL_FLAWS.elevation,
    )
    .option("--gaps <share>", "of time in outages", numeric, USUAL_FLAWS.gaps.share)
    .option("--outliers <share>", "of readings that are grossly wrong", numeric, USUAL_FLAWS.outliers.share)
    .action(async (location: string, flags: NetworkFlags) => {
      const out = output(flags);
      const flaws = flawsOf(flags);
      if (flags.region && flags.region.length !== 4)
        throw new UsageError(`--region ${flags.region.join(",")}: give four numbers: south, north, west, east`);
      const world = await openDataset(location);
      try {
        const stations = observingNetwork({
          count: flags.stations,
          seed: flags.seed,
          density: await densityOf(flags.density),
          region: flags.region as NetworkOptions["region"],
          owners: flags.owners,
          flaws,
        });
        const written: Record<string, number> = {};
        const write = async (target: string, own: typeof stations): Promise<void> => {
          const seen: Dataset = await observe(world, own, { seed: flags.seed, variables: flags.variables, flaws });
          await writeZarr(seen, target);
          written[target] = own.length;
        };
        if (!flags.split) await write(flags.out, stations);
        else
          for (const [owner, own] of byOwner(stations)) {
            const { dir, name, ext } = path.parse(flags.out);
            await write(path.join(dir, `${name}-${owner.replaceAll(/[^\w.-]+/g, "-")}${ext}`), own);
          }
        const lines = Object.entries(written).map(([target, count]) => `${count} stations: ${target}`);
        out.result({ stations: stations.length, written }, lines.join("\n"));
      } finally {
        await world.close();
      }
    });

function flawsOf({ noise, bias, elevation, gaps, outliers }: NetworkFlags): Flaws {
  for (const [name, share] of Object.entries({ gaps, outliers }))
    if (!(share >= 0 && share < 1)) throw new UsageError(`--${name} ${share}: give a share from 0 to less than 1`);
  for (const [name, factor] of Object.entries({ noise, bias, elevation }))
    if (!(factor >= 0)) throw new UsageError(`--${name} ${factor}: give 0 or more`);
  const times = (values: Readonly<Record<string, number>>, factor: number): Record<string, number> =>
    Object.fromEntries(Object.entries(values).map(([name, sd]) => [name, sd * factor]));
  return {
    noise: times(USUAL_FLAWS.noise, noise),
    bias: times(USUAL_FLAWS.bias, bias),
    elevation,
    gaps: { ...USUAL_FLAWS.gaps, share: gaps },
    outliers: { ...USUAL_FLAWS.outliers, share: outliers },
  };
}

async function densityOf(text: string): Promise<NetworkOptions["density"]> {
  if (text === "uniform" || text === "population") return text;
  const [, location, name] = /^(.*?)(?::([A-Za-z_]\w*))?$/.exec(text)!;
  const dataset = await openDataset(location).catch((cause: unknown) => {
    throw new DataError(location, "no density can be read there: give uniform, population or a gridded dataset", {
      cause,
    });
  });
  try {
    return densityFrom(
      {
        latitudes: await variable(dataset, "latitude").read(),
        longitudes: await variable(dataset, "longitude").read(),
        weights: await (name === undefined ? onlyGrid(dataset) : variable(dataset, name)).read(),
      },
      text,
    );
  } finally {
    await dataset.close();
  }
}

/** The one variable that lies on latitude and longitude alone. */
function onlyGrid(dataset: Dataset) {
  const grids = [...dataset.variables.values()].filter((v) => v.dims.join() === "latitude,longitude");
  if (grids.length !== 1)
    throw new DataError(
      dataset.source,
      `${grids.length} variables lie on latitude and longitude alone: name the one that is the density, as in people.nc:z`,
    );
  return grids[0];
}
