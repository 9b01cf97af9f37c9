/** `foehn convert`: any readable format to any that Foehn writes, whole or a part, changed on the way. */
import { CONVERT_FORMATS, type ConvertFormat, convertDataset, type Converted } from "../data/convert.node.js";
import { DERIVED_VARIABLES } from "../data/derive.js";
import type { Loss } from "../data/lossy.js";
import { openDataset } from "../data/open.node.js";
import { isResampleMethod, RESAMPLE_METHODS, type ResampleMethod } from "../data/resample.js";
import { targetGrid } from "../data/target-grid.node.js";
import { REGRID_METHODS, type RegridMethod } from "../earth/regrid/index.js";
import { nearest, UsageError } from "../errors.js";
import type { CommandFactory } from "./commands.js";
import { type OpenFlags, openOptions, withOpenOptions } from "./open-options.js";
import { collect, commandWith, list, numeric, pairs } from "./options.js";
import { output } from "./output.js";

interface ConvertFlags extends OpenFlags {
  out: string;
  format?: string;
  variables?: string[];
  box?: number[];
  levels?: number[];
  from?: string;
  to?: string;
  derive?: string[];
  grid?: string;
  method?: string;
  resample?: string;
  how?: string[];
  rename?: string[];
  units?: string[];
  sort?: string[];
  longitudesFrom?: number;
  error?: string[];
  keepBits?: string[];
  chunks?: string[];
  shards?: string[];
  packing?: string;
  bits?: number;
  overwrite?: boolean;
  quality?: string[];
  json?: boolean;
  quiet?: boolean;
}

const numbers = (text: string): number[] => list(text).map(numeric);

export const command: CommandFactory = () =>
  withOpenOptions(
    commandWith(
      "convert",
      "Converts a dataset, or a part of it, to Zarr, NetCDF, GRIB 2, npz, CSV or Parquet.",
      `foehn convert air.nc --box 30,60,-10,30 --from 2001 --units air=degC --out europe.zarr
  foehn convert era5.grib --derive wind_speed --grid 360x181 --method conservative --resample day --out daily.nc
  foehn convert era5.zarr --error t2m=0.01 --keep-bits q=9 --out small.zarr
  foehn convert forecast.nc --grid "47.4,8.5;46.2,6.1" --variables t2m --out stations.csv`,
    ),
  )
    .argument("<data>", "file, directory, pattern, address or archive (gfs:2024-01-01T00?step=6&match=PRMSL)")
    .requiredOption("--out <path>", "ends in .zarr, .nc, .grib2, .npz, .csv or .parquet")
    .option("--format <name>", `where the ending does not say it: ${CONVERT_FORMATS.join(", ")}`)
    .option("--variables <names>", "comma-separated", list)
    .option("--box <south,north,west,east>", "degrees", numbers)
    .option("--levels <values>", "comma-separated", numbers)
    .option("--from <date>", "first time, day, month or year")
    .option("--to <date>", "last time, day, month or year")
    .option("--derive <names>", `adds what follows from the data: ${DERIVED_VARIABLES.join(", ")}`, list)
    .option("--grid <grid>", "360x181, F80, south,north,west,east,spacing, lat,lon;lat,lon, or a data set's")
    .option("--method <name>", `of regridding: ${REGRID_METHODS.join(", ")}`)
    .option("--quality <names>", "adds flags of quality control of station variables, or all", list)
    .option("--resample <step>", "6h, day, month, year: sums of amounts, means of the rest")
    .option("--how <name=method>", `other than that, for one variable: ${RESAMPLE_METHODS.join(", ")}`, collect)
    .option("--rename <old=new>", "of a variable or dimension; may be repeated", collect)
    .option("--units <name=units>", "of a variable, converted; may be repeated", collect)
    .option("--sort <dimensions>", "into rising order, comma-separated", list)
    .option("--longitudes-from <degrees>", "0 or -180", numeric)
    .option("--error <name=amount>", "largest error allowed: quantised to integers; may be repeated", collect)
    .option("--keep-bits <name=bits>", "bits of the mantissa to keep; may be repeated", collect)
    .option("--chunks <dim=length>", "of Zarr and NetCDF-4, -1 is the whole dimension; may be repeated", collect)
    .option("--shards <dim=length>", "chunks in one file (Zarr v3); may be repeated", collect)
    .option("--packing <name>", "of GRIB 2: simple or ccsds")
    .option("--bits <number>", "of a packed value of GRIB 2, 1 to 24", numeric)
    .option("--no-overwrite", "refuse where the target exists")
    .action(async (location: string, flags: ConvertFlags) => {
      const { variables, box, levels, from, to } = flags;
      if (box && box.length !== 4)
        throw new UsageError(`--box ${box.join(",")}: give four numbers: south, north, west, east`);
      const method = flags.method && oneOf<RegridMethod>("--method", flags.method, REGRID_METHODS);
      const packing = flags.packing && oneOf("--packing", flags.packing, ["simple", "ccsds"] as const);
      const format = flags.format && oneOf<ConvertFormat>("--format", flags.format, CONVERT_FORMATS);
      const target = flags.grid === undefined ? undefined : await targetGrid(flags.grid);
      const dataset = await openDataset(location, openOptions(flags));
      try {
        const converted = await convertDataset(dataset, flags.out, {
          format: format || undefined,
          variables,
          levels,
          box: box && { south: box[0], north: box[1], west: box[2], east: box[3] },
          time: from || to ? { start: from, end: to } : undefined,
          derive: flags.derive,
          quality: flags.quality,
          grid: target?.grid,
          stations: target?.stations,
          method: method || undefined,
          resample: flags.resample,
          how: howOf(flags.how),
          rename: pairs("--rename", flags.rename),
          units: pairs("--units", flags.units),
          sort: flags.sort,
          longitudesFrom: flags.longitudesFrom,
          loss: lossOf(flags),
          chunks: lengths("--chunks", flags.chunks),
          shards: lengths("--shards", flags.shards),
          packing: packing || undefined,
          bits: flags.bits,
          overwrite: flags.overwrite === false ? "refuse" : "replace",
        });
        const { bytes, losses } = converted;
        output(flags).result({ out: flags.out, bytes, losses }, report(flags.out, converted));
      } finally {
        await dataset.close();
      }
    });

