/** What a verification says, in sentences: against which baselines the forecast holds, where, and by how much. */
import type { ComparisonRow, ScoreRow } from "../rows.js";
import { channelName, digits } from "../table.js";
import type { Verification } from "../verify.js";
import { firstRegion } from "./figures.js";
import { prettyUnits } from "./svg.js";

export interface Headline {
  /** One sentence. */
  readonly claim: string;
  /** The numbers behind it. */
  readonly evidence: string;
}

/** For one variable and region, by RMSE. */
export function headline(result: Verification, channel: string, region = firstRegion(result)): Headline {
  const { meta, rows, comparisons } = result;
  const own = (r: ScoreRow) => channelName(r) === channel && r.region === region && r.metric === "rmse";
  const scores = rows.filter(own);
  const against = comparisons.filter(own);
  const variable = meta.variables.find((v) => v.name === channel)!;
  const units = prettyUnits(variable.units);
  const leads = [...new Set(scores.map((r) => r.lead_hours))];
  const certain = (c: ComparisonRow) => c.high !== null && c.high < 0;
  const beatsAll = leads.filter((lead) => {
    const here = against.filter((c) => c.lead_hours === lead);
    return here.length > 0 && here.every(certain);
  });
  const losesTo = new Set(against.filter((c) => c.low !== null && c.low > 0).map((c) => c.baseline));
  const name = variable.label[0].toUpperCase() + variable.label.slice(1);
  if (scores.length === 0) return { claim: `${name}, verified at ${meta.leadHours.length} leads`, evidence: "" };
  let claim: string;
  if (against.every((c) => c.low === null)) claim = `${name}: too few starts to tell skill from luck.`;
  else if (beatsAll.length === leads.length)
    claim = `${name}: the forecast beats every baseline at every lead to ${leads[leads.length - 1]} h.`;
  else if (beatsAll.length > 0)
    claim = `${name}: the forecast beats every baseline at ${runs(leads, beatsAll)} of ${leads.length} leads to ${leads[leads.length - 1]} h.`;
  else if (losesTo.size > 0)
    claim = `${name}: the forecast does not beat its baselines; ${[...losesTo].join(" and ")} ${losesTo.size > 1 ? "are" : "is"} better at some leads.`;
  else claim = `${name}: the forecast cannot be told from its best baseline.`;

  const lead = leads.reduce((best, l) => (Math.abs(l - 24) < Math.abs(best - 24) ? l : best), leads[0]);
  const model = scores.find((r) => r.lead_hours === lead && r.baseline === null)!;
  const rivals = scores.filter((r) => r.lead_hours === lead && r.baseline !== null);
  if (rivals.length === 0) return { claim: `${name}, verified at ${meta.leadHours.length} leads`, evidence: "" };
  const best = rivals.reduce((a, b) => (b.value < a.value ? b : a));
  const difference = against.find((c) => c.lead_hours === lead && c.baseline === best.baseline)!;
  const between = (r: ScoreRow, sign = 1) => {
    if (r.low === null || r.high === null) return "";
    const [a, b] = [sign * r.low, sign * r.high].sort((p, q) => p - q);
    return ` [${digits(a)}, ${digits(b)}]`;
  };
  const less = difference.value < 0;
  const several = meta.variables.length > 1;
  const evidence = `${several ? `${name}: at` : "At"} ${lead} h its RMSE is ${digits(model.value)}${between(model)} ${units}; ${best.baseline}, the best baseline there, has ${digits(best.value)} ${units}: ${digits(Math.abs(difference.value))}${between(difference, less ? -1 : 1)} ${units} ${less ? "less" : "more"}, ${Math.abs(100 * (difference.skill ?? 0)).toFixed(0)}\u00a0%.`;
  return { claim, evidence };
}

/** `6 to 48, 96 h`: successive leads of `all` as ranges. */
function runs(all: readonly number[], chosen: readonly number[]): string {
  const parts: number[][] = [];
  for (const lead of chosen) {
    const last = parts[parts.length - 1];
    if (last && all.indexOf(lead) === all.indexOf(last[last.length - 1]) + 1) last.push(lead);
    else parts.push([lead]);
  }
  const words = parts.map((p) => (p.length > 1 ? `${p[0]} to ${p[p.length - 1]}` : `${p[0]}`));
  return `${words.join(", ")} h (${chosen.length})`;
}
