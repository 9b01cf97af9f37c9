/** `foehn hub` and `foehn join` as a person meets them: the setup, a simulation, a real server with TLS, and each wrong turn. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { readRounds } from "../federation/protocol/journal.node.js";
import { roundSchema } from "../federation/protocol/messages.js";
import { natsServerBinary, startNatsServer, type TestServer } from "../federation/testing/nats-server.node.js";
import { readCredential } from "../federation/transport/credential.node.js";
import { natsTransport } from "../federation/transport/nats.node.js";
import { random } from "../tensor/random.js";
import { decodeSafetensors } from "../tensor/safetensors.js";
import { main } from "./main.js";

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);

/** Runs a command line in this process; what it says is kept. */
async function foehn(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: "", stderr: "" };
  const into = (name: "stdout" | "stderr") => (text: string | Uint8Array) => ((said[name] += String(text)), true);
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(into("stdout")),
    vi.spyOn(process.stderr, "write").mockImplementation(into("stderr")),
  ];
  const code = await main(argv);
  for (const spy of spies) spy.mockRestore();
  return { code, ...said };
}
afterEach(() => void vi.restoreAllMocks());

/** Fifty days of hourly values at a station, with the given columns. */
async function station(name: string, columns: readonly string[], days = 50): Promise<void> {
  const rng = random(name.length).split(name);
  const lines = [`time,station,latitude,longitude,${columns.join(",")}`];
  let weather = 0;
  for (let h = 0; h < 24 * days; h++) {
    weather = 0.97 * weather + rng.normal();
    const time = new Date(Date.UTC(2020, 0, 1, h)).toISOString();
    const values = columns.map((_, c) => (10 + c + weather + 0.3 * rng.normal()).toFixed(2));
    lines.push([time, name, 52, -8, ...values].join(","));
  }
  await writeFile(at(`${name}.csv`), `${lines.join("\n")}\n`);
}

