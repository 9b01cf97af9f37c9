/** `foehn bench`: in a clone, the benchmarks of `npm run bench`. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.js";
import type { CommandFactory } from "./commands.js";
import { commandWith } from "./options.js";

export const command: CommandFactory = (exit) =>
  commandWith(
    "bench",
    "Measures Foehn beside its yardsticks (PyTorch, xarray, ecCodes, cdo) where they are installed.",
    "foehn bench engine",
  )
    .argument("[groups...]", "engine, data, simulator, verify, federation; all where left out")
    .action((groups: string[], flags: { json?: boolean }) => {
      const script = fileURLToPath(new URL("../../scripts/bench.js", import.meta.url));
      if (!existsSync(script))
        throw new UsageError(
          "the benchmarks are not part of the installed package: run them in a clone of the repository",
        );
      const { status } = spawnSync(process.execPath, [script, ...(flags.json ? ["--json"] : []), ...groups], {
        stdio: "inherit",
      });
      exit(status === 0 ? 0 : 1);
    });
