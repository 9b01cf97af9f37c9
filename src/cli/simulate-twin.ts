/** `foehn simulate twin`: the coarse twin of a fine truth, filtered spectrally. */
import type { Command } from "commander";
import { openDataset } from "../data/open.node.js";
import { writeZarr } from "../data/write-zarr.node.js";
import { coarseTwin } from "../simulator/twin.js";
import { commandWith } from "./options.js";
import { output } from "./output.js";
import { truncationOf } from "./simulate-options.js";

interface TwinFlags {
  to: string;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

export const twinCommand = (): Command =>
  commandWith(
    "twin",
    "Filters simulated weather to a coarser truncation and its grid: what a coarse model could know of the truth.",
    "foehn simulate twin fine-t63.zarr --to T21 --out coarse-t21.zarr",
  )
    .argument("<data>", "weather on its Gaussian grid, as foehn simulate writes it")
    .requiredOption("--to <T>", "truncation of the twin, such as T21")
    .requiredOption("--out <path>", "Zarr store")
    .action(async (location: string, flags: TwinFlags) => {
      const truth = await openDataset(location);
      try {
        const twin = coarseTwin(truth, { coarse: truncationOf(flags.to) });
        await writeZarr(twin, flags.out);
        const { latitude, longitude } = twin.dims;
        output(flags).result(
          { out: flags.out, truncation: twin.attrs["truncation"], latitude, longitude },
          `the twin at ${flags.to} on ${latitude} x ${longitude} points: ${flags.out}`,
        );
      } finally {
        await truth.close();
      }
    });
