/**
 * Forecasts from a trained model, lead after lead. An iterative model steps through the data's own steps; a direct one jumps to
 * any lead it learnt, and beyond those goes on from its own states. Each network of the run goes its own way; the forecast is
 * their mean.
 *
 *     const predictor = await createPredictor(runtime, model);
 *     for await (const { lead, states } of predictor.rollout(starts, [1, 4, 12])) ...
 */
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime, Session } from "../../engine/runtime.js";
import { type Calibration, calibrated } from "./calibration.js";
import { UsageError } from "../../errors.js";
import type { ForecastConfig } from "./config.js";
import { intervalSteps, lastJump } from "./leads.js";
import { jumpArrays, stateOf } from "./features.js";
import { jumpModel } from "./network.js";
import type { Normaliser } from "./normaliser.js";
import { type Start, startFeeds } from "./samples.js";

export interface ForecastModel {
  readonly config: ForecastConfig;
  readonly normaliser: Normaliser;
  /** Parameters of each network of the run. */
  readonly members: readonly Parameters[];
  /** Fitted on the validation period; the networks' mean as it is where left out. */
  readonly calibration?: Calibration;
}

export interface Predictor {
  /**
   * As `rollout`, in departures from climatology: as the networks give them (`raw`) and calibrated. `elapsed` is how many steps the
   * forecast has gone already where its starts are another's leads.
   */
  departures(
    starts: readonly Start[],
    leads: readonly number[],
    elapsed?: number,
  ): AsyncGenerator<{ lead: number; raw: Float32Array[]; departures: Float32Array[] }>;
  /** States `lead` steps after each start, [channel, latitude, longitude] in the channels' units. Leads ascend. */
  rollout(starts: readonly Start[], leads: readonly number[]): AsyncGenerator<{ lead: number; states: Float32Array[] }>;
  close(): Promise<void>;
}

