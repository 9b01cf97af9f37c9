/** The step of a whole run: of its one model, or of each group's, or with a mixture for each site; and how far each site agreed. */
import { robustRule } from "../aggregate/aggregate.js";
import { difference, dot, norm, type Rows, type Vector, zeroVector } from "../aggregate/rows.js";
import type { Memory } from "../strategy/strategy.js";
import { updateSeed } from "./arrival.js";
import { coverageFrom, partOfRows, sharedArrays } from "./coverage.js";
import { groupsNow, groupOf } from "./grouping.js";
import type { HubRun } from "./hub-run.js";
import type { Accepted } from "./messages.js";
import { flattenOnto, unflatten } from "./parameters.js";
import { mixtures, shifted } from "./sensitivity.js";
import { hubStep, type Stepped, updateWeights } from "./step.js";

/** A model and what the strategy remembers of it. */
export interface Branch {
  readonly model: Float32Array;
  readonly memory: Memory;
}

export interface Agreement {
  /** Cosine between the site's update and the aggregate. */
  readonly agreement: number;
  /** Its share of the step: weight x (update along the aggregate), of all sites' sum. */
  readonly contribution: number;
}

export interface RunStep {
  readonly root: Branch;
  readonly groups?: Readonly<Record<string, { readonly sites: readonly string[]; readonly branch: Branch }>>;
  readonly starts?: ReadonlyMap<string, Float32Array>;
  /** Length of the aggregate (mean over groups). */
  readonly length: number;
  readonly agreement: ReadonlyMap<string, Agreement>;
  readonly unguarded: readonly string[];
  readonly reputations: ReadonlyMap<string, number>;
}

/** The next models from the accepted updates, one row each. */
export async function stepRun(hub: HubRun, accepted: readonly Accepted[], rows: Rows): Promise<RunStep> {
  const { state, plan } = hub;
  if (plan.config.sensitivity) return stepMixtures(hub, accepted, rows);
  const groups = await groupsNow(plan, state, accepted, rows);
  const root = { model: await hub.vector(state.model), memory: await hub.memory(state.memory) };
  if (!groups) return single(await stepBranch(hub, root, accepted, rows));
  const loose = accepted.flatMap(({ site }, i) => (groupOf(groups, site) === undefined ? [i] : []));
  const parts: BranchStep[] = [];
  const next: Record<string, { sites: readonly string[]; branch: Branch }> = {};
  for (const [name, { sites, model, memory }] of Object.entries(groups)) {
    const mine = accepted.flatMap(({ site }, i) => (sites.includes(site) ? [i] : []));
    const before = { model: await hub.vector(model), memory: await hub.memory(memory) };
    const stepped = await stepBranch(hub, before, ...chosen(accepted, rows, mine));
    next[name] = { sites, branch: stepped.branch };
    parts.push(stepped);
  }
  const rest = await stepBranch(hub, root, ...chosen(accepted, rows, loose));
  if (loose.length > 0) parts.push(rest);
  const sizes = Object.values(next).map(({ sites }) =>
    sites.reduce((s, site) => s + (hub.members.get(site)?.samples ?? 0), 0),
  );
  // Sites in no group train the run's model; where there are none it is the groups' mean, for those who come later.
  const model =
    loose.length > 0
      ? rest.branch.model
      : meanModel(
          Object.values(next).map((g) => g.branch.model),
          sizes,
        );
  return {
    root: { model, memory: rest.branch.memory },
    groups: next,
    length: parts.reduce((s, p) => s + p.length, 0) / parts.length,
    agreement: new Map(parts.flatMap((p) => [...p.agreement])),
    unguarded: [...new Set(parts.flatMap((p) => p.unguarded))],
    reputations: new Map(parts.flatMap((p) => [...p.reputations])),
  };
}

interface BranchStep {
  readonly branch: Branch;
  readonly length: number;
  readonly agreement: ReadonlyMap<string, Agreement>;
  readonly unguarded: readonly string[];
  readonly reputations: ReadonlyMap<string, number>;
}

const single = ({ branch, ...rest }: BranchStep): RunStep => ({ root: branch, ...rest });

const chosen = (accepted: readonly Accepted[], rows: Rows, which: readonly number[]): [Accepted[], Rows] => [
  which.map((i) => accepted[i]),
  partOfRows(rows, which, [[0, rows.length]]),
];

