/** The command line as a person or a script meets it: exit codes, sentences, files left behind. Runs the built program. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportApp, serveReport } from "../src/cli/serve.js";

const program = fileURLToPath(new URL("../bin/foehn.js", import.meta.url));
let folder: string;

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

const foehn = (...args: string[]): Promise<Result> =>
  new Promise((resolve) =>
    execFile(process.execPath, [program, ...args], { cwd: folder, maxBuffer: 1e8 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );

const SETTINGS = `
data: { path: sim.zarr, variables: [geopotential@500] }
forecast: { history: 2, maxLead: 24, method: iterative }
model: { name: unet, width: 4, depth: 1 }
training: { steps: 30, batch: 2, microBatch: 2, warmup: 3, validateEvery: 5, validationSamples: 4, rollout: [[0.5, 1], [0.5, 2]], shift: 1 }
threads: 1
`;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "foehn-cli-"));

  const made = await foehn(
    "simulate",
    "--truncation",
    "T10",
    "--levels",
    "3",
    "--days",
    "40",
    "--spinup",
    "5",
    "--variables",
    "geopotential,temperature,mean_sea_level_pressure",
    "--pressure-levels",
    "500",
    "--orography",
    "idealised",
    "--out",
    "sim.zarr",
    "--quiet",
  );
  if (made.code !== 0) throw new Error(made.stderr);
  await writeFile(path.join(folder, "run.yaml"), SETTINGS);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the path, command by command", () => {
  it("trains one network on grid and stations, forecasts the stations and verifies against their reports", async () => {
    const network = ["--stations", "4", "--variables", "mean_sea_level_pressure", "--out", "stations.zarr"];
    const made = await foehn("simulate", "network", "sim.zarr", ...network);
    expect([made.stderr, made.code]).toEqual(["", 0]);
    const settings = `
task: stations
data: { path: sim.zarr, variables: [geopotential@500], stations: { path: stations.zarr }, static: [{ path: sim.zarr, variables: [geopotential_at_surface] }] }
forecast: { history: 1, maxLead: 12 }
model: { name: pointwise, patch: [4, 4], width: 8, depth: 1, heads: 2 }
training: { steps: 4, batch: 2, microBatch: 2, validationSamples: 2, gridPoints: 8 }
threads: 1
`;
    await writeFile(path.join(folder, "stations.yaml"), settings);
    const trained = await foehn("train", "stations.yaml", "--out", "stations", "--json", "--quiet");
    const { scores } = JSON.parse(trained.stdout) as { scores: { variable: string; baselines: object }[] };
    expect(scores[0].variable).toBe("mean_sea_level_pressure");
    expect(Object.keys(scores[0].baselines)).toEqual(["persistence", "climatology", "damped", "linear"]);
    const written = await foehn("forecast", "stations", "--from", "test", "--out", "at-stations.zarr", "--json");
    expect(JSON.parse(written.stdout)).toMatchObject({ leads: [6, 12] });
    const verified = await foehn("verify", "at-stations.zarr", "--truth", "stations.zarr", "--out", "vs");
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining("mean_sea_level_pressure")]);
    expect((await foehn("forecast", "stations", "--then", "x@6")).stderr).toMatch(/leave out --then/);
  });

  it("forecasts from data that lack a variable where the model can do without, and says so", async () => {
    const two = SETTINGS.replace("[geopotential@500]", "[geopotential@500, temperature@500]").replace(
      "shift: 1",
      "shift: 0",
    );
    const tokens = two.replace(
      /model: .*/,
      "model: { name: climax, patch: [4, 4], width: 8, depth: 1, heads: 2, headDepth: 0 }",
    );
    await writeFile(
      path.join(folder, "unet.yaml"),
      two.replace("steps: 30", "steps: 5").replace(/, rollout: .*?\]\]/, ""),
    );
    await writeFile(
      path.join(folder, "climax.yaml"),
      tokens.replace("steps: 30", "steps: 5").replace(/, rollout: .*?\]\]/, ""),
    );
    const lacking = await foehn("convert", "sim.zarr", "--variables", "geopotential", "--out", "z.zarr");
    expect(lacking.stderr + lacking.code).toMatch(/0$/);
    for (const name of ["unet", "climax"]) {
      const trained = await foehn("train", `${name}.yaml`, "--out", `two-${name}`, "--quiet");
      expect([name, trained.stderr, trained.code]).toEqual([name, "", 0]);
    }
    const made = await foehn(
      "forecast",
      "two-climax",
      "--init",
      "z.zarr",
      "--lead",
      "12",
      "--out",
      "z-only.zarr",
      "--json",
    );
    expect(made.stderr).toMatch(/z\.zarr lacks temperature@500: the others are forecast from what is there/);
    expect(JSON.parse(made.stdout)).toMatchObject({ starts: 1, leads: [6, 12], missing: ["temperature@500"] });
    const refused = await foehn("forecast", "two-unet", "--init", "z.zarr", "--out", "none.zarr");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/z\.zarr: it lacks 'temperature@500', which this model's unet needs/);
    expect(existsSync(path.join(folder, "none.zarr"))).toBe(false);
  });

  it("is killed while it trains, goes on, and ends with the bytes of the unbroken run", async () => {
    const whole = await foehn("train", "run.yaml", "--out", "whole", "--json");
    expect(whole.code, whole.stderr).toBe(0);
    expect(JSON.parse(whole.stdout)).toMatchObject({ run: "whole" });

    const child = spawn(process.execPath, [program, "train", "run.yaml", "--out", "killed"], {
      cwd: folder,
      stdio: "ignore",
    });
    const state = path.join(folder, "killed", "state.safetensors");
    while (!existsSync(state)) await new Promise((r) => setTimeout(r, 20)); // the first checkpoint is there, the run is not done
    child.kill("SIGKILL");
    await new Promise((r) => child.once("exit", r));
    expect(existsSync(path.join(folder, "killed", "params.safetensors"))).toBe(false);

    const refused = await foehn("train", "run.yaml", "--out", "killed");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/already holds a run: go on with it by --resume/);
    const resumed = await foehn("train", "run.yaml", "--out", "killed", "--resume", "--quiet");
    expect(resumed.code, resumed.stderr).toBe(0);
    for (const name of ["params.safetensors", "calibration.safetensors", "model.onnx"])
      expect(
        Buffer.compare(
          await readFile(path.join(folder, "whole", name)),
          await readFile(path.join(folder, "killed", name)),
        ),
        name,
      ).toBe(0);
    const log = (await readFile(path.join(folder, "killed", "log.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((l) => (JSON.parse(l) as { step: number }).step);
    expect(log).toEqual(Array.from({ length: 30 }, (_, i) => i + 1)); // each step once
  }, 120_000);

  it("forecasts to NetCDF and Zarr and verifies with every baseline", async () => {
    const made = await foehn(
      "forecast",
      "whole",
      "--from",
      "test",
      "--every",
      "12",
      "--lead",
      "24",
      "--out",
      "forecast.zarr",
      "--quiet",
    );
    expect(made.code, made.stderr).toBe(0);
    const netcdf = await foehn("forecast", "whole", "--lead", "48", "--out", "latest.nc", "--json");
    expect(netcdf.code, netcdf.stderr).toBe(0);
    expect(JSON.parse(netcdf.stdout)).toMatchObject({ starts: 1, leads: [6, 12, 18, 24, 30, 36, 42, 48] });
    expect((await readdir(folder)).filter((f) => f.includes("partial") || f.endsWith(".nc.zarr"))).toEqual([]);

    const cascade = await foehn("forecast", "whole", "--then", "whole@24", "--out", "cascade.zarr", "--json");
    expect(JSON.parse(cascade.stdout)).toMatchObject({ starts: 1, leads: [6, 12, 18, 24, 30, 36, 42, 48] });
    const verified = await foehn("verify", "forecast.zarr", "--truth", "sim.zarr", "--out", "v", "--json");
    expect(verified.code, verified.stderr).toBe(0);
    const rows = JSON.parse(verified.stdout) as {
      metric: string;
      baseline: string | null;
      lead_hours: number;
      value: number;
      n: number;
    }[];
    expect([...new Set(rows.map((r) => r.baseline))]).toEqual(
      expect.arrayContaining([null, "persistence", "climatology", "damped-anomaly", "ridge"]),
    );
    expect(rows.every((r) => Number.isFinite(r.value) && r.n > 0)).toBe(true);
    const report = await readFile(path.join(folder, "v", "report.html"), "utf8");
    expect(report).toContain("<svg");
    expect(report).not.toMatch(/(src|href)="https?:/); // opens without a network
  }, 120_000);

  it("tells what is in the data, for people and for programs", async () => {
    const text = await foehn("info", "sim.zarr");
    expect(text.stdout).toMatch(/geopotential .* m2 s-2/);
    const info = JSON.parse((await foehn("info", "sim.zarr", "--json")).stdout) as {
      format: string;
      variables: { name: string; missing: number }[];
    };
    expect(info.format).toMatch(/zarr/);
    expect(info.variables.find((v) => v.name === "geopotential")).toMatchObject({ missing: 0 });
  });
});

describe("called wrongly or given bad input", () => {
  const cases: [string, string[], number, RegExp][] = [
    ["an unknown command", ["trian"], 2, /unknown command 'trian'/],
    ["an unknown option", ["train", "--dta", "x"], 2, /unknown option '--dta'/],
    ["no data", ["train"], 2, /name the data to learn from/],
    ["data that is not there", ["info", "nothing.zarr"], 1, /nothing\.zarr: there is no such file/],
    [
      "a wrong key",
      ["train", "run.yaml", "--set", "training.stepz=3", "--out", "x"],
      2,
      /no setting 'training.stepz'; did you mean 'steps'/,
    ],
    [
      "a variable that is not there",
      ["train", "--data", "sim.zarr", "--variables", "geopotentail@500", "--out", "x"],
      1,
      /did you mean 'geopotential'/,
    ],
    [
      "a period outside the record",
      [
        "train",
        "run.yaml",
        "--set",
        'data={path: sim.zarr, train: ["1950", "1951"], validation: ["1952", "1953"], test: ["1954", "1955"]}',
        "--out",
        "x",
      ],
      2,
      /no time lies in the train span/,
    ],
    [
      "a model that is not there",
      ["train", "run.yaml", "--set", "model={name: vitt}", "--out", "x"],
      2,
      /no model 'vitt'; did you mean 'vit'/,
    ],
    ["a folder that is no run", ["forecast", "sim.zarr"], 1, /not the folder of a run/],
    ["no hours after --then", ["forecast", "whole", "--then", "whole"], 2, /--then whole: write it as RUN@HOURS/],
    ["a model that takes over too soon", ["forecast", "whole", "--then", "whole@6"], 2, /take over at least 12 h/],
    ["an impossible simulation", ["simulate", "--truncation", "T3", "--out", "y.zarr"], 2, /truncation/],
    ["a device that is not there", ["train", "run.yaml", "--device", "tpu", "--out", "z"], 2, /no device 'tpu'/],
  ];
  it.each(cases)("%s", async (_name, args, code, sentence) => {
    const result = await foehn(...args);
    expect(result.stderr).toMatch(sentence);
    expect(result.code).toBe(code);
    expect(result.stderr).not.toMatch(/\n\s+at /); // no stack trace
  });

  it("an empty and a truncated file", async () => {
    await writeFile(path.join(folder, "empty.nc"), "");
    expect((await foehn("info", "empty.nc")).stderr).toMatch(/empty\.nc: the file is empty/);
    const whole = await readFile(path.join(folder, "latest.nc"));
    await writeFile(path.join(folder, "half.nc"), whole.subarray(0, whole.length / 2));
    const half = await foehn("info", "half.nc");
    expect(half.code).toBe(1);
    expect(half.stderr).toMatch(/half\.nc/);
  });

  it("a full disk: one sentence, nothing left that looks whole", async () => {
    if (!existsSync("/dev/full")) return;
    const result = await foehn("forecast", "whole", "--out", "/dev/full/forecast.zarr");
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/\/dev\/full/);
  });

  it("a port in use, and a path outside the report's folder", async () => {
    const busy = createServer();
    await new Promise<void>((r) => busy.listen(0, "127.0.0.1", r));
    const { port } = busy.address() as { port: number };
    await writeFile(path.join(folder, "report.html"), "<p>report</p>");
    await expect(serveReport(folder, { port })).rejects.toThrow(`port ${port} is in use: name another with --port`);
    busy.close();
    const app = reportApp(path.join(folder, "v"));
    expect((await app.request("/")).status).toBe(200);
    expect((await app.request("/%2e%2e/run.yaml")).status).toBe(404);
    expect((await app.request("/..%2frun.yaml")).status).toBe(404);
  });
});

it("lists every command with its summary", async () => {
  const { stdout, code } = await foehn("--help");
  expect(code).toBe(0);
  for (const name of ["demo", "simulate", "info", "convert", "train", "forecast", "verify", "serve", "doctor", "bench"])
    expect(stdout).toContain(name);
});