/** Loads the networks of a model, their parameters written into the graphs. */
export async function createPredictor(
  runtime: Runtime,
  model: ForecastModel,
  options: { batch?: number } = {},
): Promise<Predictor> {
  const { batch = 16 } = options;
  const { config, normaliser: n, members } = model;
  const shape = {
    model: config.model,
    normaliser: n,
    history: config.forecast.history,
    slowMeans: config.forecast.slowMeans.length,
    batch,
  };
  const sessions: Session[] = [];
  for (const parameters of members) sessions.push(await runtime.load(jumpModel(parameters, shape)));
  const longest = config.forecast.method === "direct" ? n.leadSteps : 1;
  const intervals = config.forecast.method === "randomised" ? intervalSteps(config, n) : undefined;

  /** Departures `lead` steps on, for any number of starts that began `elapsed` steps before. */
  const jump = async (
    session: Session,
    starts: readonly Start[],
    lead: number,
    elapsed: number,
  ): Promise<Float32Array[]> => {
    const next: Float32Array[] = [];
    for (let from = 0; from < starts.length; from += batch) {
      const part = starts.slice(from, from + batch);
      // The graph has a fixed batch: the last one is filled up with its own first start
      const filled = Array.from({ length: batch }, (_, i) => part[i] ?? part[0]);
      const feeds = {
        ...startFeeds(n, filled),
        ...jumpArrays(
          n,
          filled.map(({ time }) => ({ time, lead, elapsed })),
        ),
      };
      const data = (await session.run(feeds))["next"].data as Float32Array;
      const size = n.anomaly.length;
      part.forEach((_, b) => next.push(data.slice(b * size, (b + 1) * size)));
    }
    return next;
  };

  /** One network's departures at each lead. */
  async function* path(
    session: Session,
    begin: readonly Start[],
    leads: readonly number[],
    elapsed: number,
  ): AsyncGenerator<Float32Array[]> {
    let base = 0; // steps from the start to the states that jumps begin from
    let from = begin;
    let known = new Map<number, Float32Array[]>(); // departures by steps after `base`
    const at = async (lead: number) => {
      const found = known.get(lead) ?? (await jump(session, from, lead, elapsed + base));
      known.set(lead, found);
      return found;
    };
    for (const lead of leads) {
      while (lead - base > longest) {
        const recent: Float32Array[][] = [];
        for (let j = 0; j < config.forecast.history; j++) {
          const back = longest - j;
          recent.push(back > 0 ? await at(back) : from.map((s) => s.departures[-back]));
        }
        from = from.map((s, i) => ({ ...s, time: s.time + longest * n.step, departures: recent.map((r) => r[i]) }));
        base += longest;
        known = new Map();
      }
      yield await at(lead - base);
    }
  }

  /** One network's departures at the leads that are multiples of an interval, by jumps of that interval alone; undefined at others. */
  async function* strides(
    session: Session,
    begin: readonly Start[],
    leads: readonly number[],
    elapsed: number,
    interval: number,
  ): AsyncGenerator<Float32Array[] | undefined> {
    let from = begin;
    let reached = 0;
    for (const lead of leads) {
      if (lead % interval !== 0) {
        yield undefined;
        continue;
      }
      for (; reached < lead; reached += interval) {
        const next = await jump(session, from, interval, elapsed + reached);
        from = from.map((s, i) => ({ ...s, time: s.time + interval * n.step, departures: [next[i]] }));
      }
      yield from.map((s) => s.departures[0]);
    }
  }

  /** One network's departures at each lead that intervals reach, by the fewest jumps; undefined at others. */
  async function* fewest(
    session: Session,
    begin: readonly Start[],
    leads: readonly number[],
    elapsed: number,
    intervals: readonly number[],
  ): AsyncGenerator<Float32Array[] | undefined> {
    const reached = new Map<number, readonly Start[]>([[0, begin]]);
    const at = async (lead: number): Promise<readonly Start[]> => {
      const known = reached.get(lead);
      if (known) return known;
      const last = lastJump(lead, intervals)!;
      const from = await at(lead - last);
      const next = await jump(session, from, last, elapsed + lead - last);
      const there = from.map((s, i) => ({ ...s, time: s.time + last * n.step, departures: [next[i]] }));
      reached.set(lead, there);
      return there;
    };
    for (const lead of leads) {
      if (lastJump(lead, intervals) === undefined) {
        yield undefined;
        continue;
      }
      yield (await at(lead)).map((s) => s.departures[0]);
      // Later leads go on from the last multiple of each interval
      const needed = new Set(intervals.map((i) => lead - (lead % i)));
      for (const before of reached.keys()) if (!needed.has(before)) reached.delete(before);
    }
  }

  async function* departures(
    starts: readonly Start[],
    leads: readonly number[],
    elapsed = 0,
  ): AsyncGenerator<{ lead: number; raw: Float32Array[]; departures: Float32Array[] }> {
    const paths = sessions.flatMap((session) => {
      if (!intervals) return [path(session, starts, leads, elapsed)];
      return config.forecast.paths === "fewest"
        ? [fewest(session, starts, leads, elapsed, intervals)]
        : intervals.map((interval) => strides(session, starts, leads, elapsed, interval));
    });
    for (const lead of leads) {
      const all: Float32Array[][] = [];
      for (const one of paths) {
        const fields = (await one.next()).value as Float32Array[] | undefined;
        if (fields) all.push(fields);
      }
      if (all.length === 0)
        throw new UsageError(
          `a lead of ${(lead * n.step) / 3_600_000} h is not a multiple of any of the model's intervals (${config.forecast.intervals.join(", ")} h); ask for leads that are (--lead-step)`,
        );
      const raw = starts.map((_, i) => meanOf(all.map((a) => a[i])));
      const { calibration } = model;
      const departures = calibration
        ? raw.map((u, i) => calibrated(n, calibration, lead, u, starts[i].departures[0]))
        : raw;
      yield { lead, raw, departures };
    }
  }

  return {
    departures,
    async *rollout(starts, leads) {
      for await (const { lead, departures: us } of departures(starts, leads))
        yield { lead, states: us.map((u, i) => stateOf(n, u, starts[i].time + lead * n.step)) };
    },
    async close() {
      for (const session of sessions) await session.close();
    },
  };
}

const meanOf = (fields: readonly Float32Array[]): Float32Array =>
  fields.length === 1 ? fields[0] : fields[0].map((_, p) => fields.reduce((sum, f) => sum + f[p], 0) / fields.length);
