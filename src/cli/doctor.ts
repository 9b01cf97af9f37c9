/** `foehn doctor`: what this machine has, and what it lacks with the remedy. */
import { access, constants, statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { availableDevices, openInline } from "../engine/runtime.node.js";
import { exportOnnx } from "../graph/export.js";
import { Graph } from "../graph/graph.js";
import { matmul } from "../graph/ops.js";
import { zeros } from "../tensor/ndarray.js";
import type { CommandFactory } from "./commands.js";
import { commandWith } from "./options.js";
import { output } from "./output.js";

export const command: CommandFactory = () =>
  commandWith("doctor", "Says what this machine has: processor, memory, devices, speed.", "foehn doctor").action(
    async (flags: { json?: boolean; quiet?: boolean }) => {
      const devices = await availableDevices();
      const disk = await statfs(process.cwd());
      const writable = await access(process.cwd(), constants.W_OK).then(
        () => true,
        () => false,
      );
      const facts = {
        node: process.version,
        cpu: cpus()[0]?.model ?? "unknown",
        cores: availableParallelism(),
        memory_gb: round(totalmem() / 2 ** 30),
        memory_free_gb: round(freemem() / 2 ** 30),
        disk_free_gb: round((disk.bavail * disk.bsize) / 2 ** 30),
        folder_writable: writable,
        devices,
        matmul_gflops: round(await matmulSpeed()),
      };
      const text = [
        `Node ${facts.node}, ${facts.cores} cores (${facts.cpu}), ${facts.memory_free_gb} of ${facts.memory_gb} GiB memory free, ${facts.disk_free_gb} GiB disk free`,
        `devices: ${devices.join(", ")}${devices.includes("cuda") ? "" : "   (a GPU's libraries come with: npm rebuild onnxruntime-node --ignore-scripts=false)"}`,
        `a matrix product of 1024 runs at ${facts.matmul_gflops} GFLOP/s`,
        ...(writable ? [] : ["this folder cannot be written to: change to one that can before training"]),
      ];
      output(flags).result(facts, text.join("\n"));
    },
  );

const round = (value: number): number => Math.round(value * 10) / 10;

/** GFLOP/s of a square product, the best of a few. */
async function matmulSpeed(): Promise<number> {
  const n = 1024;
  const graph = new Graph("speed");
  graph.output("y", matmul(graph.input("a", "float32", [n, n]), graph.input("b", "float32", [n, n])));
  const session = await (await openInline()).load(exportOnnx(graph));
  const a = zeros("float32", [n, n]);
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    await session.run({ a, b: a });
    best = Math.min(best, performance.now() - began);
  }
  return (2 * n ** 3) / best / 1e6;
}
