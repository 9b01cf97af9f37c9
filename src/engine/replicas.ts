/**
 * Micro-batches worked on side by side. Each replica is a runtime with parameters and a sum of gradients of its own; after its
 * share of the micro-batches the sums are added in a fixed order on the first, which takes the optimiser's step and gives the
 * others the new parameters. One thread a replica wastes less than several threads an operator: nobody waits for the slowest
 * part of each of a step's thousand operators, and one replica multiplies matrices while another passes over memory.
 */
import { FoehnError } from "../errors.js";
import type { Tensor } from "../graph/graph.js";
import type { NdArray } from "../tensor/ndarray.js";
import type { Feeds, Resident, Runtime, Session } from "./runtime.js";

type Residents = ReadonlyMap<string, Resident>;

/** What a replica keeps beside its session. */
export interface ReplicaArrays {
  readonly runtime: Runtime;
  /** Every parameter of the graph by name. */
  readonly parameters: Residents;
  /** The sum of gradients of every trained parameter. */
  readonly sums: Residents;
}

export async function keepReplica(
  runtime: Runtime,
  parameters: ReadonlyMap<string, NdArray>,
  trained: readonly Tensor[],
): Promise<ReplicaArrays> {
  const kept = new Map<string, Resident>();
  for (const [name, array] of parameters) kept.set(name, await runtime.keep(array));
  const sums = new Map<string, Resident>();
  for (const { name, shape } of trained) sums.set(name, await runtime.zeros(shape));
  return { runtime, parameters: kept, sums };
}

/** More replicas than these only take more memory: operators then run well on the threads that each has. */
const MOST = 8;

/** How many replicas share out that many micro-batches when nobody says: at most a thread each, and all get equally many. */
export function replicasFor(microBatches: number, runtime: Pick<Runtime, "device" | "threads" | "peers">): number {
  const { device, threads } = runtime;
  if (device !== "cpu" || !runtime.peers) return 1; // an accelerator's operators fill it, one micro-batch at a time
  for (let count = Math.min(microBatches, threads, MOST); count > 1; count--)
    if (microBatches % count === 0) return count;
  return 1;
}

export interface Team {
  readonly size: number;
  /** Adds up the gradients of all micro-batches, each replica its share; gives the losses in the micro-batches' order. */
  gradient(microBatches: readonly Feeds[]): Promise<number[]>;
  /** The other replicas' sums, for the first one's graph: `sum1/...`, `sum2/...`. */
  otherSums(): Promise<Record<string, NdArray>>;
  /** Gives the first replica's numbers of these parameters to the others. */
  share(names: Iterable<string>): Promise<void>;
  close(): Promise<void>;
}

export interface TeamOptions {
  /** The model, which gives `loss` and `gradient/...` from the parameters and `sum/...`. */
  readonly model: Uint8Array;
  readonly size: number;
  readonly trained: readonly Tensor[];
}

/** Opens the further replicas, whose parameters start as copies of the first's. */
export async function openTeam(first: ReplicaArrays, { model, size, trained }: TeamOptions): Promise<Team> {
  const { runtime } = first;
  if (size > 1 && !runtime.peers)
    throw new FoehnError(
      `${size} replicas need a runtime of several threads: open it with openRuntime, or ask for one`,
    );
  const others: ReplicaArrays[] = [];
  if (size > 1) {
    const numbers = new Map<string, NdArray>();
    for (const [name, resident] of first.parameters) numbers.set(name, await runtime.read(resident));
    for (const peer of await runtime.peers!(size - 1)) others.push(await keepReplica(peer, numbers, trained));
  }
  const threads = Math.max(1, Math.floor(runtime.threads / size));
  const members = await Promise.all(
    [first, ...others].map(async (arrays) => ({ arrays, session: await arrays.runtime.load(model, { threads }) })),
  );
  return {
    size,
    async gradient(microBatches) {
      const bounds = Array.from({ length: size + 1 }, (_, i) => Math.floor((i * microBatches.length) / size));
      const losses = members.map(({ arrays, session }, i) =>
        accumulate(arrays, session, microBatches.slice(bounds[i], bounds[i + 1])),
      );
      return (await Promise.all(losses)).flat();
    },
    async otherSums() {
      const reads = others.flatMap(({ runtime: peer, sums }, i) =>
        [...sums].map(async ([name, sum]) => [`sum${i + 1}/${name}`, await peer.read(sum)] as const),
      );
      return Object.fromEntries(await Promise.all(reads));
    },
    async share(names) {
      if (others.length === 0) return;
      const writes = Array.from(names, async (name) => {
        const array = await runtime.read(first.parameters.get(name)!);
        await Promise.all(others.map(({ runtime: peer, parameters }) => peer.write(parameters.get(name)!, array)));
      });
      await Promise.all(writes);
    },
    async close() {
      for (const { session } of members) await session.close();
      for (const { runtime: peer, parameters, sums } of others)
        for (const resident of [...parameters.values(), ...sums.values()]) await peer.release(resident);
    },
  };
}

/** One replica's share, from sums of zero on. */
async function accumulate(
  { runtime, parameters, sums }: ReplicaArrays,
  session: Session,
  microBatches: readonly Feeds[],
): Promise<number[]> {
  await Promise.all([...sums.values()].map((sum) => runtime.clear(sum)));
  const feeds = { ...Object.fromEntries(parameters), ...prefixed("sum/", sums) };
  const into = prefixed("gradient/", sums);
  const losses: number[] = [];
  for (const batch of microBatches) {
    const { loss } = await session.run({ ...batch, ...feeds }, { into });
    losses.push(Number(loss.data[0]));
  }
  return losses;
}

export const prefixed = (prefix: string, residents: Residents): Record<string, Resident> =>
  Object.fromEntries([...residents].map(([name, resident]) => [prefix + name, resident]));
