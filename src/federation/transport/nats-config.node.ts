/**
 * The server's configuration and one credential a site, as `foehn hub --init` writes them. A site may read the run's record and
 * model, and write its own registration, updates and messages; nothing else, and no other site's anything.
 *
 *   nats-server -c foehn-nats.conf
 */
import { createHash } from "node:crypto";
import { nkeys } from "@nats-io/transport-node";
import { UsageError } from "../../errors.js";
import { natsNames } from "./nats.node.js";
import { NAME } from "./transport.js";

export interface NatsConfigOptions {
  readonly run: string;
  readonly sites: readonly string[];
  readonly host?: string;
  readonly port?: number;
  /** Folder for the server's data. */
  readonly storeDir?: string;
  /** Certificate and key, PEM files; without them traffic is not encrypted. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string };
  /** Port on which leaf nodes (servers at stations) dial in, and the address they are told. */
  readonly leafPort?: number;
  readonly advertise?: string;
  /** Seeds that exist already and stay: a site that has its credential keeps it. */
  readonly keep?: { readonly hubSeed?: string; readonly siteSeeds?: Readonly<Record<string, string>> };
}

export interface NatsSetup {
  /** foehn-nats.conf */
  readonly server: string;
  /** Secret seeds: of the hub, and of each site. To be kept from everyone else. */
  readonly hubSeed: string;
  readonly siteSeeds: Readonly<Record<string, string>>;
  /** With `leafPort`: the configuration of a server at each site's station, which dials in for it; as secret as a seed. */
  readonly leaves: Readonly<Record<string, string>>;
}

/** What a site may publish and subscribe to. */
export function sitePermissions(run: string, site: string): { publish: string[]; subscribe: string[] } {
  const n = natsNames(run);
  const read = (key: string): string => `$JS.API.DIRECT.GET.${n.stateStream}.${n.stateSubject}.${key}`;
  return {
    publish: [
      `${n.stateSubject}.member.${site}`,
      `${n.tick}.member.${site}`,
      `${n.eventSubject}.*.${site}`,
      `${n.objectSubject}.site.${site}.>`,
      ...["round", "config", `decision.${site}`, `parcels.${site}`, `member.${site}`].map(read),
      ...["model", "shared"].map((kind) => `$JS.API.DIRECT.GET.${n.objectStream}.${n.objectSubject}.${kind}.>`),
    ],
    subscribe: [`${n.inbox(site)}.>`, `${n.tick}.round`],
  };
}

