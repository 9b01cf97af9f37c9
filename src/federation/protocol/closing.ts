/** The end of a round: the next model, written first and then made the run's with one compare-and-set; or a void round. */
import { norm, type Rows } from "../aggregate/rows.js";
import { encodeMemory, layoutLength } from "./parameters.js";
import { partsOf } from "./arrival.js";
import { sharedArrays } from "./coverage.js";
import { type HubRun, rowName } from "./hub-run.js";
import { askAgain, fetchMissing, keepMemories } from "./lost.js";
import { maskedMean } from "./masked-round.js";
import type { HubState, Pointer } from "./messages.js";
import { type RoundRecord, siteRecord, spentPrivacy } from "./records.js";
import { putObject } from "./stored.js";
import { maskedStep } from "./step.js";
import { type RunStep, stepRun } from "./run-step.js";

/** Makes the step from the accepted updates, or goes on to unmasking them. */
export async function closeRound(hub: HubRun): Promise<void> {
  const { masking } = hub.plan.config;
  if (masking && hub.state.phase === "train") {
    const survivors = hub.state.accepted.map(({ site }) => site).sort();
    hub.ahead = hub.state.cursor;
    const deadline = hub.now() + 1000 * hub.plan.config.schedule.deadline;
    return hub.commit({ phase: "unmask", deadline, masking: { ...hub.state.masking!, survivors } });
  }
  const lost = await fetchMissing(hub);
  if (lost.length > 0) {
    // A masked update that is lost is in the sum to be opened: without it there is none.
    if (hub.state.phase === "unmask") await voidRound(hub);
    else await askAgain(hub, lost);
    return;
  }
  const accepted = [...hub.state.accepted].sort((a, b) => (a.site < b.site ? -1 : 1));
  const rows = await hub.rows.open(accepted.map(({ update }) => rowName(update)));
  try {
    const stepped = masking ? await openedStep(hub, accepted, rows) : await stepRun(hub, accepted, rows);
    if (typeof stepped === "string") return await voidRound(hub, stepped);
    await publish(hub, accepted, stepped, await keepMemories(hub, accepted, rows));
  } finally {
    await rows.close();
  }
  await hub.rows.keep([]);
}

/** The step of a masked round, or why its sum could not be opened. */
async function openedStep(hub: HubRun, accepted: HubState["accepted"], rows: Rows): Promise<RunStep | string> {
  const { plan, state, options } = hub;
  const mean = await maskedMean(plan, state, rows, hub.gathered.revealed);
  if (typeof mean === "string") return mean;
  const [model, memory] = [await hub.vector(state.model), await hub.memory(state.memory)];
  const members = Object.values(state.history).map(({ coverage }) => coverage);
  const { layout } = state;
  const progress = state.round / plan.config.rounds;
  const { kernels } = options;
  const stepped = maskedStep({ plan, layout, model, memory, accepted, members, progress, kernels }, mean);
  return {
    root: { model: stepped.model, memory },
    length: norm(stepped.mean),
    agreement: new Map(),
    unguarded: [],
    reputations: new Map(),
  };
}

