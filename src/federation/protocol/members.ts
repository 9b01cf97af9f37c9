/** Who takes part: registrations, checked and remembered with when the hub last heard of each. */
import type { Transport } from "../transport/transport.js";
import type { Plan } from "./config.js";
import { type Decision, type Member, memberSchema, parsed, verified } from "./messages.js";

export interface Members {
  /** Reads all registrations again. */
  refresh(): Promise<void>;
  /** Registered, accepted, not gone, heard of lately. */
  active(): Member[];
  get(site: string): Member | undefined;
  /** Sites whose registration was refused, with the reason. */
  readonly refused: ReadonlyMap<string, string>;
}

interface Known {
  readonly revision: number;
  readonly member?: Member;
  readonly heard: number;
}

export function trackMembers({ state }: Transport, { config }: Plan, now: () => number): Members {
  const known = new Map<string, Known>();
  const refused = new Map<string, string>();

  /** The reason to refuse a registration, or undefined. */
  const objection = async (site: string, member: Member): Promise<string | undefined> => {
    if (member.site !== site) return `the registration of '${site}' speaks for '${member.site}'`;
    const pinned = config.sites?.[site] ?? (await state.get(`pin.${site}`))?.value;
    if (config.sites && !config.sites[site])
      return `site '${site}' is not among the sites of this run; ask its hub to add it`;
    if (pinned !== undefined && pinned !== member.publicKey)
      return `site '${site}' came with another key than before; use its first identity file or ask the hub to forget the old key`;
    if (!(await verified(member, member.publicKey)))
      return `the registration of site '${site}' is not signed with its own key`;
    if (member.samples === 0) return `site '${site}' has no usable samples; check its data with foehn info`;
    if (config.variables.length > 0 && !member.variables.some((v) => config.variables.includes(v)))
      return `site '${site}' has ${member.variables.join(", ") || "no variables"}, but this run trains ${config.variables.join(", ")}`;
    if (pinned === undefined) await state.put(`pin.${site}`, member.publicKey);
    return undefined;
  };

  return {
    refused,
    get: (site) => known.get(site)?.member,
    active() {
      const since = now() - 1000 * config.schedule.away;
      return [...known.values()].flatMap(({ member, heard }) =>
        member && member.status === "here" && heard >= since ? [member] : [],
      );
    },
    async refresh() {
      for (const key of await state.keys("member.")) {
        const site = key.slice("member.".length);
        const entry = await state.get(key);
        if (!entry || known.get(site)?.revision === entry.revision) continue;
        const member = parsed(memberSchema, entry.value);
        const reason = typeof member === "string" ? member : await objection(site, member);
        if (reason === undefined) refused.delete(site);
        else if (refused.get(site) !== reason) {
          refused.set(site, reason);
          await state.put(
            `decision.${site}`,
            JSON.stringify({ round: 0, outcome: "refused", reason } satisfies Decision),
          );
        }
        const accepted = reason === undefined ? (member as Member) : undefined;
        known.set(site, { revision: entry.revision, member: accepted, heard: now() });
      }
    },
  };
}
