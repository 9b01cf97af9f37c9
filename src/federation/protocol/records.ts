/** What is written down and shown of each round: `rounds.jsonl`, the live table, Prometheus metrics. */
import { epsilon } from "../privacy/accountant.js";
import type { Plan } from "./config.js";
import { type Covered, coverageFrom, coveredSegments, segmentsLength } from "./coverage.js";
import type { Accepted, Manifest } from "./messages.js";
import type { Layout } from "./parameters.js";
import type { SkillRow } from "./trainer.js";

/** One site's line of a round. */
export interface SiteRecord {
  readonly site: string;
  /** Share of the model's numbers it trains, where not all. */
  readonly covers?: number;
  readonly samples: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly staleness: number;
  /** Length of its update. */
  readonly norm: number;
  readonly skill?: Manifest["skill"];
  /** Cosine between its update and the aggregate; its share of the step along the aggregate. */
  readonly agreement?: number;
  readonly contribution?: number;
  readonly reputation?: number;
}

export interface RoundRecord {
  readonly run: string;
  /** The round that ended, from 0. */
  readonly round: number;
  readonly seconds: number;
  readonly invited: number;
  readonly sites: readonly SiteRecord[];
  readonly refused: Readonly<Record<string, string>>;
  /** Length of the mean update. */
  readonly step: number;
  /** Arrays that too few sites trained for the robust rule to guard. */
  readonly unguarded?: readonly string[];
  /** Sites of each group, where groups have models of their own. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Bytes of updates received; of one full float32 update. */
  readonly bytes: number;
  readonly fullBytes: number;
  /** Privacy spent so far by a site that took part in every round; null without noise. */
  readonly epsilon: number | null;
  /** Why the round gave no model. */
  readonly void?: string;
}

export const siteRecord = (
  a: Accepted,
  manifest: Manifest | undefined,
  layout: Layout,
  shared: Covered,
): SiteRecord => ({
  site: a.site,
  ...(a.coverage === undefined
    ? {}
    : {
        covers:
          segmentsLength(coveredSegments(layout, coverageFrom(a.coverage, shared))) /
          segmentsLength(coveredSegments(layout, shared)),
      }),
  samples: a.samples,
  bytes: a.update.bytes,
  seconds: a.seconds,
  staleness: a.staleness,
  norm: a.norm,
  skill: manifest?.skill,
});

/** Epsilon after `rounds` rounds: without credit for sampling, since the hub knows who was invited. */
export function spentPrivacy({ config }: Plan, rounds: number): number | null {
  if (!config.privacy?.noise) return null;
  const { noise, delta } = config.privacy;
  return epsilon({ noise, sampling: 1, rounds, delta });
}

/** The first score of a kind, as text. */
const score = (rows: readonly SkillRow[] | undefined): string => {
  const first = rows?.[0];
  if (!first) return "-";
  const interval =
    first.low === undefined || first.high === undefined
      ? ""
      : ` [${first.low.toPrecision(3)}, ${first.high.toPrecision(3)}]`;
  return `${first.value.toPrecision(4)}${interval}`;
};

