/**
 * One model for each group of sites that train alike. Groups are given, or found after some rounds by the directions of the updates
 * (hierarchical clustering, Briggs et al. 2020); a site that comes later joins the group its update points with.
 */
import { gramMatrix } from "../aggregate/aggregate.js";
import type { Rows } from "../aggregate/rows.js";
import { clusterByDirection, cosines } from "../strategy/cluster.js";
import type { Plan } from "./config.js";
import { coverageFrom, coveredSegments, partOfRows, sharedArrays } from "./coverage.js";
import type { Accepted, HubState, Pointer } from "./messages.js";
import { layoutLength } from "./parameters.js";

export type Group = NonNullable<HubState["groups"]>[string];
export type Groups = Readonly<Record<string, Group>>;

/** The group of a site. */
export const groupOf = (groups: Groups | undefined, site: string): string | undefined =>
  Object.entries(groups ?? {}).find(([, { sites }]) => sites.includes(site))?.[0];

/** The model a site trains from. */
export function modelOf(state: Pick<HubState, "model" | "groups" | "starts">, site: string): Pointer {
  const group = groupOf(state.groups, site);
  return state.starts?.[site] ?? (group === undefined ? state.model : state.groups![group].model);
}

/** The groups by which this round's updates are stepped; undefined where all share one model. */
export async function groupsNow(
  plan: Plan,
  state: HubState,
  accepted: readonly Accepted[],
  rows: Rows,
): Promise<Groups | undefined> {
  const { groups: wanted } = plan.config;
  if (!wanted) return undefined;
  const { model, memory, shared, groups } = state;
  const fresh = (sites: readonly string[]): Group => ({ sites: [...sites], model, memory, shared });
  if ("given" in wanted)
    return groups ?? Object.fromEntries(Object.entries(wanted.given).map(([name, sites]) => [name, fresh(sites)]));
  if (!groups && state.round + 1 < wanted.after) return undefined;
  const gram = await commonGram(plan, state, accepted, rows);
  if (!groups) {
    const found = clusterByDirection(gram, wanted.similarity);
    const members = (g: number): string[] => accepted.flatMap(({ site }, i) => (found[i] === g ? [site] : []));
    return Object.fromEntries([...new Set(found)].map((g) => [`group${g + 1}`, fresh(members(g))]));
  }
  const similarity = cosines(gram);
  const next: Record<string, Group> = { ...groups };
  accepted.forEach(({ site }, i) => {
    if (groupOf(groups, site) !== undefined) return;
    const near = Object.entries(groups).map(([name, { sites }]) => {
      const peers = accepted.flatMap((a, j) => (sites.includes(a.site) ? [j] : []));
      const total = peers.reduce((s, j) => s + similarity.data[i * similarity.cols + j], 0);
      return { name, value: peers.length > 0 ? total / peers.length : -Infinity };
    });
    const best = near.reduce((a, b) => (b.value > a.value ? b : a));
    if (best.value > -Infinity)
      next[best.name] = { ...next[best.name], sites: [...next[best.name].sites, site].sort() };
  });
  return next;
}

/** Inner products of the updates over the arrays that all of them hold; over all where there is no such array. */
function commonGram(plan: Plan, state: HubState, accepted: readonly Accepted[], rows: Rows) {
  const shared = sharedArrays(state.layout, plan.config.personal);
  const held = accepted.map(({ coverage }) => coverageFrom(coverage, shared));
  const common = shared.map((_, i) => held.every((covered) => covered[i]));
  const segments = common.includes(true)
    ? coveredSegments(state.layout, common)
    : ([[0, layoutLength(state.layout)]] as const);
  return gramMatrix(
    partOfRows(
      rows,
      accepted.map((_, i) => i),
      segments,
    ),
  );
}
