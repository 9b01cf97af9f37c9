import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCoordinate } from "../../data/coords.js";
import { type Dataset, memoryDataset, type MemoryVariable, type Selection, variable } from "../../data/dataset.js";
import { formatNpy } from "../../data/npy.js";
import { openDataset } from "../../data/open.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { add, concat, mul, reduceSum, reshape, slice } from "../../graph/ops.js";
import { float32, toNumbers } from "../../tensor/ndarray.js";
import { LEVELS_13 } from "./contract.js";
import { fengwu } from "./fengwu.js";
import { fuxi, timeEmbedding } from "./fuxi.js";
import { published } from "./index.js";
import { lastJump } from "../forecast/leads.js";
import { pangu } from "./pangu.js";
import { writePublishedForecast } from "./run.node.js";

/** The signatures of the published files on a grid of 45 degrees. */
const [H, W] = [5, 8];
const START = Date.UTC(2020, 5, 1, 12);

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  folder = await mkdtemp(path.join(tmpdir(), "foehn-published-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Three states six hours apart, as a centre's file has them: geopotential height, pressure in hPa, humidity in percent, north last. */
function analysis(options: { without?: string } = {}): Dataset {
  const times = [-6, 0, 6];
  const axis = (name: string, values: number[], attrs: Record<string, string>): MemoryVariable => ({
    dims: [name],
    data: { dtype: "float64", shape: [values.length], data: Float64Array.from(values) },
    attrs,
  });
  const field = (base: number, units: string, attrs: Record<string, string> = {}, levels?: readonly number[]) => {
    const shape = [times.length, ...(levels ? [levels.length] : []), H, W];
    const data = new Float32Array(shape.reduce((a, b) => a * b));
    const perTime = data.length / times.length;
    // Every state differs from the others, every row from the next
    data.forEach((_, i) => (data[i] = base + Math.floor(i / perTime) + 0.01 * (Math.floor(i / W) % H)));
    return {
      dims: ["time", ...(levels ? ["level"] : []), "latitude", "longitude"],
      data: float32(shape, data),
      attrs: { units, ...attrs },
    };
  };
  const levels = [...LEVELS_13];
  const all: Record<string, MemoryVariable> = {
    time: axis(
      "time",
      times.map((h) => (START + h * 3_600_000) / 3_600_000),
      { units: "hours since 1970-01-01" },
    ),
    level: axis("level", levels, { units: "hPa" }),
    latitude: axis("latitude", [-90, -45, 0, 45, 90], { units: "degrees_north" }),
    longitude: axis(
      "longitude",
      Array.from({ length: W }, (_, j) => 45 * j),
      { units: "degrees_east" },
    ),
    z: field(5000, "m2 s-2", {}, levels),
    t: field(250, "K", {}, levels),
    u: field(10, "m s-1", {}, levels),
    v: field(-3, "m s-1", {}, levels),
    q: field(0.001, "kg kg-1", {}, levels),
    r: field(40, "%", {}, levels),
    msl: field(1013, "hPa"),
    u10: field(5, "m s-1"),
    v10: field(2, "m s-1"),
    t2m: field(15, "degC"),
  };
  if (options.without !== undefined) delete all[options.without];
  return memoryDataset(all);
}

const read = async (dataset: Dataset, name: string, lead: number, level?: number): Promise<number[]> => {
  const at: Selection = { time: 0, lead_time: lead };
  const levels = level === undefined ? [] : [...(await readCoordinate(dataset, "level"))];
  const selection = level === undefined ? at : { ...at, level: levels.indexOf(level) };
  return Array.from(toNumbers(await variable(dataset, name).read(selection)));
};

const save = async (name: string, graph: Graph): Promise<void> => writeFile(path.join(folder, name), exportOnnx(graph));
const forecast = async (model: Parameters<typeof writePublishedForecast>[0]["model"], maxLead: number) => {
  const out = path.join(folder, `${model.name}.zarr`);
  const made = await writePublishedForecast({
    model,
    weights: folder,
    dataset: analysis(),
    runtime,
    out,
    maxLead,
    starts: [START, START + 1],
  });
  return { made, dataset: await openDataset(out) };
};

describe("Pangu-Weather", () => {
  it("goes to each lead by the fewest steps", () => {
    expect([1, 3, 5, 6, 23, 24, 30, 33, 48].map((lead) => lastJump(lead, [24, 6, 3, 1]))).toEqual([
      1, 3, 1, 6, 1, 24, 6, 3, 24,
    ]);
  });

  it("feeds Z, Q, T, U, V from 1000 hPa up and four fields at the surface; a day is one step of the daily model", async () => {
    for (const hours of [6, 24]) {
      const graph = new Graph("pangu");
      const upper = graph.input("input", "float32", [5, 13, H, W]);
      const surface = graph.input("input_surface", "float32", [4, H, W]);
      const step = (x: Tensor) => (hours === 24 ? mul(x, 2) : add(x, 6));
      graph.output("output", step(upper));
      graph.output("output_surface", step(surface));
      await save(`pangu_weather_${hours}.onnx`, graph);
    }
    const { made, dataset } = await forecast(pangu, 30);
    expect(made).toEqual({ starts: 1, zeros: [] });
    // 2 m temperature: 15 degC of the second state is 16 degC; rows run from north to south
    const north = 273.15 + 16.04;
    expect((await read(dataset, "2m_temperature", 0))[0]).toBeCloseTo(north + 6, 3);
    expect((await read(dataset, "2m_temperature", 3))[0]).toBeCloseTo(2 * north, 3); // not four steps of six hours
    expect((await read(dataset, "2m_temperature", 4))[0]).toBeCloseTo(2 * north + 6, 3);
    expect((await read(dataset, "mean_sea_level_pressure", 0))[H * W - 1]).toBeCloseTo(101_400 + 6, 1);
    expect((await read(dataset, "geopotential", 3, 500))[0]).toBeCloseTo(2 * 5001.04, 1);
    await dataset.close();
  });
});

describe("FuXi", () => {
  it("embeds time as its authors do", () => {
    // 2020-06-01 12 UTC: day 153 of the year
    const [doy, hour] = [153 / 366, 12 / 24];
    const middle = [...timeEmbedding(START).slice(4, 8)];
    [Math.sin(doy), Math.sin(hour), Math.cos(doy), Math.cos(hour)].forEach((v, i) =>
      expect(middle[i]).toBeCloseTo(v, 6),
    );
  });

  it("steps two states in three stages, humidity in percent, precipitation zero where unknown", async () => {
    for (const [stage, grow] of Object.entries({ short: 1, medium: 100, long: 10_000 })) {
      const graph = new Graph("fuxi");
      const input = graph.input("input", "float32", [1, 2, 70, H, W]);
      const temb = graph.input("temb", "float32", [1, 12]);
      const part = (k: number) => slice(input, [{ axis: 1, start: k, end: k + 1 }]);
      const mark = mul(reshape(reduceSum(temb), [1, 1, 1, 1, 1]), 0); // the embedding is an input that is used
      graph.output(stage === "short" ? "15379" : "output", concat([part(1), add(add(part(1), grow), mark)], 1));
      await save(`${stage}.onnx`, graph);
    }
    const { made, dataset } = await forecast(fuxi, 41 * 6);
    expect(made.zeros).toEqual(["total_precipitation_6hr"]);
    const rain = async (step: number) => (await read(dataset, "total_precipitation_6hr", step - 1))[0];
    expect(await rain(20)).toBe(20);
    expect(await rain(21)).toBe(120);
    expect(await rain(41)).toBe(20 + 2000 + 10_000);
    // 41 % is fed as 41 and comes out as a fraction, one step of one percent on
    expect((await read(dataset, "relative_humidity", 0, 850))[0]).toBeCloseTo(0.4204, 4);
    await dataset.close();
  });
});

describe("FengWu", () => {
  it("standardises, steps by its first half, and gives physical units back", async () => {
    const graph = new Graph("fengwu");
    const input = graph.input("input", "float32", [1, 138, H, W]);
    const half = (k: number) => slice(input, [{ axis: 1, start: 69 * k, end: 69 * (k + 1) }]);
    graph.output("output", concat([add(half(0), half(1)), half(0)], 1));
    await save("fengwu_v2.onnx", graph);
    const mean = float32([69], new Float32Array(69).fill(2));
    const deviation = float32([69], new Float32Array(69).fill(4));
    await expect(forecast(fengwu, 6)).rejects.toThrow("data_mean.npy");
    await writeFile(path.join(folder, "data_mean.npy"), formatNpy(mean));
    await writeFile(path.join(folder, "data_std.npy"), formatNpy(deviation));
    const { dataset } = await forecast(fengwu, 12);
    const [before, now] = [5.04, 6.04]; // u10 at the first row six hours before the start, and at it
    const z = (x: number) => (x - 2) / 4;
    const first = z(before) + z(now);
    expect((await read(dataset, "10m_u_component_of_wind", 0))[0]).toBeCloseTo(4 * first + 2, 4);
    expect((await read(dataset, "10m_u_component_of_wind", 1))[0]).toBeCloseTo(4 * (z(now) + first) + 2, 4);
    await dataset.close();
  });
});

describe("what cannot be run", () => {
  it("is said with the remedy", async () => {
    expect(() => published("pango")).toThrow("did you mean 'pangu'?");
    const attempt = (changes: Partial<Parameters<typeof writePublishedForecast>[0]>) =>
      writePublishedForecast({
        model: pangu,
        weights: folder,
        dataset: analysis(),
        runtime,
        out: path.join(folder, "none.zarr"),
        maxLead: 24,
        starts: "latest",
        ...changes,
      });
    await expect(attempt({ weights: tmpdir() })).rejects.toThrow("download them from https://github.com/198808xc");
    await expect(attempt({ dataset: analysis({ without: "q" }) })).rejects.toThrow(
      "lacks 13: specific_humidity@1000, specific_humidity@925",
    );
    await expect(attempt({ model: fuxi, starts: [0, 1] })).rejects.toThrow("two states six hours apart");
  });
});
