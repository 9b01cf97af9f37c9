/** `foehn simulate` and its experiments as a person calls them, in this process. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { memoryDataset, variable } from "../data/dataset.js";
import { openDataset } from "../data/open.node.js";
import { writeZarr } from "../data/write-zarr.node.js";
import { decodeRestart, encodeRestart, perturbed } from "../simulator/restart.js";
import { ndarray } from "../tensor/ndarray.js";
import { main } from "./main.js";

let folder: string;
const at = (name: string): string => path.join(folder, name);

/** Calls the program; what it said and its exit code. */
async function foehn(line: string): Promise<{ code: number; said: string; result: string }> {
  let said = "";
  let result = "";
  const spies = [
    vi.spyOn(process.stderr, "write").mockImplementation((text) => ((said += String(text)), true)),
    vi.spyOn(process.stdout, "write").mockImplementation((text) => ((result += String(text)), true)),
  ];
  try {
    const code = await main(line.split(" ").map((word) => (/\.(zarr|restart|csv|html)/.test(word) ? at(word) : word)));
    return { code, said, result };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

async function values(store: string, name: string): Promise<number[]> {
  const dataset = await openDataset(at(store));
  try {
    return Array.from((await variable(dataset, name).read()).data, Number);
  } finally {
    await dataset.close();
  }
}

const SMALL =
  "simulate --model moist --truncation T10 --levels 4 --spinup 1 --every 12h --variables 2m_temperature --quiet";

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "foehn-simulate-"));
  const made = await foehn(`${SMALL} --land idealised --orography idealised --days 2 --out whole.zarr`);
  if (made.code !== 0) throw new Error(made.said);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("foehn simulate", () => {
  it("cut in two by a checkpoint gives what an unbroken run gives, bit for bit, with the ground beneath it", async () => {
    expect(
      (await foehn(`${SMALL} --land idealised --orography idealised --days 1 --checkpoint a.restart --out a.zarr`))
        .code,
    ).toBe(0);
    const rest = await foehn("simulate --restart a.restart --days 1 --quiet --json --out b.zarr");
    expect(JSON.parse(rest.result)).toMatchObject({ first: "2001-01-02T00:00", days: 1 });
    const [whole, a, b] = await Promise.all(["whole", "a", "b"].map((s) => values(`${s}.zarr`, "2m_temperature")));
    expect([...a, ...b]).toEqual(whole);
    expect(await values("b.zarr", "time")).toEqual([24, 36]);
    expect(Math.max(...(await values("b.zarr", "geopotential_at_surface")))).toBeGreaterThan(10_000);
    expect(new Set(await values("b.zarr", "land_sea_mask"))).toEqual(new Set([0, 1]));
  });

  it("an ensemble has a control and members that leave it", async () => {
    await foehn(`${SMALL} --days 1 --members 3 --amplitude 0.01 --perturbed-physics 0.2 --out ensemble.zarr`);
    const field = await values("ensemble.zarr", "2m_temperature");
    const size = field.length / 3;
    const last = [0, 1, 2].map((m) => field.slice((m + 0.5) * size, (m + 1) * size));
    const apart = (a: number[], b: number[]): number => Math.max(...a.map((x, i) => Math.abs(x - b[i])));
    expect(apart(last[0], last[1])).toBeGreaterThan(0);
    expect(apart(last[1], last[2])).toBeGreaterThan(0);
    expect(apart(last[0], last[1])).toBeLessThan(20);
  });

  it("takes the observed table of CO2, whose first rows lie a century apart, where the run does not need them", async () => {
    await writeFile(at("ghg.csv"), "time,CO2\n1750.5,278.4\n1850.5,285.6\n1851.5,285.7\n1852.5,285.8\n");
    const run = (start: string) => foehn(`${SMALL} --co2 ghg.csv --start ${start} --days 0.5 --out co2.zarr`);
    expect((await run("1851-01-01")).code).toBe(0);
    const refused = await run("1800-01-01");
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.said).toMatch(/no value between 1750.5 and 1850.5, where the run would need one: fill the gap/);
  });

  it("takes mountains from a file on any global grid, and refuses one that is not global", async () => {
    const heights = (north: number): Promise<void> =>
      writeZarr(
        memoryDataset({
          latitude: {
            dims: ["latitude"],
            data: ndarray(
              "float64",
              [18],
              Float64Array.from({ length: 18 }, (_, j) => north - (north / 9) * (j + 0.5)),
            ),
          },
          longitude: {
            dims: ["longitude"],
            data: ndarray(
              "float64",
              [36],
              Float64Array.from({ length: 36 }, (_, i) => 10 * i),
            ),
          },
          z: { dims: ["latitude", "longitude"], data: ndarray("float32", [18, 36], new Float32Array(648).fill(300)) },
        }),
        at("heights.zarr"),
      );
    await heights(90);
    expect((await foehn(`${SMALL} --orography heights.zarr:z --days 0.5 --out hills.zarr`)).code).toBe(0);
    for (const phi of await values("hills.zarr", "geopotential_at_surface")) expect(phi).toBeCloseTo(300 * 9.8, 0);
    await heights(60);
    const refused = await foehn(`${SMALL} --orography heights.zarr:z --days 0.5 --out hills.zarr`);
    expect(refused.code).toBe(1);
    expect(refused.said).toMatch(/does not span the globe: give a map of all latitudes/);
  });

  it("after a blow-up says step, level and CFL number or that the wind is none, and keeps the last sound state", async () => {
    expect((await foehn(`${SMALL} --days 1 --checkpoint sound.restart --out x.zarr`)).code).toBe(0);
    const { config, saved } = decodeRestart(await readFile(at("sound.restart")));
    await writeFile(at("mad.restart"), encodeRestart(config, perturbed(saved, { seed: 1, amplitude: 1000 })));
    const { code, said } = await foehn("simulate --restart mad.restart --days 1 --out mad.zarr");
    expect(code).toBe(1);
    expect(said).toMatch(
      /blew up in step \d+ .* at level \d: wind .*; the last sound state is in .*mad.zarr.last-good.restart/,
    );
    const kept = decodeRestart(await readFile(at("mad.zarr.last-good.restart")));
    expect(kept.saved.steps).toBeGreaterThanOrEqual(saved.steps);
  });

  it.each([
    ["simulate --days 1", /Give --out/],
    [`${SMALL} --days 1 --years 1 --out x.zarr`, /give --days or --years, not both/],
    [`${SMALL} --co2 plenty --out x.zarr`, /cannot be read as a table of CO2: check the path, or give 420/],
    [`${SMALL} --co2 5 --out x.zarr`, /10 to 20000 ppm/],
    [`${SMALL} --step 5000 --out x.zarr`, /does not divide the output interval|Coriolis/],
    ["simulate --truncation T63 --step 3600 --out x.zarr", /unstable at T63.* take \d+ s or less/],
    ["simulate --days 0 --out x.zarr", /0 days of weather: give --days or --years more than 0/],
    ["simulate --truncation fine --out x.zarr", /truncation 'fine' is not known: write T21/],
    [
      "simulate --model moist --land everywhere --out x.zarr",
      /everywhere: no land can be read there: give none, idealised or a dataset/,
    ],
    ["simulate --co2 560 --out x.zarr", /co2 means nothing to the dry model: leave it out, or take --model moist/],
    [`${SMALL} --co2 -5 --out x.zarr`, /CO2 of -5 ppm is not possible/],
    ["simulate error-growth --days 1", /growth over 1 days cannot be measured/],
    ["simulate --members 0 --days 1 --out x.zarr", /ensemble of 0 members: give a whole number from 1/],
    ["simulate --restart nowhere.restart --out x.zarr", /give a file that --checkpoint wrote/],
    ["simulate network whole.zarr --stations 3 --gaps 1 --out x.zarr", /--gaps 1: give a share from 0/],
    ["simulate network whole.zarr --stations 3 --region 1,2 --out x.zarr", /give four numbers/],
    ["simulate twin whole.zarr --to T21 --out x.zarr", /T21 is not below the truth's T10/],
    ["simulate climate --model barotropic --out x.html", /one layer and no climate/],
  ])("%s is refused with the remedy", async (line, remedy) => {
    const { code, said } = await foehn(line);
    expect(code).toBeGreaterThan(0);
    expect(said).toMatch(remedy);
  });
});

