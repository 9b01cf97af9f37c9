/**
 * A whole forecast as one ONNX graph in physical units: states go in as they are measured, forecasts of every lead come out, and
 * nothing of Foehn is needed in between. Climatology, normalisation, all networks and all their jumps, and the calibration are
 * inside.
 *
 *     states        [batch, history, channel, latitude, longitude]   oldest first, in the channels' units
 *     day_of_year   [batch]   1 to 366, of the newest state
 *     hour          [batch]   UTC, 0 to 23.9
 *     days_in_year  [batch]   365 or 366 (360 in a calendar that has so many)
 *     slow          [batch, mean, channel, latitude, longitude]   where the model looks at slow means: of the departures from
 *                   climatology over the days before, in the channels' units
 *     forecast      [batch, lead, channel, latitude, longitude]
 *     climatology   [batch, channel, latitude, longitude]   of the newest state's time, for who computes `slow`
 */
import { type Parameters, scope } from "../../engine/parameters.js";
import { UsageError } from "../../errors.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import {
  add,
  concat,
  cos,
  div,
  emit,
  expand,
  greaterOrEqual,
  matmul,
  mul,
  reshape,
  sin,
  slice,
  sub,
  where,
} from "../../graph/ops.js";
import { float32 } from "../../tensor/ndarray.js";
import { type JumpInputs, leadCondition } from "./features.js";
import { harmonicsAt } from "./harmonic.js";
import { intervalSteps, lastJump } from "./leads.js";
import { jump } from "./network.js";
import type { Normaliser } from "./normaliser.js";
import type { ForecastModel } from "./rollout.js";

const HOUR = 3_600_000;
const YEAR_DAYS = 365.2425;

