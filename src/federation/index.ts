/**
 * Many sites, one model. A hub and its sites exchange models and updates over a message system; see docs/federation.md.
 *
 *   const bus = localBus();                                              // or natsTransport({ servers, run, role })
 *   const sites = trainers.map((trainer, i) => runSite({ transport: bus.connect(), site: `site-${i}`, trainer }));
 *   const model = await runHub({ transport: bus.connect(), config: { run: "valley", rounds: 20 }, initial: params });
 *
 * aggregate/   one vector from many, robustly, in streaming blocks        strategy/   FedAvg and its kin, schedules, groups
 * compress/    fewer bytes, with feedback                                 privacy/    noise, accountant, masks, signatures
 * transport/   the message system: in one process, NATS JetStream         protocol/   hub, site, rounds, records
 */
export { aggregate, robustRule, ruleNames } from "./aggregate/aggregate.js";
export { codecNamed } from "./compress/codecs.js";
export { epsilon, noiseFor } from "./privacy/accountant.js";
export { planOf, type RunConfig, type RunConfigInput, runConfigSchema } from "./protocol/config.js";
export { coordinate, type HubOptions, runHub, type RunModels } from "./protocol/hub.js";
export { leavesText, whatLeaves } from "./protocol/leaves.js";
export type { Parameters } from "./protocol/parameters.js";
export { fairness, prometheusText, type RoundRecord, roundTable } from "./protocol/records.js";
export { runSite, type SiteOptions, type SiteReport, type SiteSkill } from "./protocol/site.js";
export type { LocalTrainer, SkillRow, Trained, TrainingTask } from "./protocol/trainer.js";
export { localBus } from "./transport/local.js";
export type { Transport } from "./transport/transport.js";
