import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDataset } from "../data/open.node.js";
import { writeZarr } from "../data/write-zarr.node.js";
import { COLUMNS, DAYS, ROWS, stateOf, worldForecast, worldTruth } from "../verify/testing/world.js";
import { command } from "./verify.js";

const folder = mkdtempSync(path.join(tmpdir(), "foehn-verify-"));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command with its words silent; its JSON on standard output is what it gives back. */
async function verify(...words: string[]): Promise<Record<string, unknown>[]> {
  const write = process.stdout.write.bind(process.stdout);
  let text = "";
  process.stdout.write = (part: string) => ((text += part), true);
  try {
    await command(() => {})
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseAsync([...words, "--json", "--quiet"], { from: "user" });
  } finally {
    process.stdout.write = write;
  }
  return JSON.parse(text) as Record<string, unknown>[];
}

beforeAll(async () => {
  const wave = (size: number) =>
    worldForecast({
      starts: Array.from({ length: 12 }, (_, k) => 418 + k),
      leads: [1],
      error: ({ start, cell }) => size * Math.sin(start + cell),
    });
  await writeZarr(worldTruth(), at("truth.zarr"));
  await writeZarr(wave(0.5), at("new.zarr"));
  await writeZarr(wave(0.8), at("old.zarr"));
});

describe("foehn verify", () => {
  it("writes scores, a report, figures, sums and errors by cell; regions and parts of the year on request", async () => {
    const out = at("one");
    const rows = await verify(
      at("new.zarr"),
      "--truth",
      at("truth.zarr"),
      "--out",
      out,
      "--regions",
      "all,land,mine=-30/30/0/180",
      "--by",
      "month",
      "--metrics",
      "rmse,bias",
      "--every-lead",
    );
    expect(new Set(rows.map((r) => r["region"]))).toEqual(new Set(["all", "land", "mine"]));
    expect(rows.some((r) => r["group"] === "Feb" && r["by"] === "month")).toBe(true);
    expect(readdirSync(out).sort()).toEqual(["cells.nc", "figures", "report.html", "scores.json", "sums.safetensors"]);
    expect(readdirSync(path.join(out, "figures"))).toContain("scorecard-ridge-all.svg");
    const cells = await openDataset(path.join(out, "cells.nc"));
    expect(cells.dims).toMatchObject({ lead_time: 1, latitude: ROWS.length, longitude: COLUMNS.length });
    const page = readFileSync(path.join(out, "report.html"), "utf8");
    expect(page).toMatch(/By region/);
    expect(page.match(/(src|href)="(?!data:|#)[^"]*"/g)).toBeNull();
  });

  it("lays two forecasts side by side, and two of its own folders alike", async () => {
    const truth = ["--truth", at("truth.zarr"), "--metrics", "rmse,bias"];
    const both = await verify(at("new.zarr"), at("old.zarr"), ...truth, "--out", at("both"), "--cells", "zarr");
    await verify(at("new.zarr"), ...truth, "--out", at("a"));
    await verify(at("old.zarr"), ...truth, "--out", at("b"), "--cells", "none");
    const folders = await verify(at("a"), at("b"), "--out", at("ab"));
    const old = (rows: Record<string, unknown>[], name: string) =>
      rows.filter((r) => r["baseline"] === name).map((r) => [r["metric"], r["lead_hours"], r["value"]]);
    expect(old(both, "old").length).toBe(2);
    expect(old(folders, "b")).toEqual(old(both, "old"));
    expect(readFileSync(path.join(at("both"), "report.html"), "utf8")).toMatch(/Where it changed beside old/);
    expect(existsSync(path.join(at("both"), "cells.zarr"))).toBe(true);
    expect(existsSync(path.join(at("b"), "cells.nc"))).toBe(false);
  });

  it("verifies against a table of reports and one of the stations", async () => {
    const days = Array.from({ length: DAYS }, (_, t) => t);
    const date = (t: number) => new Date(Date.UTC(2010, 0, 1) + t * 864e5).toISOString();
    // The grid's own points (-20, 45) and (20, 90) as stations.
    const places = [
      ["a", -20, 45, 9],
      ["b", 20, 90, 18],
    ] as const;
    const reports = days.flatMap((t) => places.map(([id, , , cell]) => `${date(t)},${id},${stateOf(t)[cell]}`));
    writeFileSync(at("obs.csv"), ["time,station,t [K]", ...reports].join("\n"));
    writeFileSync(
      at("stations.csv"),
      ["station,latitude,longitude", ...places.map(([id, y, x]) => `${id},${y},${x}`)].join("\n"),
    );
    const rows = await verify(
      at("new.zarr"),
      "--truth",
      at("obs.csv"),
      "--stations",
      at("stations.csv"),
      "--out",
      at("st"),
      "--metrics",
      "rmse",
    );
    expect(new Set(rows.map((r) => r["baseline"])).size).toBe(5);
    const page = readFileSync(path.join(at("st"), "report.html"), "utf8");
    expect(page).toMatch(/2 stations; bilinear interpolation from 4 x 8 points/);
    expect(page).toMatch(/t: 862 reports of 2 stations/);
  });

  it.each([
    ["no truth", [at("new.zarr")], /--truth is missing/],
    ["weights unknown", [at("new.zarr"), "--truth", at("truth.zarr"), "--weights", "wb3"], /there are exact, wb2, cos/],
    [
      "a region unknown",
      [at("new.zarr"), "--truth", at("truth.zarr"), "--regions", "erope", "--out", at("x")],
      /did you mean 'europe'/,
    ],
    [
      "a split unknown",
      [at("new.zarr"), "--truth", at("truth.zarr"), "--by", "week", "--out", at("x")],
      /there are season, hour, month/,
    ],
    ["a folder that is none", [at("old.zarr"), at("new.zarr")], /--truth is missing/],
  ])("refuses %s", async (_, words, message) => {
    await expect(verify(...words)).rejects.toThrow(message);
  });
});

const chromium = await promisify(execFile)("which", ["chromium"]).then(
  () => true,
  () => false,
);
it.skipIf(!chromium)(
  "figures as PNG (needs chromium)",
  async () => {
    await verify(at("new.zarr"), "--truth", at("truth.zarr"), "--out", at("png"), "--metrics", "rmse", "--png");
    const names = readdirSync(path.join(at("png"), "figures"));
    expect(names.filter((n) => n.endsWith(".png")).length).toBe(names.filter((n) => n.endsWith(".svg")).length);
    const head = readFileSync(
      path.join(
        at("png"),
        "figures",
        names.find((n) => n.endsWith(".png"))!,
      ),
    ).subarray(1, 4);
    expect(head.toString()).toBe("PNG");
  },
  300_000,
);
