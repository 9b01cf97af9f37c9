/**
 * Two forecasts of the same truth, side by side: the second becomes one more rival of the first, over the starts both have, with
 * paired differences and intervals. The report of the result shows both, and where the first is the worse.
 *
 *     const page = reportHtml(sideBySide(a, b, { name: "yesterday's model" }));
 */
import { FoehnError } from "../errors.js";
import type { CellSums } from "./cell-sums.js";
import { type ComparisonRow, rowsOf, type ScoreRow, withDiscoveryRates } from "./rows.js";
import { RANK, type Row, rowWidth, type Score, usedPlaces } from "./scores/sums.js";
import type { ModelUpdate } from "./model-update.js";
import type { Verification } from "./verify.js";

/** The other forecast in a report of two. */
export interface Rival {
  readonly name: string;
  readonly forecast: string;
  /** Its errors by cell, where the grid is the same. */
  readonly cells: CellSums;
  /** Its channel of a name, -1 where it has none. */
  readonly channelOf: (name: string) => number;
  /** Its position of a lead in hours, -1 where it has none. */
  readonly leadOf: (hours: number) => number;
  readonly update?: ModelUpdate;
}

export interface SideBySideOptions {
  readonly name?: string;
  readonly resamples?: number;
  readonly seed?: number;
  /** Where cases became right and wrong; `model-update.ts` makes it. */
  readonly update?: ModelUpdate;
}

/** Verifications with the same truth, grid and weights. Throws where they share no variable, lead, region or start. */
export function sideBySide(a: Verification, b: Verification, options: SideBySideOptions = {}): Verification {
  const { resamples = 1000, seed = 0, update } = options;
  const taken = new Set(a.meta.baselines.map((baseline) => baseline.name));
  const wished = options.name ?? "other forecast";
  const name = taken.has(wished) ? `${wished} (2)` : wished;
  for (const key of ["grid", "weights"] as const)
    if (a.meta[key] !== b.meta[key])
      throw new FoehnError(
        `the two verifications differ in their ${key} (${a.meta[key]}; ${b.meta[key]}), so their scores cannot be compared; verify both with the same`,
      );
  const rows: ScoreRow[] = [];
  const comparisons: ComparisonRow[] = [];
  const common = { confidence: a.meta.confidence, resamples, seed };
  a.meta.variables.forEach((variable, ca) => {
    const cb = b.meta.variables.findIndex((v) => v.name === variable.name);
    if (cb < 0) return;
    const { scores, translate } = translation(a, ca, b, cb);
    compare(variable.name, ca, cb, scores, translate);
  });

  function compare(
    channel: string,
    ca: number,
    cb: number,
    scores: readonly Score[],
    translate: (row: Row) => Row,
    loss?: (row: Row) => number,
  ): void {
    a.meta.leadHours.forEach((lead, la) => {
      const lb = b.meta.leadHours.indexOf(lead);
      if (lb < 0) return;
      a.regions.forEach((region, ra) => {
        const rb = b.regions.indexOf(region);
        if (rb < 0) return;
        const [ours, theirs] = sameStarts(a, [ca, la, ra], b, [cb, lb, rb]);
        if (ours.length === 0) return;
        const [of, level] = channel.split("@");
        const part = rowsOf(
          {
            variable: of,
            level: level === undefined ? null : Number(level),
            leadHours: lead,
            region,
            forecast: ours,
            baselines: new Map(),
            ensembles: new Map([[name, theirs.map(translate)]]),
            loss,
          },
          // The rival is a forecast like the first: it has every score that both rows hold.
          { ...common, scores: scores.map((score) => ({ ...score, needsEnsemble: false, probabilistic: true })) },
        );
        rows.push(...part.rows.filter((row) => row.baseline === name));
        comparisons.push(...part.comparisons);
      });
    });
  }
  a.meta.groups.forEach((group, ga) => {
    const gb = b.meta.groups.findIndex((g) => g.name === group.name);
    if (gb < 0) return;
    const [ca, cb] = [a.meta.variables.length + ga, b.meta.variables.length + gb];
    compare(
      group.name,
      ca,
      cb,
      a.groupScores[ga],
      (row) => row,
      (row) => row[1] / row[0],
    );
  });
  if (rows.length === 0)
    throw new FoehnError(
      `the two forecasts (${a.meta.forecast}; ${b.meta.forecast}) share no variable, lead, region and start; verify them over a common period`,
    );
  const rival: Rival = {
    name,
    forecast: b.meta.forecast,
    cells: b.cells,
    channelOf: (wanted) => b.meta.variables.findIndex((v) => v.name === wanted),
    leadOf: (hours) => b.meta.leadHours.indexOf(hours),
    update,
  };
  const shared = Math.max(...rows.map((row) => row.n));
  const notes =
    shared < a.meta.starts
      ? [
          `Of the ${a.meta.starts} starts, ${shared} are in ${name} too: differences from it are over those, and so are its own scores.`,
        ]
      : [];
  const about = { name, description: `another forecast, ${b.meta.forecast}, over the starts both have` };
  return {
    ...a,
    meta: {
      ...a.meta,
      reference: a.meta.reference ?? name,
      baselines: [...a.meta.baselines, about],
      notes: [...a.meta.notes, ...notes],
    },
    rows: [...a.rows, ...rows],
    comparisons: withDiscoveryRates([...a.comparisons, ...comparisons]),
    rival,
  };
}

