/**
 * What a site keeps so that it can forecast when the run is over: `site.safetensors` has its task, and what was fitted to its
 * own data (climatology, deviations, damping, ridge regression), which never left it. The shared and the personal model lie
 * beside it.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeWhole } from "../../data/files.node.js";
import { DataError } from "../../errors.js";
import { type Normaliser, packNormaliser, unpackNormaliser } from "../../tasks/forecast/normaliser.js";
import type { NdArray } from "../../tensor/ndarray.js";
import { decodeSafetensors, encodeSafetensors } from "../../tensor/safetensors.js";
import type { Parameters } from "../protocol/parameters.js";
import type { Member } from "./member.js";
import { fromRidge, parseSharedTask, type SharedTask } from "./task.js";

/** Where a site's data came from. */
export interface SiteSource {
  readonly data: string;
  readonly stations?: string;
  readonly surroundings?: string;
  readonly only?: readonly string[];
}

/** A member without its record. */
export interface KeptMember {
  readonly name: string;
  readonly normaliser: Normaliser;
  /** Of the fields around it. */
  readonly around?: Normaliser;
  /** Channels that the record hardly had, which are not forecast. */
  readonly absent: readonly boolean[];
}

export interface KeptSite {
  readonly task: SharedTask;
  /** The task's variables that the members' channels are. */
  readonly variables: readonly string[];
  readonly source: SiteSource;
  readonly members: readonly KeptMember[];
  /** Slopes of the site's ridge regression, [lead][variable]; none where the run's first guess is another. */
  readonly slopes: readonly (readonly Float64Array[])[];
  /** First time and number of times of the record, which say where its test part lies. */
  readonly record: { readonly first: number; readonly count: number };
}

const FILE = "site.safetensors";
const PERSONAL = "personal.safetensors";

/** Whether a folder is what `foehn join` left. */
export const isSiteFolder = (folder: string): boolean => existsSync(path.join(folder, FILE));

/** What `packNormaliser` keeps beside the arrays. */
type Packed = Readonly<Record<string, string>>;

interface Facts {
  readonly task: unknown;
  readonly variables: string[];
  readonly source: SiteSource;
  readonly record: KeptSite["record"];
  readonly members: { name: string; absent: boolean[]; normaliser: Packed; around?: Packed }[];
}

/** Writes what `members` of a site were fitted to. */
export async function saveSite(
  folder: string,
  {
    task,
    variables,
    source,
    members,
  }: Pick<KeptSite, "task" | "variables" | "source"> & { members: readonly Member[] },
): Promise<void> {
  const arrays: [string, NdArray][] = [];
  const { times } = members[0].series;
  const facts: Facts = {
    task,
    variables: [...variables],
    source: {
      ...source,
      data: located(source.data),
      stations: source.stations && located(source.stations),
      surroundings: source.surroundings && located(source.surroundings),
    },
    record: { first: times[0], count: times.length },
    members: members.map((member, m) => {
      const kept = (kind: string, normaliser: Normaliser): Packed => {
        const packed = packNormaliser(normaliser);
        arrays.push(...packed.arrays.map(([name, array]): [string, NdArray] => [`${kind}/${m}/${name}`, array]));
        return packed.metadata;
      };
      return {
        name: member.name,
        absent: absentChannels(member),
        normaliser: kept("member", member.normaliser),
        around: member.surroundings && kept("around", member.surroundings.normaliser),
      };
    }),
  };
  if (fromRidge(task))
    task.forecast.leads.forEach((_, lead) =>
      members[0].ridge
        .slopes(lead)
        .forEach((slope, c) =>
          arrays.push([`ridge/${lead}/${c}`, { dtype: "float64", shape: [slope.length], data: slope }]),
        ),
    );
  await writeWhole(path.join(folder, FILE), encodeSafetensors(arrays, { site: JSON.stringify(facts) }));
}

const absentChannels = ({ series }: Member): boolean[] => {
  const cells = series.latitudes.length * series.longitudes.length;
  const channels = series.channels.length;
  const seen = new Array<boolean>(channels).fill(false);
  series.values.forEach((v, i) => v === v && (seen[Math.floor(i / cells) % channels] = true));
  return seen.map((s) => !s);
};

/** Where data lie, from wherever a command is run later. */
const located = (data: string): string => (/^[a-z]+:\/\//i.test(data) ? data : path.resolve(data));

/** The shared model and the site's own, beside what `saveSite` wrote. */
export async function saveSiteModels(
  folder: string,
  { together, personal }: { readonly together: Parameters; readonly personal: Parameters },
): Promise<void> {
  await writeWhole(path.join(folder, "shared.safetensors"), encodeSafetensors([...together]));
  await writeWhole(path.join(folder, PERSONAL), encodeSafetensors([...personal]));
}

/** Back from what `saveSite` wrote. */
export async function openSite(folder: string): Promise<KeptSite> {
  const file = path.join(folder, FILE);
  const { tensors, metadata } = decodeSafetensors(await readFile(file), file);
  if (!metadata["site"]) throw new DataError(file, "it does not say which site it is of; join the run again");
  const { task: given, variables, source, record, members } = JSON.parse(metadata["site"]) as Facts;
  const task = parseSharedTask(given);
  return {
    task,
    variables,
    source,
    record,
    members: members.map(({ name, absent, normaliser, around }, m) => {
      const kept = (kind: string, packed: Packed): Normaliser => {
        const prefix = `${kind}/${m}/`;
        const own = [...tensors].filter(([key]) => key.startsWith(prefix));
        return unpackNormaliser(new Map(own.map(([key, array]) => [key.slice(prefix.length), array])), packed, file);
      };
      return { name, absent, normaliser: kept("member", normaliser), around: around && kept("around", around) };
    }),
    slopes: fromRidge(task)
      ? task.forecast.leads.map((_, lead) =>
          variables.map((_, c) => tensors.get(`ridge/${lead}/${c}`)!.data as Float64Array),
        )
      : [],
  };
}

/** The site's own model, which is the shared one where no fine-tuning was better. */
export async function siteModel(folder: string): Promise<Parameters> {
  const file = path.join(folder, PERSONAL);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new DataError(file, "there is no model yet: the run has not ended at this site; wait for foehn join to end", {
      cause,
    });
  });
  return decodeSafetensors(bytes, file).tensors as unknown as Parameters;
}
