/** `foehn info`: what is in a dataset or an ONNX file. */
import { open, readFile } from "node:fs/promises";
import { ARCHIVES } from "../data/archives.js";
import { describe, table } from "../data/info.js";
import { openDataset } from "../data/open.node.js";
import { describeModel, type ModelDescription } from "../graph/describe.js";
import type { CommandFactory } from "./commands.js";
import { type OpenFlags, openOptions, withOpenOptions } from "./open-options.js";
import { commandWith } from "./options.js";
import { output } from "./output.js";

export const command: CommandFactory = () =>
  withOpenOptions(
    commandWith(
      "info",
      "Says what is in a dataset (variables, grid, times, units, gaps, what is wrong with it) or in an ONNX model.",
      "foehn info era5.zarr",
    ).addHelpText(
      "after",
      `\nPublic archives:\n${ARCHIVES.map((a) => `  ${a.example.padEnd(66)} ${a.about}`).join("\n")}`,
    ),
  )
    .argument("<data>", "file, directory, pattern, address or archive (wb2:era5-64x32)")
    .action(async (location: string, flags: OpenFlags & { json?: boolean; quiet?: boolean }) => {
      if (location.endsWith(".onnx") && (await isFile(location))) {
        const model = describeModel(await readFile(location), { source: location });
        output(flags).result(model, modelTable(location, model));
        return;
      }
      const dataset = await openDataset(location, openOptions(flags));
      try {
        const info = await describe(dataset);
        output(flags).result(info, table(info));
      } finally {
        await dataset.close();
      }
    });

async function isFile(location: string): Promise<boolean> {
  const handle = await open(location).catch(() => undefined);
  await handle?.close();
  return handle !== undefined;
}

/** A model on one screen. */
function modelTable(
  location: string,
  { producer, opset, inputs, outputs, operators, parameters }: ModelDescription,
): string {
  const port = ({ name, dtype, shape }: ModelDescription["inputs"][number]) =>
    `  ${name}: ${dtype} [${shape.join(", ")}]`;
  const mark = (o: ModelDescription["operators"][number]) =>
    o.refused ? `cannot be imported: ${o.refused}` : o.derivative ? "" : "no derivative";
  return [
    `${location}   ONNX, opset ${opset}, written by ${producer || "unknown"}`,
    `parameters: ${parameters.elements} in ${parameters.arrays} arrays`,
    "inputs",
    ...inputs.map(port),
    "outputs",
    ...outputs.map(port),
    "operators",
    ...operators.map((o) => `  ${String(o.count).padStart(5)}  ${o.name.padEnd(24)} ${mark(o)}`.trimEnd()),
  ].join("\n");
}