/** Bytes as a person reads them. */
export const readableBytes = (bytes: number): string => {
  const unit = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** unit).toPrecision(3)} ${["B", "kB", "MB", "GB"][unit]}`;
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A round as a table for the terminal. */
export function roundTable(record: RoundRecord): string {
  const metric = record.sites.find(({ skill }) => skill?.together[0])?.skill?.together[0]?.metric ?? "skill";
  const groups = Object.entries(record.groups ?? {});
  const columns: [string, (s: SiteRecord) => string][] = [
    ["site", (s) => s.site],
    ...(groups.length > 0
      ? [
          ["group", (s) => groups.find(([, sites]) => sites.includes(s.site))?.[0] ?? "-"] as [
            string,
            (s: SiteRecord) => string,
          ],
        ]
      : []),
    ["samples", (s) => `${s.samples}`],
    ["sent", (s) => readableBytes(s.bytes)],
    ["seconds", (s) => s.seconds.toFixed(1)],
    ["age", (s) => `${s.staleness}`],
    ["agrees", (s) => (s.agreement === undefined ? "-" : s.agreement.toFixed(2))],
    ["share", (s) => (s.contribution === undefined ? "-" : `${(100 * s.contribution).toFixed(0)} %`)],
    [`${metric} alone`, (s) => score(s.skill?.alone)],
    ["together", (s) => score(s.skill?.together)],
    ["personal", (s) => score(s.skill?.personal)],
  ];
  const header = columns.map(([title]) => title);
  const lines = record.sites.map((s) => columns.map(([, cell]) => cell(s)));
  const widths = header.map((h, i) => Math.max(h.length, ...lines.map((line) => line[i].length)));
  const text = [header, ...lines].map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("  ")
      .trimEnd(),
  );
  const { gains, mean, worst, jain } = fairness(record);
  const gained =
    Object.keys(gains).length > 1
      ? [`gain over alone: mean ${percent(mean)}, least ${percent(worst)}, evenness ${jain.toFixed(2)}`]
      : [];
  const rare = record.unguarded?.length
    ? [
        `no rule guards ${record.unguarded.length} arrays that few sites train: ${record.unguarded.slice(0, 4).join(", ")}`,
      ]
    : [];
  const refused = Object.entries(record.refused).map(([site, reason]) => `refused ${site}: ${reason}`);
  const privacy = record.epsilon === null ? "" : `, epsilon ${record.epsilon.toFixed(2)} so far`;
  const outcome = record.void
    ? `void: ${record.void}`
    : `${record.sites.length} of ${record.invited} sites, ${readableBytes(record.bytes)} in ${record.seconds.toFixed(1)} s${privacy}`;
  return [
    `round ${record.round} of ${record.run}: ${outcome}`,
    ...(record.sites.length ? text : []),
    ...gained,
    ...rare,
    ...refused,
  ].join("\n");
}

/** The hub's figures for Prometheus (text format 0.0.4). */
export function prometheusText(records: readonly RoundRecord[]): string {
  const last = records.at(-1);
  if (!last) return "";
  const label = `{run="${last.run}"}`;
  const line = (name: string, kind: "gauge" | "counter", help: string, value: number): string =>
    `# HELP foehn_${name} ${help}\n# TYPE foehn_${name} ${kind}\nfoehn_${name}${label} ${value}\n`;
  const total = (f: (r: RoundRecord) => number): number => records.reduce((s, r) => s + f(r), 0);
  return [
    line("round", "gauge", "Rounds finished.", last.round + 1),
    line("round_seconds", "gauge", "Seconds of the last round.", last.seconds),
    line("round_sites", "gauge", "Updates in the last step.", last.sites.length),
    line(
      "updates_total",
      "counter",
      "Updates used.",
      total((r) => r.sites.length),
    ),
    line(
      "refused_total",
      "counter",
      "Updates refused.",
      total((r) => Object.keys(r.refused).length),
    ),
    line(
      "void_rounds_total",
      "counter",
      "Rounds without a model.",
      total((r) => (r.void ? 1 : 0)),
    ),
    line(
      "received_bytes_total",
      "counter",
      "Bytes of updates received.",
      total((r) => r.bytes),
    ),
    line("skill_gain_mean", "gauge", "Mean gain over training alone, of the sites that say.", fairness(last).mean),
    ...(last.epsilon === null ? [] : [line("epsilon", "gauge", "Privacy spent.", last.epsilon)]),
  ].join("");
}

/**
 * How unequal the sites' gains over training alone are: mean, least, and Jain's index of the errors left (1: all sites are
 * served equally; 1/n: one alone is). An error here is that of the shared model over that of the site alone.
 */
export function fairness(record: RoundRecord): {
  gains: Record<string, number>;
  mean: number;
  worst: number;
  jain: number;
} {
  const gains = Object.fromEntries(
    record.sites.flatMap(({ site, skill }) => {
      const [alone, together] = [skill?.alone?.[0]?.value, skill?.together[0]?.value];
      return alone === undefined || together === undefined || alone === 0
        ? []
        : [[site, 1 - together / alone] as const];
    }),
  );
  const values = Object.values(gains);
  const sum = values.reduce((s, v) => s + v, 0);
  const left = values.map((v) => 1 - v);
  const squares = left.reduce((s, v) => s + v * v, 0);
  return {
    gains,
    mean: sum / Math.max(values.length, 1),
    worst: values.length > 0 ? Math.min(...values) : 0,
    jain: squares > 0 ? left.reduce((s, v) => s + v, 0) ** 2 / (values.length * squares) : 1,
  };
}