/** One model's step; without updates it stays as it is. */
async function stepBranch(hub: HubRun, before: Branch, accepted: readonly Accepted[], rows: Rows): Promise<BranchStep> {
  const nothing = { length: 0, agreement: new Map(), unguarded: [], reputations: new Map() };
  if (accepted.length === 0) return { branch: before, ...nothing };
  const { plan, state, options } = hub;
  const memory: Memory = new Map(before.memory);
  const stepped = await hubStep({
    plan,
    layout: state.layout,
    model: before.model,
    memory,
    accepted,
    rows,
    members: Object.values(state.history).map(({ coverage }) => coverage),
    progress: state.round / plan.config.rounds,
    kernels: options.kernels,
    trusted: await trustedChange(hub, before.model),
    reputation: (site) => state.history[site]?.reputation,
  });
  return {
    branch: { model: stepped.model, memory },
    length: norm(stepped.mean),
    agreement: await agreements(hub, accepted, rows, stepped),
    unguarded: stepped.unguarded,
    reputations: stepped.reputations,
  };
}

/** How the hub's own trainer would change the model, where the rule measures updates by it. */
async function trustedChange({ plan, options, state }: HubRun, model: Float32Array): Promise<Float32Array | undefined> {
  const { rule } = plan.config.aggregation;
  if (!options.trusted || !robustRule(rule, { f: 0 }).trusts) return undefined;
  const seed = updateSeed(plan.config.seed, state.round, "");
  const { params } = await options.trusted.train(unflatten(model, state.layout), {
    budget: plan.config.budget,
    seed,
    progress: state.round / plan.config.rounds,
    signal: options.signal,
  });
  return difference(flattenOnto(params, state.layout, model), model) as Float32Array;
}

/** Numbers of a row looked at together. */
const BLOCK = 2 ** 18;

async function agreements(
  { plan }: HubRun,
  accepted: readonly Accepted[],
  rows: Rows,
  { mean }: Stepped,
): Promise<Map<string, Agreement>> {
  const [along, lengths]: number[][] = [[], []];
  const block = zeroVector(Math.min(BLOCK, mean.length), rows.precision);
  for (let i = 0; i < accepted.length; i++) {
    let [total, square] = [0, 0];
    for (let start = 0; start < mean.length; start += BLOCK) {
      const part = block.subarray(0, Math.min(BLOCK, mean.length - start));
      await rows.read(i, start, part);
      total += dot(part, mean.subarray(start, start + part.length));
      square += dot(part, part);
    }
    along.push(total);
    lengths.push(Math.sqrt(square));
  }
  const weights = updateWeights(plan, accepted);
  const sum = along.reduce((s, v, i) => s + weights[i] * v, 0);
  const length = norm(mean);
  return new Map(
    accepted.map(({ site }, i) => [
      site,
      {
        agreement: lengths[i] * length > 0 ? along[i] / (lengths[i] * length) : 0,
        contribution: sum === 0 ? 0 : (weights[i] * along[i]) / sum,
      },
    ]),
  );
}

/** FedCAC: the shared step, then the mixture each site of the round starts from. A site that was not in it gets the shared model. */
async function stepMixtures(hub: HubRun, accepted: readonly Accepted[], rows: Rows): Promise<RunStep> {
  const { state, plan } = hub;
  const { share, beta } = plan.config.sensitivity!;
  const before = await hub.vector(state.model);
  const starts: (Float32Array | undefined)[] = [];
  for (const { site } of accepted) {
    const pointer = state.starts?.[site];
    starts.push(pointer && (await hub.vector(pointer)));
  }
  const moved = shifted(rows, starts, before);
  const branch = { model: before, memory: await hub.memory(state.memory) };
  const stepped = await stepBranch(hub, branch, accepted, moved);
  const shared = sharedArrays(state.layout, plan.config.personal);
  const own = await mixtures(
    moved,
    accepted.map(({ coverage }) => coverageFrom(coverage, shared)),
    { layout: state.layout, before, after: stepped.branch.model, starts, round: state.round, share, beta },
  );
  return { ...single(stepped), starts: new Map(accepted.map(({ site }, i) => [site, own[i]])) };
}

function meanModel(models: readonly Float32Array[], sizes: readonly number[]): Float32Array {
  const total = sizes.reduce((s, n) => s + n, 0);
  const weights = sizes.map((n) => (total > 0 ? n / total : 1 / sizes.length));
  const out: Vector = new Float64Array(models[0].length);
  models.forEach((model, g) => model.forEach((v, i) => (out[i] += weights[g] * v)));
  return Float32Array.from(out);
}
