/** The table of commands, in the order of `foehn --help`. */
import type { Command } from "commander";

/** Makes the command; `exit` sets a code other than 0 for work that ran but found a failure. */
export type CommandFactory = (exit: (code: 0 | 1 | 2) => void) => Command;

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ command: CommandFactory }>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "demo",
    summary: "the whole story: an atmosphere, a model, a forecast, its verification",
    load: () => import("./demo.js"),
  },
  { name: "simulate", summary: "make an atmosphere", load: () => import("./simulate.js") },
  { name: "info", summary: "what is in a dataset", load: () => import("./info.js") },
  {
    name: "convert",
    summary: "any readable format to Zarr or NetCDF, whole or a part",
    load: () => import("./convert.js"),
  },
  { name: "train", summary: "train a model", load: () => import("./train.js") },
  { name: "forecast", summary: "forecast with a trained model", load: () => import("./forecast.js") },
  {
    name: "downscale",
    summary: "fine fields from coarse ones with a trained model",
    load: () => import("./downscale.js"),
  },
  {
    name: "verify",
    summary: "score a forecast against the truth and every baseline",
    load: () => import("./verify.js"),
  },
  { name: "export", summary: "a trained run as one ONNX file in physical units", load: () => import("./export.js") },
  { name: "hub", summary: "coordinate a run that many sites train together", load: () => import("./hub.js") },
  { name: "join", summary: "take part in such a run with this site's data", load: () => import("./join.js") },
  { name: "serve", summary: "show a report on localhost", load: () => import("./serve.js") },
  { name: "doctor", summary: "what this machine has", load: () => import("./doctor.js") },
  { name: "bench", summary: "measure Foehn beside its yardsticks", load: () => import("./bench.js") },
];
