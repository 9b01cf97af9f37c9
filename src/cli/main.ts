/** The command line: `foehn <command>`. Each command is a file of its own, loaded when it is called. */
import { Command, CommanderError } from "commander";
import { FoehnError } from "../errors.js";
import { COMMANDS } from "./commands.js";

/** Runs a command line and gives the exit code: 0 done, 1 failed, 2 called wrongly. */
export async function main(argv: readonly string[]): Promise<number> {
  const debug = argv.includes("--debug");
  const program = new Command("foehn")
    .description("One weather and climate model that many sites train together, and that each site makes its own.")
    .option("--debug", "show where an error arose")
    .enablePositionalOptions() // subcommands may have options of the same names
    .showHelpAfterError("(see 'foehn --help')")
    .exitOverride();
  let exitCode = 0;
  for (const { name, summary, load } of COMMANDS) {
    // The command's own options are read by its own file; only the called one is loaded
    if (argv.find((a) => !a.startsWith("-")) !== name) {
      program.command(name, { hidden: false }).summary(summary);
      continue;
    }
    const { command } = await load();
    program.addCommand(
      command((code) => (exitCode = code))
        .summary(summary)
        .exitOverride(),
    );
  }
  try {
    await program.parseAsync(
      argv.filter((a) => a !== "--debug"),
      { from: "user" },
    );
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has already said why
    if (debug) console.error(error);
    else process.stderr.write(`foehn: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof FoehnError ? error.exitCode : 1;
  }
}
