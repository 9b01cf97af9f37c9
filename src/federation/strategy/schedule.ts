/** Who trains when, and how much a late update counts. */
import { random, type Random } from "../../tensor/random.js";
import { sha256 } from "../compress/hash.js";

/** Along a half cosine from 1 to the floor as the run goes on, `progress` from 0 to 1. */
export const annealed = (progress: number, floor: number): number =>
  floor + ((1 - floor) * (1 + Math.cos(Math.PI * Math.min(1, progress)))) / 2;

/** How an update that is `staleness` versions old is weighed; 1 at 0. */
export type Staleness = (staleness: number) => number;

/** 1; (1 + t)^-a; 1 up to b, then 1 / (a (t - b) + 1) (FedAsync, Xie et al. 2019; FedBuff, Nguyen et al. 2022). */
export const staleness = {
  constant: (): Staleness => () => 1,
  polynomial:
    (exponent = 0.5): Staleness =>
    (t) =>
      (1 + t) ** -exponent,
  hinge:
    (grace = 4, slope = 1): Staleness =>
    (t) =>
      t <= grace ? 1 : 1 / (slope * (t - grace) + 1),
};

/**
 * FedFix's weights (Fraboni et al. 2023), unbiased at unequal speeds: an update of a site that needs `seconds` a round where
 * the hub steps every `tick` seconds counts ceil(seconds / tick) times its share of the data.
 */
export const fedFixWeight = (share: number, seconds: number, tick: number): number =>
  share * Math.max(1, Math.ceil(seconds / tick));

export interface Candidate {
  readonly site: string;
  readonly samples: number;
  /** Share of recent invitations the site answered. */
  readonly availability: number;
}

export type Sampling = "uniform" | "data" | "availability" | "modest";

/** The `count` sites invited to a round, in the order of their names; the same seed and round give the same sites. */
export async function invite(
  candidates: readonly Candidate[],
  count: number,
  options: { sampling: Sampling; seed: number; round: number },
): Promise<string[]> {
  const { sampling, seed, round } = options;
  const sorted = [...candidates].sort((a, b) => (a.site < b.site ? -1 : 1));
  if (count >= sorted.length) return sorted.map(({ site }) => site);
  const rng = random(seed).split(`invite ${round}`);
  if (sampling === "modest")
    return modestOrder(
      sorted.map(({ site }) => site),
      round,
    ).then((order) => order.slice(0, count).sort());
  const weight = {
    uniform: () => 1,
    data: ({ samples }: Candidate) => samples,
    // A site that never answered still gets a chance now and then.
    availability: ({ availability }: Candidate) => Math.max(availability, 0.05),
  }[sampling];
  return weightedSample(sorted, weight, count, rng)
    .map(({ site }) => site)
    .sort();
}

/** Draws without replacement: the largest of u^(1/w) (Efraimidis & Spirakis 2006). */
function weightedSample<T>(items: readonly T[], weight: (item: T) => number, count: number, rng: Random): T[] {
  return items
    .map((item) => ({ item, key: Math.log(1 - rng.uniform()) / Math.max(weight(item), 1e-12) }))
    .sort((a, b) => b.key - a.key)
    .slice(0, count)
    .map(({ item }) => item);
}

/** Sites in the order of hash(site, round): every node finds the same without a coordinator (MoDeST/Plexus, de Vos et al. 2024). */
export async function modestOrder(sites: readonly string[], round: number): Promise<string[]> {
  const keyed = await Promise.all(
    sites.map(async (site) => ({ site, key: await sha256(new TextEncoder().encode(`${site}-${round}`)) })),
  );
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ site }) => site);
}

/** Seconds per local step of each site, as an exponential mean over its rounds. */
export function updatedSpeed(old: number | undefined, seconds: number, steps: number, momentum = 0.9): number {
  const now = seconds / steps;
  return old === undefined ? now : momentum * old + (1 - momentum) * now;
}

/** Sites of FedCompass that are to arrive together. */
export interface CompassGroup {
  readonly arrival: number;
  readonly latest: number;
  readonly sites: readonly string[];
}

export interface CompassOptions {
  readonly now: number;
  /** Seconds per step of the site, and of the fastest site of each live group. */
  readonly speed: number;
  readonly fastest?: number;
  readonly minSteps: number;
  readonly maxSteps: number;
  readonly latestFactor?: number;
}

/**
 * FedCompass (Li et al. 2024): steps for a site that is free now, and the group it joins. Among live groups the one that lets it
 * take most steps within [minSteps, maxSteps]; else a new group that arrives when a fast site could be back.
 */
export function compass(
  groups: readonly CompassGroup[],
  site: string,
  { now, speed, fastest = speed, minSteps, maxSteps, latestFactor = 1.5 }: CompassOptions,
): { groups: CompassGroup[]; group: number; steps: number } {
  let best = { group: -1, steps: 0 };
  groups.forEach(({ arrival }, group) => {
    const steps = Math.floor((arrival - now) / speed);
    if (steps >= minSteps && steps <= maxSteps && steps > best.steps) best = { group, steps };
  });
  if (best.group >= 0)
    return { ...best, groups: groups.map((g, i) => (i === best.group ? { ...g, sites: [...g.sites, site] } : g)) };
  const live = groups.filter(({ latest }) => latest > now);
  const horizon = live.length ? Math.max(...live.map(({ latest }) => latest + fastest * maxSteps)) : Infinity;
  const steps = Math.max(minSteps, Math.min(maxSteps, Math.floor((horizon - now) / speed)));
  const arrival = now + steps * speed;
  const latest = now + steps * speed * latestFactor;
  return { steps, group: groups.length, groups: [...groups, { arrival, latest, sites: [site] }] };
}