export interface PortableOptions {
  /** Ascending, in the model's own steps. */
  readonly leads: readonly number[];
  readonly batch?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The bytes of the file. Throws where the model cannot reach a lead from the start within what it learnt. */
export function portableModel(model: ForecastModel, { leads, batch = 1, metadata }: PortableOptions): Uint8Array {
  const { config, normaliser: n, members, calibration } = model;
  const [channels, height, width] = [n.channels.length, n.latitudes.length, n.longitudes.length];
  const { history, slowMeans, method } = config.forecast;
  const longest = leads[leads.length - 1];
  if (method === "direct" && longest > n.leadSteps)
    throw new UsageError(
      `the model jumps ${(n.leadSteps * n.step) / HOUR} h at most; a file for longer leads would hide that it goes on from its own states: ask for leads up to that`,
    );

  const graph = new Graph("forecast");
  const input = (name: string, shape: number[]) => graph.input(name, "float32", shape);
  const constant = (shape: number[], data: Float32Array) => graph.constant(float32(shape, data));
  const given = input("states", [batch, history, channels, height, width]);
  const clock = clockOf(input("day_of_year", [batch]), input("hour", [batch]), input("days_in_year", [batch]), n);
  const anomaly = constant([1, channels, height, width], n.anomaly);
  const usual = new Map<number, Tensor>();
  /** c(t + steps), [batch, channel, latitude, longitude]. */
  const climatologyAt = (steps: number): Tensor => {
    const known = usual.get(steps) ?? climatology(clock(steps), n, batch);
    usual.set(steps, known);
    return known;
  };
  // Departures, newest first
  const states = Array.from({ length: history }, (_, j) => {
    const at = history - 1 - j;
    const state = reshape(slice(given, [{ axis: 1, start: at, end: at + 1 }]), [batch, channels, height, width]);
    return div(sub(state, climatologyAt(-j)), anomaly);
  });
  const slow =
    slowMeans.length > 0
      ? reshape(
          // The factor is the one of samples.ts: means vary less than states
          mul(div(input("slow", [batch, slowMeans.length, channels, height, width]), anomaly), 1.5),
          [batch, slowMeans.length * channels, height, width],
        )
      : undefined;

  const root = scope(graph);
  const jumped = (member: number, from: readonly Tensor[], lead: number, elapsed: number): Tensor => {
    const [now, then] = [climatologyAt(elapsed), climatologyAt(elapsed + lead)];
    const size = n.anomaly.length;
    const at = (table: Float32Array) => table.subarray((lead - 1) * size, lead * size);
    const perChannel = (values: Float32Array) => constant([1, channels, 1, 1], values);
    const inputs: JumpInputs = {
      usual: div(sub(now, perChannel(n.mean)), perChannel(n.spread)),
      change: div(sub(then, now), anomaly),
      damping: constant([1, channels, height, width], at(n.damping).slice()),
      scale: constant(
        [1, channels, height, width],
        at(n.residual).map((r, p) => r / n.anomaly[p]),
      ),
      condition: conditionAt(clock, n, lead, elapsed, batch),
    };
    return jump(root.child(`network${member + 1}`), { model: config.model, normaliser: n }, from, slow, inputs, {});
  };

  /** One network's departures at each lead, by every way that the method has to it. */
  const ways = (member: number): Map<number, Tensor[]> => {
    const found = new Map<number, Tensor[]>(leads.map((lead) => [lead, []]));
    const intervals = method === "randomised" ? intervalSteps(config, n) : [1];
    if (method === "direct") for (const lead of leads) found.get(lead)!.push(jumped(member, states, lead, 0));
    else if (method === "randomised" && config.forecast.paths === "fewest") {
      const reached = new Map<number, Tensor>([[0, states[0]]]);
      const at = (lead: number): Tensor => {
        const last = lastJump(lead, intervals)!;
        if (!reached.has(lead)) reached.set(lead, jumped(member, [at(lead - last)], last, lead - last));
        return reached.get(lead)!;
      };
      for (const lead of leads) if (lastJump(lead, intervals)) found.get(lead)!.push(at(lead));
    } else
      for (const stride of intervals) {
        let from = states;
        for (let reached = stride; reached <= longest; reached += stride) {
          from = [jumped(member, from, stride, reached - stride), ...from.slice(0, -1)];
          found.get(reached)?.push(from[0]);
        }
      }
    return found;
  };
  const all = members.map((_, k) => ways(k));
  const forecasts = leads.map((lead) => {
    const parts = all.flatMap((found) => found.get(lead)!);
    if (parts.length === 0)
      throw new UsageError(`a lead of ${(lead * n.step) / HOUR} h is not a multiple of any of the model's intervals`);
    let u = mul(parts.reduce(add), 1 / parts.length);
    if (calibration) {
      const row = 2 * (Math.min(lead, calibration.leads) - 1) * channels;
      const weight = (which: number) =>
        constant(
          [1, channels, 1, 1],
          Float32Array.from({ length: channels }, (_, c) => calibration.weights[row + 2 * c + which]),
        );
      const size = n.anomaly.length;
      const end = Math.min(lead, n.leadSteps) * size;
      const damped = mul(constant([1, channels, height, width], n.damping.slice(end - size, end)), states[0]);
      u = add(mul(weight(0), u), mul(weight(1), damped));
    }
    return reshape(add(climatologyAt(lead), mul(anomaly, u)), [batch, 1, channels, height, width]);
  });
  graph.output("forecast", forecasts.length === 1 ? forecasts[0] : concat(forecasts, 1));
  graph.output("climatology", climatologyAt(0));

  const parameters: Parameters = new Map(
    members.flatMap((member, k) => [...member].map(([name, array]) => [`network${k + 1}.${name}`, array] as const)),
  );
  return exportOnnx(graph, {
    parameters,
    metadata: {
      channels: n.channels.join(" "),
      units: JSON.stringify(n.units),
      leads_hours: leads.map((lead) => (lead * n.step) / HOUR).join(" "),
      step_hours: String(n.step / HOUR),
      latitude: [...n.latitudes].join(" "),
      longitude: [...n.longitudes].join(" "),
      ...metadata,
    },
  });
}

/** Days since the year began, and their whole and broken part. */
interface Instant {
  /** Days since 1 January 00 UTC, with the hour as a fraction, [batch]. */
  readonly days: Tensor;
  /** 1 to 366. */
  readonly dayOfYear: Tensor;
  /** 0 to 24. */
  readonly hour: Tensor;
}

/** Instants some steps from the newest state. */
function clockOf(dayOfYear: Tensor, hour: Tensor, daysInYear: Tensor, n: Normaliser): (steps: number) => Instant {
  const known = new Map<number, Instant>();
  const begin = add(sub(dayOfYear, 1), div(hour, 24));
  return (steps) => {
    const before = known.get(steps);
    if (before) return before;
    const shifted = add(begin, (steps * n.step) / (24 * HOUR));
    // Into the year that follows, or back into the one before (taken to be as long)
    const later = where(greaterOrEqual(shifted, daysInYear), sub(shifted, daysInYear), shifted);
    const days = where(greaterOrEqual(later, 0), later, add(later, daysInYear));
    // Single precision may leave midnight a hair early
    const whole = emit("Floor", [add(days, 1e-3)])[0];
    const instant = { days, dayOfYear: add(whole, 1), hour: mul(sub(days, whole), 24) };
    known.set(steps, instant);
    return instant;
  };
}

/** c(t) of harmonic.ts: the harmonics of a time times their coefficients. */
function climatology({ days, hour }: Instant, n: Normaliser, batch: number): Tensor {
  const { annual, daily } = n.climatology.harmonics;
  const { graph } = days;
  const column = (x: Tensor) => reshape(x, [batch, 1]);
  const cycle = (x: Tensor, period: number, count: number): Tensor[] =>
    Array.from({ length: count }, (_, k) => {
      const phase = mul(x, (2 * Math.PI * (k + 1)) / period);
      return [cos(phase), sin(phase)];
    }).flat();
  const year = cycle(days, YEAR_DAYS, Math.max(annual, 2));
  const modulation = annual > 0 ? year.slice(0, 4) : [];
  const one = expand(graph.constant(float32([1], Float32Array.of(1))), [batch]);
  const basis = [
    one,
    ...year.slice(0, 2 * annual),
    ...cycle(hour, 24, daily).flatMap((d) => [d, ...modulation.map((m) => mul(m, d))]),
  ];
  const count = harmonicsAt(0, n.climatology.harmonics, n.calendar).length;
  const size = n.anomaly.length;
  return reshape(
    matmul(concat(basis.map(column), 1), graph.constant(float32([count, size], n.climatology.coefficients))),
    [batch, n.channels.length, n.latitudes.length, n.longitudes.length],
  );
}

/** The condition vector of features.ts. */
function conditionAt(
  clock: (steps: number) => Instant,
  n: Normaliser,
  lead: number,
  elapsed: number,
  batch: number,
): Tensor {
  const [now, then] = [clock(elapsed), clock(elapsed + lead)];
  const turn = (x: Tensor, period: number): Tensor[] => {
    const phase = mul(x, (2 * Math.PI) / period);
    return [cos(phase), sin(phase)];
  };
  const turns = [...turn(now.dayOfYear, 365.25), ...turn(now.hour, 24), ...turn(then.hour, 24)];
  const rest = leadCondition(n, lead, elapsed);
  const fixed = now.days.graph.constant(float32([1, rest.length], Float32Array.from(rest)));
  return concat([...turns.map((t) => reshape(t, [batch, 1])), expand(fixed, [batch, rest.length])], 1);
}
