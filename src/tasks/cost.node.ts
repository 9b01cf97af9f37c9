/** What a piece of work costs on this machine: time, processor time, energy where the machine has a counter for it. */
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import type { CardFacts } from "./card.js";

/** Intel's and AMD's running average power limit, as Linux shows it. */
const COUNTER = "/sys/class/powercap/intel-rapl:0/energy_uj";

const microjoules = async (): Promise<number | undefined> => {
  const text = await readFile(COUNTER, "utf8").catch(() => undefined); // no such counter, or not ours to read
  return text === undefined ? undefined : Number(text);
};

/** Begins to count; the function it gives says what was spent since. */
export async function costCounter(): Promise<() => Promise<CardFacts["cost"]>> {
  const began = performance.now();
  const usage = process.cpuUsage();
  const energy = await microjoules();
  const processors = cpus();
  return async () => {
    const { user, system } = process.cpuUsage(usage);
    const now = await microjoules();
    return {
      seconds: (performance.now() - began) / 1000,
      processorSeconds: (user + system) / 1e6,
      machine: `${processors.length} x ${processors[0]?.model.trim() ?? "unknown processor"}`,
      // The counter turns over now and then: a negative difference says nothing
      ...(energy !== undefined && now !== undefined && now >= energy ? { joules: (now - energy) / 1e6 } : {}),
    };
  };
}
