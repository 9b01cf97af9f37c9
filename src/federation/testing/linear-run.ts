/** Whole runs of linear sites, for the tests of the protocol. */
import type { Transport } from "../transport/transport.js";
import type { RunConfigInput } from "../protocol/config.js";
import { runHub } from "../protocol/hub.js";
import type { RoundState } from "../protocol/messages.js";
import type { RoundRecord } from "../protocol/records.js";
import { runSite, type SiteOptions, type SiteReport } from "../protocol/site.js";
import { type LinearOptions, linearModel, linearTrainer } from "./linear-trainer.js";

/** A way to the hub's message system. */
export type Connect = (run: string, role: "hub" | "site") => Promise<Transport>;
export interface Outcome {
  readonly model: Float32Array;
  readonly reports: Record<string, SiteReport>;
  readonly records: RoundRecord[];
}

let runs = 0;
/** A run from first to last round; `sites` by name. */
export async function run(
  connect: Connect,
  config: Omit<RunConfigInput, "run">,
  sites: Record<string, LinearOptions & Partial<SiteOptions>>,
  { during }: { during?: (name: string, hub: Transport) => Promise<void> } = {},
): Promise<Outcome> {
  const name = `run${++runs}`;
  const names = Object.keys(sites).sort();
  const hub = await connect(name, "hub");
  const opened: Transport[] = [hub];
  const records: RoundRecord[] = [];
  const gone = new AbortController();
  const schedule = { minSites: names.length, deadline: 20, ...config.schedule };
  const hubRun = runHub({
    transport: hub,
    config: { ...config, run: name, schedule },
    initial: linearModel(),
    leaseTerm: 300,
    onRound: (record) => void records.push(record),
  });
  const reports: Record<string, SiteReport> = {};
  const siteRuns = names.map(async (site) => {
    const transport = await connect(name, "site");
    opened.push(transport);
    const trainer = linearTrainer(sites[site]);
    try {
      reports[site] = await runSite({ transport, site, trainer, signal: gone.signal, ...sites[site] });
    } catch (error) {
      if (!(error as Error).message.includes("vanish") && !gone.signal.aborted) throw error;
    }
  });
  const meddling = during?.(name, hub);
  const model = await hubRun;
  const late = setTimeout(() => gone.abort(), 5000);
  await Promise.all(siteRuns);
  clearTimeout(late);
  await meddling;
  await Promise.all(opened.map((t) => t.close()));
  return { model: model.get("w")!.data, reports, records };
}

/** Waits until the sites have been asked to train. */
export async function training({ state }: Transport): Promise<void> {
  for (let revision = 0; ;) {
    const entry = await state.wait("round", revision, 1000);
    if (entry && (JSON.parse(entry.value) as RoundState).phase === "train") break;
    revision = entry?.revision ?? revision;
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}

/** Four sites with their seeds. */
export const four = (of: (i: number) => Partial<LinearOptions & SiteOptions> = () => ({})) =>
  Object.fromEntries(["amber", "birch", "cedar", "dune"].map((s, i) => [s, { seed: i, ...of(i) }]));