type Place = readonly [channel: number, lead: number, region: number];

/** The scores that both can give, and the second's rows brought to the places that the first's scores read. */
function translation(
  a: Verification,
  ca: number,
  b: Verification,
  cb: number,
): { scores: Score[]; translate: (row: Row) => Row } {
  const [pa, pb] = [a.plans[ca], b.plans[cb]];
  const alike = a.meta.members === b.meta.members;
  // Ranks and tables of events are as long as the ensembles are large.
  const moves = [
    { from: 0, to: 0, width: alike ? rowWidth(a.meta.members) : RANK },
    ...pa.measures.flatMap(({ measure, at }) => {
      const other = pb.measures.find((m) => m.measure.key === measure.key && m.measure.width === measure.width);
      return other ? [{ from: other.at, to: at, width: measure.width }] : [];
    }),
  ];
  const filled = new Uint8Array(pa.width);
  for (const { to, width } of moves) filled.fill(1, to, to + width);
  const scores = pa.scores.filter(
    (score) =>
      pb.scores.some((other) => other.name === score.name) &&
      !(score.needsEnsemble && b.meta.members === 1) &&
      (alike || !/unevenness|gaussian/.test(score.name)) &&
      readsOnly(score, filled),
  );
  const translate = (row: Row): Row => {
    const out = new Float64Array(pa.width);
    for (const { from, to, width } of moves) out.set(row.subarray(from, from + width), to);
    return out;
  };
  return { scores, translate };
}

function readsOnly(score: Score, filled: Uint8Array): boolean {
  return usedPlaces([score], filled.length).every((place) => filled[place] === 1);
}

/** The rows of both forecasts at the starts they share. */
function sameStarts(a: Verification, pa: Place, b: Verification, pb: Place): [Row[], Row[]] {
  const rowsByTime = (of: Verification, place: Place) => {
    const times = of.sums.startsOf(...place).map((start) => of.startTimes[start]);
    const [rows] = of.sums.samples(...place);
    return new Map(times.map((time, k) => [time, rows[k]]));
  };
  const [ours, theirs] = [rowsByTime(a, pa), rowsByTime(b, pb)];
  const shared = [...ours.keys()].filter((time) => theirs.has(time)).sort((x, y) => x - y);
  return [shared.map((time) => ours.get(time)!), shared.map((time) => theirs.get(time)!)];
}