describe("experiments", () => {
  it("a network's stores hold each owner's stations, their heights above the simulated ground", async () => {
    const { code, said } = await foehn(
      "simulate network whole.zarr --stations 12 --density whole.zarr:land_sea_mask --owners roads,farms --split --seed 3 --out st.zarr",
    );
    expect([code, said]).toEqual([0, ""]);
    const [a, b] = await Promise.all(["roads", "farms"].map((o) => values(`st-${o}.zarr`, "latitude")));
    expect(a.length + b.length).toBe(12);
    expect(await values("st-roads.zarr", "elevation")).toHaveLength(a.length);
    expect(await values("st-roads.zarr", "2m_temperature")).toHaveLength(4 * a.length);
  });

  it("a twin is coarser and keeps the global mean", async () => {
    expect((await foehn("simulate twin whole.zarr --to T6 --out twin.zarr")).code).toBe(0);
    // Area means by the cosine of latitude, good to a tenth of a kelvin on either grid.
    const mean = async (store: string): Promise<number> => {
      const [lats, t] = [await values(store, "latitude"), await values(store, "2m_temperature")];
      const nlon = t.length / 4 / lats.length;
      const w = lats.map((l) => Math.cos((l * Math.PI) / 180));
      const sum = w.reduce((s, x) => s + x, 0) * nlon;
      return w.reduce((s, x, j) => s + x * t.slice(j * nlon, (j + 1) * nlon).reduce((a, v) => a + v, 0), 0) / sum;
    };
    expect(Math.abs((await mean("twin.zarr")) - (await mean("whole.zarr")))).toBeLessThan(0.1);
  });

  it("error growth and climate are printed", async () => {
    const growth = await foehn("simulate error-growth --truncation T10 --levels 3 --spinup 2 --days 4 --quiet --json");
    expect((JSON.parse(growth.result) as { rms: number[] }).rms).toHaveLength(4);
    const climate = await foehn(
      "simulate climate --truncation T10 --levels 3 --spinup 1 --years 0.02 --quiet --out climate.html",
    );
    expect(climate.result).toMatch(/jets in winter, north; south: .*storm tracks/s);
    expect(await readFile(at("climate.html"), "utf8")).toMatch(
      /<svg .*zonal-mean zonal wind at 10 m.*What is observed on Earth/s,
    );
  });
});
