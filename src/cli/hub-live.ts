/** What a running hub leaves behind and shows: rounds.jsonl, the newest model, a table a round, figures for Prometheus. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type { RunModels } from "../federation/protocol/hub.js";
import { appendRound, readRounds } from "../federation/protocol/journal.node.js";
import { serveMetrics } from "../federation/protocol/metrics.node.js";
import type { Parameters } from "../federation/protocol/parameters.js";
import { fairness, prometheusText, type RoundRecord, roundTable } from "../federation/protocol/records.js";
import { encodeSafetensors } from "../tensor/safetensors.js";
import type { Output } from "./output.js";

/** A model as a safetensors file, whole or not at all. */
export async function writeModel(file: string, params: Parameters): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.part`, encodeSafetensors([...params]));
  await rename(`${file}.part`, file);
}

export interface Live {
  onRound(record: RoundRecord, models: () => Promise<RunModels>): Promise<void>;
  finish(models: RunModels): Promise<void>;
  readonly records: readonly RoundRecord[];
  close(): Promise<void>;
}

/** Opens the folder's journal (a resumed run goes on in it) and, where asked for, the metrics. */
export async function openLive(folder: string, out: Output, metrics: number | undefined): Promise<Live> {
  await mkdir(folder, { recursive: true });
  const journal = path.join(folder, "rounds.jsonl");
  const records: RoundRecord[] = await readRounds(journal).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const served =
    metrics === undefined ? undefined : await serveMetrics(() => prometheusText(records), { port: metrics });
  if (served) out.say(`metrics for Prometheus at ${served.address}`);
  const write = async ({ model, groups }: RunModels): Promise<void> => {
    await writeModel(path.join(folder, "model.safetensors"), model);
    for (const [name, params] of Object.entries(groups))
      await writeModel(path.join(folder, `model-${name}.safetensors`), params);
  };
  return {
    records,
    async onRound(record, models) {
      records.push(record);
      await appendRound(journal, record);
      out.done();
      out.say(roundTable(record));
      if (!record.void) await write(await models());
    },
    finish: write,
    close: async () => served?.close(),
  };
}

/** What a run came to, for a person. */
export function runSummary(records: readonly RoundRecord[], folder: string): string {
  const done = records.filter((r) => !r.void);
  const last = done.at(-1);
  if (!last) return `no round was finished; see ${path.join(folder, "rounds.jsonl")}`;
  const { gains, mean, worst } = fairness(last);
  const count = Object.keys(gains).length;
  const gained =
    count === 0
      ? ""
      : `\ngain over training alone: mean ${(100 * mean).toFixed(1)} %, least ${(100 * worst).toFixed(1)} % (${count} sites, on their own held-back data)`;
  return `${done.length} rounds; model: ${path.join(folder, "model.safetensors")}; record: ${path.join(folder, "rounds.jsonl")}${gained}`;
}