/** What was written, and what was lost. */
function report(out: string, { dataset, bytes, losses }: Converted): string {
  const megabytes = (n: number): string => `${(n / 1e6).toPrecision(3)} MB`;
  const lines = [
    `written: ${out} (${dataset.variables.size} variables, ${megabytes(bytes.stored)} on disk of ${megabytes(bytes.values)} of values, ${(bytes.values / bytes.stored).toPrecision(3)}:1)`,
  ];
  for (const { variable, bound, worst, stored } of losses) {
    const said = (x: number): string =>
      bound.kind === "relative" ? `${(100 * x).toPrecision(3)} %` : x.toPrecision(3);
    lines.push(`  ${variable}: ${stored}; largest error ${said(worst)}, bound ${said(bound.value)}`);
  }
  return lines.join("\n");
}

function oneOf<T extends string>(option: string, word: string, known: readonly T[]): T {
  const found = known.find((each) => each === word);
  if (found) return found;
  const near = nearest(word, known);
  throw new UsageError(
    `${option} ${word}: there is no such one${near ? `; did you mean '${near}'?` : ""} There are ${known.join(", ")}`,
  );
}

function lengths(option: string, texts?: readonly string[]): Record<string, number> | undefined {
  if (!texts) return undefined;
  return Object.fromEntries(
    Object.entries(pairs(option, texts)).map(([dim, text]) => {
      const length = Number(text);
      if (!Number.isInteger(length) || (length < 1 && length !== -1))
        throw new UsageError(`${option} ${dim}=${text}: a whole number is needed, or -1 for the whole dimension`);
      return [dim, length];
    }),
  );
}

function howOf(texts?: readonly string[]): Record<string, ResampleMethod> | undefined {
  if (!texts) return undefined;
  return Object.fromEntries(
    Object.entries(pairs("--how", texts)).map(([name, word]) => {
      if (!isResampleMethod(word))
        throw new UsageError(`--how ${name}=${word}: it is one of ${RESAMPLE_METHODS.join(", ")}`);
      return [name, word];
    }),
  );
}

function lossOf({ error, keepBits }: ConvertFlags): Record<string, Loss> | undefined {
  if (!error && !keepBits) return undefined;
  const each = <T>(option: string, texts: readonly string[] | undefined, make: (n: number) => T): [string, T][] =>
    Object.entries(pairs(option, texts)).map(([name, text]) => {
      if (!Number.isFinite(Number(text))) throw new UsageError(`${option} ${name}=${text}: a number is needed`);
      return [name, make(Number(text))];
    });
  return Object.fromEntries<Loss>([
    ...each<Loss>("--error", error, (n) => ({ error: n })),
    ...each<Loss>("--keep-bits", keepBits, (n) => ({ bits: n })),
  ]);
}
