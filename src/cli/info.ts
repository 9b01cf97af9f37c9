/** `foehn info`: what is in a dataset, a trained run or an ONNX file. */
import { describe, table } from "../data/info.js";
import { openDataset } from "../data/open.node.js";
import type { CommandFactory } from "./commands.js";
import { commandWith } from "./options.js";
import { output } from "./output.js";

export const command: CommandFactory = () =>
  commandWith(
    "info",
    "Says what is in a dataset: variables, grid, times, units, gaps and what is wrong with it.",
    "foehn info era5.zarr",
  )
    .argument("<data>", "file, directory or pattern")
    .action(async (location: string, flags: { json?: boolean; quiet?: boolean }) => {
      const dataset = await openDataset(location);
      try {
        const info = await describe(dataset);
        output(flags).result(info, table(info));
      } finally {
        await dataset.close();
      }
    });