const RUN = `
run: valley
rounds: 2
variables: [temp, wdsp]
budget: { steps: 2 }
schedule: { minSites: 2, deadline: 60 }
task:
  variables: [temp, wdsp]
  model: { name: climax, patch: [1, 1], width: 8, depth: 1, heads: 1 }
  forecast: { step: 1, leads: [1, 6], lags: [1, 3] }
  training: { batch: 4 }
  evaluationStarts: 20
`;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "foehn-hub-"));
  await writeFile(at("run.yaml"), RUN);
  await station("amber", ["temp", "wdsp"]);
  await station("birch", ["temp"]);
  await station("snowy", ["snow"]);
  await station("brief", ["temp"], 1);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("in one process", () => {
  it("one command trains all sites, each with what it has", async () => {
    const sites = ["--site", `amber=${at("amber.csv")}`, "--site", `birch=${at("birch.csv")}`];
    const args = ["hub", at("run.yaml"), "--transport", "local", ...sites, "--out", at("local")];
    const { code, stdout, stderr } = await foehn(...args);
    expect(stderr).toMatch(/round 1 of valley: 2 of 2 sites/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/gain over training alone: mean/);
    expect(stderr).toMatch(/amber after 2 rounds[^]*alone +together +personal/);
    const rounds = await readRounds(at("local", "rounds.jsonl"));
    expect(rounds.map(({ sites: s }) => s.map(({ site, covers }) => [site, covers === undefined]))).toEqual(
      [0, 1].map(() => [
        ["amber", true],
        ["birch", false],
      ]),
    );
    const { tensors } = decodeSafetensors(await readFile(at("local", "model.safetensors")), "model");
    expect([...tensors.keys()].some((name) => name.includes("wdsp"))).toBe(true);

    const kept = at("local", "sites", "birch");
    const made = await foehn("forecast", kept, "--from", "test", "--every", "6", "--out", at("birch.zarr"), "--json");
    expect(made.code, made.stderr).toBe(0);
    expect(JSON.parse(made.stdout)).toMatchObject({ leads: [1, 6] });
    const verified = await foehn("verify", at("birch.zarr"), "--truth", at("birch.csv"), "--out", at("v"), "--json");
    expect(verified.code, verified.stderr).toBe(0);
    const odd = await foehn("forecast", kept, "--lead-step", "1", "--out", at("odd.zarr"));
    expect([odd.code, odd.stderr]).toEqual([2, expect.stringMatching(/leads of its run alone; leave out/)]);
  });

  it.each<[string, string[], RegExp, number]>([
    ["no sites", [], /name the sites to simulate/, 2],
    ["a site without data", ["--site", "amber"], /write it as NAME=DATA/, 2],
    ["data that are not there", ["--site", "amber=nowhere.csv"], /nowhere\.csv/, 1],
    ["no usable variable", ["--site", "snowy=SNOWY"], /none of the run's variables \(temp, wdsp\); it has snow/, 1],
    ["too short a record", ["--site", "brief=BRIEF"], /brief\.csv: /, 1],
    ["a wrong setting", ["--set", "rouds=3"], /rouds/, 2],
    ["an unknown transport", ["--transport", "pigeon"], /no transport 'pigeon'/, 2],
  ])("%s", async (_, args, message, exit) => {
    const given = args.map((a) => a.replace("SNOWY", at("snowy.csv")).replace("BRIEF", at("brief.csv")));
    const local = args.includes("--transport") ? [] : ["--transport", "local"];
    const { code, stderr } = await foehn("hub", at("run.yaml"), ...local, ...given, "--out", at("odd"), "--quiet");
    expect(stderr).toMatch(message);
    expect(code).toBe(exit);
  });
});

describe("the setup", () => {
  it("writes the server's configuration, a credential a site, and says what to do next; again, it adds sites", async () => {
    const init = (...sites: string[]) =>
      foehn("hub", at("run.yaml"), "--init", ...sites.flatMap((s) => ["--site", s]), "--out", at("setup"));
    const { code, stdout } = await init("amber", "birch");
    expect(code).toBe(0);
    for (const text of ["nats-server -c", "foehn join --creds amber.creds", "it is a password", "with TLS"])
      expect(stdout).toContain(text);
    const amber = await readCredential(at("setup", "sites", "amber.creds"));
    expect(amber).toMatchObject({ run: "valley", role: "site", site: "amber" });
    expect(amber.ca).toMatch(/BEGIN CERTIFICATE/);
    expect((await stat(at("setup", "sites", "amber.creds"))).mode & 0o077).toBe(0);
    expect((await init("cedar")).code).toBe(0);
    expect(await readCredential(at("setup", "sites", "amber.creds"))).toEqual(amber);
    expect(await readFile(at("setup", "foehn-nats.conf"), "utf8")).toMatch(/# amber[^]*# birch[^]*# cedar/);
    expect((await foehn("hub", at("run.yaml"), "--init", "--out", at("none"))).stderr).toMatch(/name the sites/);
    const odd = await foehn("hub", at("run.yaml"), "--init", "--site", "a b", "--out", at("none"));
    expect([odd.code, odd.stderr]).toEqual([2, expect.stringMatching(/'a b' cannot name a run or site/)]);
  });

  it("lists what would leave, without reaching the hub", async () => {
    const args = ["join", "--config", at("run.yaml"), "--data", at("birch.csv"), "--site", "birch", "--dry-run"];
    const { code, stdout } = await foehn(...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/What would leave 'birch':[^]*model parameters by local training[^]*What stays:/);
  });
});

describe.skipIf(!natsServerBinary())("over NATS with TLS (needs nats-server: apt-get install nats-server)", () => {
  let server: TestServer;
  beforeAll(async () => {
    // The server's port is known only now: the setup is made for it.
    server = await startNatsServer(async (port) => {
      const sites = ["amber", "birch", "cedar"].flatMap((s) => ["--site", s]);
      const place = ["--address", "127.0.0.1", "--port", `${port}`, "--out", at("hub"), "--quiet"];
      await foehn("hub", at("run.yaml"), "--init", ...sites, ...place);
      return readFile(at("hub", "foehn-nats.conf"), "utf8");
    });
  });
  afterAll(() => server?.stop());
  const creds = (site: string): string => at("hub", "sites", `${site}.creds`);
  const join = (site: string, ...args: string[]) =>
    foehn("join", "--creds", creds(site), "--data", at(`${site}.csv`), "--out", at(`site-${site}`), ...args);

  it("two sites and a hub; figures for Prometheus; a hub of another configuration is refused", async () => {
    const sites = ["amber", "birch"].map((site) => join(site, "--no-alone"));
    const running = foehn("hub", at("run.yaml"), "--out", at("hub"), "--metrics", "0");
    const [hub, amber] = await Promise.all([running, ...sites]);
    // All three ran in this process: what was said lies in whichever spy was first.
    const said = `${hub.stderr}${hub.stdout}${amber.stderr}${amber.stdout}`;
    expect([hub.code, amber.code], said).toEqual([0, 0]);
    expect((await readRounds(at("hub", "rounds.jsonl"))).map((r) => r.sites.length)).toEqual([2, 2]);
    const [a, b] = await Promise.all(
      [at("hub", "model.safetensors"), at("site-amber", "shared.safetensors")].map((f) => readFile(f)),
    );
    expect(Buffer.compare(a, b)).toBe(0); // what the hub published is what the site holds
    const other = await foehn("hub", at("run.yaml"), "--out", at("hub"), "--set", "rounds=9", "--quiet");
    expect(other.stderr).toMatch(/run 'valley' was begun with another configuration/);
    expect(other.code).toBe(2);
  });

  it("wrong credentials, each with a sentence", async () => {
    const missing = await foehn("join", "--creds", at("no.creds"), "--data", "x");
    expect(missing.stderr).toMatch(/the credential cannot be read; the hub's owner makes one/);
    await writeFile(at("torn.creds"), "{");
    expect((await foehn("join", "--creds", at("torn.creds"), "--data", "x")).stderr).toMatch(
      /no credential of foehn hub/,
    );
    const hubs = await foehn("join", "--creds", at("hub", "hub.creds"), "--data", "x");
    expect(hubs.stderr).toMatch(/is the hub's credential; use the one made for your site/);
    const sites = await foehn("hub", at("run.yaml"), "--creds", creds("amber"), "--out", at("h2"));
    expect(sites.stderr).toMatch(/is that of site 'amber'; the hub's is hub.creds/);
    const other = await foehn(
      "hub",
      at("run.yaml"),
      "--set",
      "run=hill",
      "--creds",
      at("hub", "hub.creds"),
      "--out",
      at("h3"),
    );
    expect(other.stderr).toMatch(/is for run 'valley', not 'hill'/);
    expect((await foehn("join", "--data", "x")).stderr).toMatch(/give --creds FILE, or --server, --run and --site/);
    // A stranger's: made by another hub for the same names, of another authority.
    await foehn(
      "hub",
      at("run.yaml"),
      "--init",
      "--site",
      "amber",
      "--address",
      "127.0.0.1",
      "--out",
      at("stranger"),
      "--quiet",
    );
    const stranger = JSON.parse(await readFile(at("stranger", "sites", "amber.creds"), "utf8")) as Record<
      string,
      string
    >;
    const mine = await readCredential(creds("amber"));
    const spoilt = async (change: object): Promise<string> => {
      await writeFile(at("spoilt.creds"), JSON.stringify({ ...stranger, server: mine.server, ...change }));
      return (await foehn("join", "--creds", at("spoilt.creds"), "--data", "x")).stderr;
    };
    expect(await spoilt({})).toMatch(/not signed by the authority in this credential/);
    expect(await spoilt({ ca: mine.ca })).toMatch(/Authorization Violation: the server does not know this credential/);
  });

  it("a model that is not what its hash says", async () => {
    const { server: servers, seed, ca } = await readCredential(creds("cedar"));
    const open = (options: object) =>
      natsTransport({ servers, run: "valley", role: "site", site: "cedar", seed, ca, ...options });
    const transport = await open({});
    const round = roundSchema.parse(JSON.parse((await transport.state.get("round"))!.value));
    await transport.close();
    const hub = await readCredential(at("hub", "hub.creds"));
    const writer = await natsTransport({ servers: hub.server, run: "valley", role: "hub", seed: hub.seed, ca: hub.ca });
    await writer.objects.put(round.model.object, new Uint8Array(round.model.bytes));
    await writer.close();
    await mkdir(at("cedar"), { recursive: true });
    const { stderr, code } = await foehn(
      "join",
      "--creds",
      creds("cedar"),
      "--data",
      at("birch.csv"),
      "--out",
      at("cedar"),
    );
    expect(stderr).toMatch(/object 'model\.[0-9a-f]+' of the run is not what its hash says/);
    expect(code).toBe(1);
  });
});
