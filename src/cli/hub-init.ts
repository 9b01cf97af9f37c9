/** `foehn hub run.yaml --init`: the message server's configuration with TLS, a credential a site, and what to do next. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { UsageError } from "../errors.js";
import type { RunConfig } from "../federation/protocol/config.js";
import { certificateText, makeCertificates } from "../federation/transport/certificates.node.js";
import { type Credential, readCredential, writeCredential } from "../federation/transport/credential.node.js";
import { natsSetup } from "../federation/transport/nats-config.node.js";
import type { Output } from "./output.js";

export interface InitFlags {
  site?: string[];
  address?: string[];
  port: number;
  tls: boolean;
  leafPort?: number;
}

/** Writes the setup into `folder`; sites that are there keep their credentials, so that calling it again adds sites. */
export async function initHub(
  file: string,
  { run }: RunConfig,
  folder: string,
  flags: InitFlags,
  out: Output,
): Promise<void> {
  const before = await existing(folder);
  const sites = [...new Set([...Object.keys(before.siteSeeds), ...(flags.site ?? [])])];
  if (sites.length === 0)
    throw new UsageError("name the sites that may take part: foehn hub run.yaml --init --site amber --site birch");
  const addresses = flags.address ?? before.addresses ?? [hostname()];
  await mkdir(path.join(folder, "sites"), { recursive: true });
  const tlsFolder = path.resolve(folder, "tls");
  const made = ["server.pem", "server-key.pem", "ca.pem"].map((name) => path.join(tlsFolder, name));
  const keep = made.every((f) => existsSync(f)) && flags.address === undefined;
  const tls = !flags.tls
    ? undefined
    : keep
      ? { certFile: made[0], keyFile: made[1], caFile: made[2] }
      : await makeCertificates(tlsFolder, [...new Set([...addresses, "localhost", "127.0.0.1"])], { run });
  const setup = natsSetup({
    run,
    sites,
    port: flags.port,
    storeDir: path.resolve(folder, "nats-data"),
    // Clients show no certificate of their own, so the server needs none to check them by.
    tls: tls && { certFile: tls.certFile, keyFile: tls.keyFile },
    keep: before,
    ...(flags.leafPort ? { leafPort: flags.leafPort, advertise: `${addresses[0]}:${flags.leafPort}` } : {}),
  });
  const conf = path.join(folder, "foehn-nats.conf");
  await writeFile(`${conf}.part`, setup.server, { mode: 0o600 });
  await rename(`${conf}.part`, conf);
  const server = (host: string): string => `${tls ? "tls" : "nats"}://${host}:${flags.port}`;
  const ca = tls && (await certificateText(tls.caFile));
  const hub = path.join(folder, "hub.creds");
  await writeCredential(hub, { run, role: "hub", server: server("127.0.0.1"), seed: setup.hubSeed, ca });
  for (const site of sites)
    await writeCredential(credentialFile(folder, site), {
      run,
      role: "site",
      site,
      server: server(addresses[0]),
      seed: setup.siteSeeds[site],
      ca,
    });
  for (const [site, text] of Object.entries(setup.leaves))
    await writeFile(path.join(folder, "sites", `${site}-leaf.conf`), text, { mode: 0o600 });
  const files = {
    configuration: conf,
    hub,
    sites: Object.fromEntries(sites.map((s) => [s, credentialFile(folder, s)])),
  };
  out.result(
    { run, folder, addresses, tls: tls !== undefined, ...files },
    nextSteps(file, run, folder, files, addresses[0], flags, before.known),
  );
}

const credentialFile = (folder: string, site: string): string => path.join(folder, "sites", `${site}.creds`);

interface Existing {
  readonly known: boolean;
  readonly hubSeed?: string;
  readonly siteSeeds: Record<string, string>;
  readonly addresses?: string[];
}

/** Seeds and the address of a setup that is there already. */
async function existing(folder: string): Promise<Existing> {
  const names = await readdir(path.join(folder, "sites")).catch(() => []);
  const sites: Credential[] = [];
  for (const name of names.filter((n) => n.endsWith(".creds")))
    sites.push(await readCredential(path.join(folder, "sites", name)));
  const hub = path.join(folder, "hub.creds");
  const address = sites[0] && new URL(sites[0].server).hostname;
  return {
    known: existsSync(hub),
    ...(existsSync(hub) ? { hubSeed: (await readCredential(hub)).seed } : {}),
    siteSeeds: Object.fromEntries(sites.map(({ site, seed }) => [site!, seed])),
    ...(address ? { addresses: [address] } : {}),
  };
}

function nextSteps(
  file: string,
  run: string,
  folder: string,
  files: { configuration: string; hub: string; sites: Record<string, string> },
  address: string,
  flags: InitFlags,
  known: boolean,
): string {
  const sites = Object.entries(files.sites);
  const start = known
    ? `nats-server -c ${files.configuration}\n                (if it runs already: nats-server --signal reload)`
    : `nats-server -c ${files.configuration}`;
  const own = folder === path.join("runs", run) ? "" : ` --out ${folder}`;
  return `Written to ${folder}:
  foehn-nats.conf        configuration of the message server${flags.tls ? ", with TLS" : ", WITHOUT TLS: traffic can be read on the way"}
  hub.creds              the hub's credential: it stays here
${sites.map(([site]) => `  sites/${`${site}.creds`.padEnd(16)} all that ${site} needs to join; it is a password`).join("\n")}

Next:
  1. here:      ${start}
  2. here:      foehn hub ${file}${own}
  3. to each site: give it its own file, by a way you trust (scp, an encrypted mail). At ${sites[0][0]}:
                foehn join --creds ${sites[0][0]}.creds --data DATA --dry-run      what would leave the site
                foehn join --creds ${sites[0][0]}.creds --data DATA

Sites dial ${address}:${flags.port}; open that port to them. They need no open port themselves.`;
}