/** A fresh setup with new keys. */
export function natsSetup(options: NatsConfigOptions): NatsSetup {
  const { run, sites, host = "0.0.0.0", port = 4222, storeDir = "nats-data", tls, leafPort, advertise, keep } = options;
  for (const name of [run, ...sites])
    if (!NAME.test(name))
      throw new UsageError(`'${name}' cannot name a run or site: use 1 to 64 letters, digits, - and _`);
  const twice = sites.find((site, i) => sites.indexOf(site) !== i);
  if (twice) throw new UsageError(`site '${twice}' is named twice; give each site one name`);
  if (leafPort && !advertise)
    throw new UsageError(
      "leaf nodes learn the hub's address from the server, and behind NAT it would tell them a wrong one; give advertise, HOST:PORT as stations see it",
    );
  const hub = keyOf(keep?.hubSeed);
  const keys = Object.fromEntries(sites.map((site) => [site, keyOf(keep?.siteSeeds?.[site])]));
  const list = (subjects: readonly string[]): string => `[${subjects.map((s) => JSON.stringify(s)).join(", ")}]`;
  const users = [
    `    # the hub\n    { nkey: ${hub.publicKey} }`,
    ...sites.map((site) => {
      const { publish, subscribe } = sitePermissions(run, site);
      return `    # ${site}
    { nkey: ${keys[site].publicKey}, permissions: {
        publish: { allow: ${list(publish)} }
        subscribe: { allow: ${list(subscribe)} } } }`;
    }),
  ];
  // Server 2.9 has no keys for leaf nodes: a password follows from the site's seed.
  const passwords = Object.fromEntries(
    sites.map((site) => [site, createHash("sha256").update(`leaf ${keys[site].seed}`).digest("hex").slice(0, 40)]),
  );
  const secured = (indent: string): string =>
    tls
      ? `${indent}tls {
${indent}  cert_file: ${JSON.stringify(tls.certFile)}
${indent}  key_file: ${JSON.stringify(tls.keyFile)}
${indent}  timeout: 30 # a busy machine takes longer than the default of 2 seconds
${tls.caFile ? `${indent}  ca_file: ${JSON.stringify(tls.caFile)}\n` : ""}${indent}}\n`
      : "";
  const server = `# NATS for the run '${run}', written by foehn hub --init. Start: nats-server -c foehn-nats.conf
# Works with nats-server 2.9 and later. ${tls ? "" : "Traffic is NOT encrypted: give certificates for use over the internet."}
host: ${host}
port: ${port}
max_payload: 1MB
jetstream {
  store_dir: ${JSON.stringify(storeDir)}
}
${secured("")}${
    leafPort
      ? `leafnodes {
  port: ${leafPort}
  advertise: ${JSON.stringify(advertise)} # else a leaf learns this machine's inner address and goes round your proxy
${secured("  ")}}\n`
      : ""
  }${leafPort ? leafAccounts(run, sites, users, passwords) : `authorization {\n  timeout: 30\n  users: [\n${users.join("\n")}\n  ]\n}`}
`;
  const leaf = (site: string): string => `# A server at site '${site}' that dials in: nats-server -c THIS-FILE, then
# foehn join --server nats://localhost:4222 --run ${run} --site ${site} --leaf --data DATA
host: 127.0.0.1
port: 4222
leafnodes {
  remotes: [ { url: "${tls ? "tls" : "nats-leaf"}://leaf-${site}:${passwords[site]}@${advertise}"${tls ? `, tls: { ca_file: "ca.pem" }` : ""} } ]
}
`;
  const leaves = leafPort ? Object.fromEntries(sites.map((site) => [site, leaf(site)])) : {};
  return {
    server,
    leaves,
    hubSeed: hub.seed,
    siteSeeds: Object.fromEntries(sites.map((site) => [site, keys[site].seed])),
  };
}

/**
 * Where stations dial in with servers of their own, each has an account that sees the run's one by one subject: permissions alone
 * would not do, since a server passes on only what fits the whole of another's interest.
 */
function leafAccounts(
  run: string,
  sites: readonly string[],
  users: readonly string[],
  passwords: Readonly<Record<string, string>>,
): string {
  const tick = `${natsNames(run).tick}.round`;
  // A site's own ticks and the looks at its own writes are not passed on; the hub looks again by itself.
  const services = (site: string): string[] =>
    sitePermissions(run, site).publish.filter((s) => !s.startsWith(`${natsNames(run).tick}.`));
  const everyone = new Set(sites.flatMap(services));
  const { stateSubject, leafState, leafApi } = natsNames(run);
  const leafName = (s: string): string =>
    s.replace(/^\$JS\.API/, leafApi).replace(new RegExp(`^${stateSubject.replaceAll("$", "\\$")}`), leafState);
  const exported = [...everyone].map((s) => {
    const accounts = sites.filter((site) => services(site).includes(s)).map((site) => `LEAF_${site}`);
    return `      { service: ${JSON.stringify(s)}, accounts: [${accounts.join(", ")}] }`;
  });
  const leaves = sites.map(
    (site) => `  LEAF_${site} {
    users: [ { user: "leaf-${site}", password: "${passwords[site]}" } ]
    imports: [
${services(site)
  .map(
    (s) => `      { service: { account: FOEHN, subject: ${JSON.stringify(s)} }, to: ${JSON.stringify(leafName(s))} }`,
  )
  .join("\n")}
      { stream: { account: FOEHN, subject: ${JSON.stringify(tick)} } }
    ]
  }`,
  );
  return `authorization { timeout: 30 }
accounts {
  FOEHN {
    jetstream: enabled
    users: [
${users.join("\n")}
    ]
    exports: [
${exported.join("\n")}
      { stream: ${JSON.stringify(tick)} }
    ]
  }
${leaves.join("\n")}
}`;
}

/** The key of a seed; a new one where there is none. */
function keyOf(seed?: string): { publicKey: string; seed: string } {
  const pair = seed === undefined ? nkeys.createUser() : nkeys.fromSeed(new TextEncoder().encode(seed));
  return { publicKey: pair.getPublicKey(), seed: new TextDecoder().decode(pair.getSeed()) };
}
