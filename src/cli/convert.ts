/** `foehn convert`: any readable format to Zarr or NetCDF, whole or a part. */
import { convertDataset } from "../data/convert.node.js";
import { openDataset } from "../data/open.node.js";
import { UsageError } from "../errors.js";
import type { CommandFactory } from "./commands.js";
import { collect, commandWith, list, numeric } from "./options.js";
import { output } from "./output.js";

interface ConvertFlags {
  out: string;
  variables?: string[];
  box?: number[];
  levels?: number[];
  from?: string;
  to?: string;
  rename?: string[];
  units?: string[];
  longitudesFrom?: number;
  json?: boolean;
  quiet?: boolean;
}

const numbers = (text: string): number[] => list(text).map(numeric);

export const command: CommandFactory = () =>
  commandWith(
    "convert",
    "Converts a dataset, or a part of it.",
    "foehn convert air.nc --box 30,60,-10,30 --from 2001 --units air=degC --out europe.zarr",
  )
    .argument("<data>", "file, directory or pattern")
    .requiredOption("--out <path>", "ends in .zarr or .nc")
    .option("--variables <names>", "comma-separated", list)
    .option("--box <south,north,west,east>", "degrees", numbers)
    .option("--levels <values>", "comma-separated", numbers)
    .option("--from <date>", "first time, day, month or year")
    .option("--to <date>", "last time, day, month or year")
    .option("--rename <old=new>", "of a variable or dimension; may be repeated", collect)
    .option("--units <name=units>", "of a variable; may be repeated", collect)
    .option("--longitudes-from <degrees>", "0 or -180", numeric)
    .action(async (location: string, flags: ConvertFlags) => {
      const { variables, box, levels, from, to } = flags;
      if (box && box.length !== 4)
        throw new UsageError(`--box ${box.join(",")}: give four numbers: south, north, west, east`);
      const dataset = await openDataset(location);
      try {
        await convertDataset(dataset, flags.out, {
          variables,
          levels,
          box: box && { south: box[0], north: box[1], west: box[2], east: box[3] },
          time: from || to ? { start: from, end: to } : undefined,
          rename: pairs("--rename", flags.rename),
          units: pairs("--units", flags.units),
          longitudesFrom: flags.longitudesFrom,
        });
        output(flags).result({ out: flags.out }, `written: ${flags.out}`);
      } finally {
        await dataset.close();
      }
    });

function pairs(option: string, texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [key, value] = text.split("=");
      if (!value) throw new UsageError(`${option} ${text}: write it as name=value`);
      return [key, value];
    }),
  );
}
