/** rounds.jsonl: one line a round, appended. */
import { appendFile, readFile } from "node:fs/promises";
import type { RoundRecord } from "./records.js";

export const appendRound = (file: string, record: RoundRecord): Promise<void> =>
  appendFile(file, `${JSON.stringify(record)}\n`);

/** The rounds written so far; a last line cut off by a crash is passed over. */
export async function readRounds(file: string): Promise<RoundRecord[]> {
  const lines = (await readFile(file, "utf8")).split("\n");
  lines.pop(); // what follows the last line end: nothing, or half a line
  return lines.map((line) => JSON.parse(line) as RoundRecord);
}
