/** A hub (or a site) as a process of its own, to be killed by tests: arguments are the role and its options as JSON. */
import { linearModel, linearTrainer, type LinearOptions } from "./linear-trainer.js";
import { natsTransport } from "../transport/nats.node.js";
import { runHub } from "../protocol/hub.js";
import { runSite } from "../protocol/site.js";
import { fileSiteStore } from "../protocol/site-store.node.js";
import type { RunConfigInput } from "../protocol/config.js";

export interface ProcessOptions {
  readonly servers: string;
  readonly run: string;
  readonly features: number;
  readonly config?: RunConfigInput;
  readonly site?: string;
  readonly folder?: string;
  readonly trainer?: LinearOptions;
}

const [role, text] = process.argv.slice(2);
const { servers, run, features, config, site, folder, trainer } = JSON.parse(text) as ProcessOptions;
const transport = await natsTransport({ servers, run, role: role === "hub" ? "hub" : "site" });
if (role === "hub") {
  const model = await runHub({ transport, config: config!, initial: linearModel(features), leaseTerm: 300 });
  console.log(JSON.stringify([...model.get("w")!.data.subarray(0, 20)]));
} else {
  await runSite({
    transport,
    site: site!,
    trainer: linearTrainer({ ...trainer!, features }),
    store: fileSiteStore(folder!),
  });
}
await transport.close();