/** Writes the new models and, with one compare-and-set, makes them the run's; then tells the sites. */
async function publish(
  hub: HubRun,
  accepted: HubState["accepted"],
  stepped: RunStep,
  memories: Record<string, number> | undefined,
): Promise<void> {
  const { state: before, transport, plan } = hub;
  const round = before.round + 1;
  const stored = async ({ model, memory }: RunStep["root"]) => {
    const names = (plan.strategy.shared ?? []).filter((name) => memory.has(name));
    const seen = new Map(names.map((name) => [name, memory.get(name)!]));
    return {
      model: await putObject(transport, "model", model),
      memory: memory.size > 0 ? await putObject(transport, "hub", encodeMemory(memory)) : undefined,
      shared: names.length > 0 ? await putObject(transport, "shared", encodeMemory(seen)) : undefined,
    };
  };
  const root = await stored(stepped.root);
  let groups: HubState["groups"];
  for (const [name, { sites, branch }] of Object.entries(stepped.groups ?? {}))
    groups = { ...groups, [name]: { sites: [...sites], ...(await stored(branch)) } };
  let starts: HubState["starts"];
  for (const [site, model] of stepped.starts ?? [])
    starts = { ...starts, [site]: await putObject(transport, "model", model) };
  const own = Object.entries(groups ?? {}).flatMap(([, g]) => g.sites.map((site) => [site, g.model.sha256] as const));
  const sites = Object.fromEntries([...own, ...Object.entries(starts ?? {}).map(([s, p]) => [s, p.sha256] as const)]);
  await transport.state.put(
    `version.${round}`,
    JSON.stringify({ model: root.model.sha256, ...(Object.keys(sites).length > 0 ? { sites } : {}) }),
  );
  const record = roundRecord(hub, accepted, stepped);
  const history = { ...before.history };
  for (const [site, reputation] of stepped.reputations) history[site] = { ...history[site], reputation };
  const used = { ...root, groups, starts };
  const next = objectsOf(used);
  await hub.commit({
    ...used,
    round,
    phase: round >= plan.config.rounds ? "done" : "open",
    accepted: [],
    included: accepted.map(({ site }) => site),
    refused: {},
    late: undefined,
    history,
    memories,
    masking: undefined,
    // A slow site may still be reading the last models: they go one round later.
    retired: [...objectsOf(before)].filter((name) => !next.has(name)),
  });
  await hub.tellSites();
  for (const { update } of accepted) await transport.objects.remove(update.object);
  for (const name of before.retired) if (!next.has(name)) await transport.objects.remove(name);
  for (const [site, old] of Object.entries(before.memories ?? {}))
    if (memories?.[site] !== old) await transport.objects.remove(`memory.${site}.${old}`);
  hub.manifests.clear();
  await hub.options.onRound?.(record, () => hub.models());
}

/** Names of the objects a state refers to. */
function objectsOf(state: Pick<HubState, "model" | "memory" | "shared" | "groups" | "starts">): Set<string> {
  const branches: { model: Pointer; memory?: Pointer; shared?: Pointer }[] = [
    state,
    ...Object.values(state.groups ?? {}),
  ];
  const pointers = branches.flatMap(({ model, memory, shared }) => [model, memory, shared]);
  return new Set([...pointers, ...Object.values(state.starts ?? {})].flatMap((p) => p?.object ?? []));
}

/** Too few came: the round is opened again, with whoever is there then. */
export async function voidRound(hub: HubRun, why?: string): Promise<void> {
  const { accepted, invited, round } = hub.state;
  const reason = `${why ?? `${accepted.length} of ${invited.length} sites answered in time`}; the round is held again`;
  const record = roundRecord(hub, [], undefined, reason);
  await hub.commit({ phase: "open", accepted: [], refused: {}, late: undefined, masking: undefined });
  await Promise.all(accepted.map(({ site }) => hub.decide(site, { round, outcome: "refused", reason })));
  await hub.rows.keep([]);
  await hub.options.onRound?.(record, () => hub.models());
}

function roundRecord(
  hub: HubRun,
  accepted: HubState["accepted"],
  stepped: RunStep | undefined,
  reason?: string,
): RoundRecord {
  const { run, round, opened, invited, refused, late, layout } = hub.state;
  const shared = sharedArrays(layout, hub.plan.config.personal);
  const sites = accepted.map((a) => ({
    ...siteRecord(a, hub.manifests.get(a.sequence), layout, shared),
    ...stepped?.agreement.get(a.site),
    ...(stepped?.reputations.has(a.site) ? { reputation: stepped.reputations.get(a.site) } : {}),
  }));
  return {
    run,
    round,
    seconds: (hub.now() - opened) / 1000,
    invited: invited.length,
    sites,
    refused: { ...late, ...refused },
    step: stepped?.length ?? 0,
    ...(stepped?.unguarded.length ? { unguarded: stepped.unguarded } : {}),
    ...(stepped?.groups
      ? { groups: Object.fromEntries(Object.entries(stepped.groups).map(([name, g]) => [name, [...g.sites]])) }
      : {}),
    bytes: sites.reduce((s, { bytes }) => s + bytes, 0),
    fullBytes: 4 * partsOf(hub.plan) * layoutLength(layout),
    epsilon: spentPrivacy(hub.plan, round + 1),
    ...(reason === undefined ? {} : { void: reason }),
  };
}
