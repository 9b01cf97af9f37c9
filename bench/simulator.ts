/**
 * How fast the embedded atmosphere runs: simulated years per day on one core, the share of the time spent in
 * transforms, the memory it takes, and what more levels cost. The yardstick of each row is its goal: no peer is installed beside.
 *
 *     npx tsx bench/simulator.ts   # or: npm run bench -- simulator
 *
 * Rates count the processor's time (of all threads), not the clock's, so that neighbours on a shared machine do not enter: a run
 * uses one core, and on an idle machine both are the same.
 */
import { pathToFileURL } from "node:url";
import { type Atmosphere, atmosphere, type SimulationConfig, simulationConfig } from "../src/simulator/index.js";
import { type BenchRow, formatRows, row } from "./row.js";

const DAY = 86_400;

export async function simulatorRows(): Promise<BenchRow[]> {
  const before = process.memoryUsage().rss;
  const moist = measure({ model: "moist", truncation: 31, levels: 8 }, 8);
  const megabytes = Math.max(1, (process.memoryUsage().rss - before) / 2 ** 20);
  const dry = measure({ model: "dry", truncation: 21, levels: 5 }, 40);
  const few = measure({ model: "dry", truncation: 31, levels: 5 }, 10);
  const many = measure({ model: "dry", truncation: 31, levels: 20 }, 4);
  // Four times the levels may cost four times as much, and a fifth more for what is not linear in them.
  const growth = few.yearsPerDay / many.yearsPerDay / 4;
  return [
    row("dry T21, 5 levels", "simulated years/day", "more", dry.yearsPerDay, 2000, 1),
    row("moist T31, 8 levels", "simulated years/day", "more", moist.yearsPerDay, 200, 1),
    row("share of the dry T21 step in transforms", "%", "less", 100 * dry.transforms, null, null),
    row("share of the moist T31 step in transforms", "%", "less", 100 * moist.transforms, null, null),
    row("memory of moist T31, 8 levels", "MB", "less", megabytes, 1024, 1),
    row("cost of 20 levels over 5, per level", "times", "less", growth, 1.2, 1),
  ];
}

/** Runs `days` after the compiler has had a day to see the code. */
function measure(given: Partial<SimulationConfig>, days: number): { yearsPerDay: number; transforms: number } {
  const config = simulationConfig(given);
  const air: Atmosphere = atmosphere(config);
  const perDay = DAY / config.step;
  for (let s = 0; s < perDay; s++) air.step();
  const start = { ...air.timing };
  const began = process.cpuUsage();
  for (let s = 0; s < days * perDay; s++) air.step();
  const { user, system } = process.cpuUsage(began);
  return {
    yearsPerDay: (days / 365.25 / ((user + system) / 1e6)) * DAY,
    transforms: (air.timing.transforms - start.transforms) / (air.timing.total - start.total),
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log(formatRows(await simulatorRows()));
