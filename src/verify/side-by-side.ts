/**
 * Two forecasts of the same truth, side by side: the second becomes one more rival of the first, over the starts both have, with
 * paired differences and intervals. The report of the result shows both.
 *
 *     const page = reportHtml(sideBySide(a, b, { name: "yesterday's model" }));
 */
import { FoehnError } from "../errors.js";
import { type ComparisonRow, rowsOf, type ScoreRow, withDiscoveryRates } from "./rows.js";
import { type Row, rowWidth } from "./scores/sums.js";
import type { Verification } from "./verify.js";

/** Verifications with the same truth, grid and weights. Throws where they share no variable, lead, region or start. */
export function sideBySide(
  a: Verification,
  b: Verification,
  options: { name?: string; resamples?: number; seed?: number } = {},
): Verification {
  const { name = "other forecast", resamples = 1000, seed = 0 } = options;
  for (const key of ["grid", "weights"] as const)
    if (a.meta[key] !== b.meta[key])
      throw new FoehnError(
        `the two verifications differ in their ${key} (${a.meta[key]}; ${b.meta[key]}), so their scores cannot be compared; verify both with the same`,
      );
  const scores = a.scores.filter((score) => b.scores.some((other) => other.name === score.name));
  // Places behind the rank histogram belong to events, which the two may have in other places: those scores are left out.
  const plain = scores.filter((score) => !score.name.includes(">") && !(score.needsEnsemble && b.meta.members === 1));
  const rows: ScoreRow[] = [];
  const comparisons: ComparisonRow[] = [];
  const common = { scores: plain, confidence: a.meta.confidence, resamples, seed };
  a.meta.variables.forEach((variable, ca) => {
    const cb = b.meta.variables.findIndex((v) => v.name === variable.name);
    if (cb < 0) return;
    a.meta.leadHours.forEach((lead, la) => {
      const lb = b.meta.leadHours.indexOf(lead);
      if (lb < 0) return;
      a.regions.forEach((region, ra) => {
        const rb = b.regions.indexOf(region);
        if (rb < 0) return;
        const [ours, theirs] = sameStarts(a, [ca, la, ra], b, [cb, lb, rb]);
        if (ours.length === 0) return;
        const [of, level] = variable.name.split("@");
        const part = rowsOf(
          {
            variable: of,
            level: level === undefined ? null : Number(level),
            leadHours: lead,
            region,
            forecast: ours,
            baselines: new Map([[name, theirs]]),
          },
          common,
        );
        rows.push(...part.rows.filter((row) => row.baseline === name));
        comparisons.push(...part.comparisons);
      });
    });
  });
  if (rows.length === 0)
    throw new FoehnError(
      `the two forecasts (${a.meta.forecast}; ${b.meta.forecast}) share no variable, lead, region and start; verify them over a common period`,
    );
  const rival = { name, description: `another forecast, ${b.meta.forecast}` };
  return {
    ...a,
    meta: { ...a.meta, baselines: [...a.meta.baselines, rival] },
    rows: [...a.rows, ...rows],
    comparisons: withDiscoveryRates([...a.comparisons, ...comparisons]),
  };
}

type Place = readonly [channel: number, lead: number, region: number];

/** The rows of both forecasts at the starts they share, cut to the places that both fill alike. */
function sameStarts(a: Verification, pa: Place, b: Verification, pb: Place): [Row[], Row[]] {
  const width = rowWidth(1);
  const rowsByTime = (of: Verification, place: Place) => {
    const times = of.sums.startsOf(...place).map((start) => of.startTimes[start]);
    const [rows] = of.sums.samples(...place);
    return new Map(times.map((time, k) => [time, rows[k].slice(0, width)]));
  };
  const [ours, theirs] = [rowsByTime(a, pa), rowsByTime(b, pb)];
  const shared = [...ours.keys()].filter((time) => theirs.has(time)).sort((x, y) => x - y);
  return [shared.map((time) => ours.get(time)!), shared.map((time) => theirs.get(time)!)];
}
