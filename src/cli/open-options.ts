/** Options of how data are opened: what a file does not say of itself. */
import type { Command } from "commander";
import type { OpenOptions } from "../data/open.node.js";
import { collect, list, pairs } from "./options.js";

export interface OpenFlags {
  unitsAre?: string[];
  stations?: string;
  timeColumn?: string;
  stationColumn?: string;
  missing?: string[];
  delimiter?: string;
  cache?: string;
}

/** Adds them to a command. */
export const withOpenOptions = (command: Command): Command =>
  command
    .option("--units-are <name=units>", "what a variable's units are where the file does not say", collect)
    .option("--stations <table>", "of a table of reports: a table of its stations' places")
    .option("--time-column <name>", "of a table, where its name does not tell")
    .option("--station-column <name>", "of a table, where its name does not tell")
    .option("--missing <codes>", "of a table, comma-separated: -9999,M", list)
    .option("--delimiter <character>", "of a table, where it cannot be told; tab is \\t")
    .option("--cache <folder>", "where chunks and messages from servers are kept");

/** The same for `openDataset`. */
export const openOptions = (flags: OpenFlags): OpenOptions => ({
  units: pairs("--units-are", flags.unitsAre),
  cache: flags.cache,
  table: {
    stations: flags.stations,
    time: flags.timeColumn,
    station: flags.stationColumn,
    missing: flags.missing,
    delimiter: flags.delimiter === "\\t" ? "\t" : flags.delimiter,
  },
});
