import { beforeAll, describe, expect, it } from "vitest";
import type { Parameters } from "../engine/parameters.js";
import type { Runtime } from "../engine/runtime.js";
import { openInline } from "../engine/runtime.node.js";
import { exportOnnx } from "../graph/export.js";
import { importOnnx } from "../graph/import.js";
import type { NdArray } from "../tensor/ndarray.js";
import { architecture, ARCHITECTURES, type ModelConfig, resolveModel } from "./index.js";
import { answer, apart, build, type Built, globe, rolled, slopes } from "./testing.js";

/** What each architecture promises, on a configuration small enough to test. */
interface Promises {
  config: ModelConfig;
  /** A permutation of the variables permutes the answer. */
  permutes?: boolean;
  /** Any part of the variables, on any grid, takes that part of the parameters. */
  anywhere?: boolean;
  /** Only for grids around the globe. */
  onGlobes?: boolean;
  /** Columns by which the answer rolls with the fields on a globe of 8 x 16; with their longitudes too for `geographic`. */
  rolls?: { by: number; with: "fields" | "longitudes" };
  /** Parameters put to zero for that: positions learnt for a grid. */
  without?: string;
  /** The gradient's check for a network with kinks: its step, and how far the slopes may lie apart. */
  kinks?: { step: number; tolerance: number };
  /** A setting that cannot be, and what the error says. */
  refuses: [Record<string, unknown>, RegExp];
}

const NAMES = ["2m_temperature", "geopotential@500", "temperature@500"];
const TINY = { width: 16, depth: 1, heads: 2, dropout: 0 };
const table: Promises[] = [
  {
    config: { name: "vit", ...TINY, headDepth: 1 },
    refuses: [{ patch: [2, 0] }, /a patch of 2 x 0 points is not possible/],
  },
  {
    config: { name: "unet", width: 8, depth: 1, dropout: 0 },
    rolls: { by: 4, with: "fields" },
    without: "position",
    refuses: [{ width: 2 }, /width 2 is too small/],
  },
  {
    config: { name: "climax", ...TINY, headDepth: 1 },
    permutes: true,
    anywhere: true,
    rolls: { by: 2, with: "longitudes" },
    refuses: [{ position: "polar" }, /position 'polar' is not known/],
  },
  {
    config: { name: "stormer", ...TINY },
    permutes: true,
    anywhere: true,
    rolls: { by: 2, with: "longitudes" },
    refuses: [{ heads: 5 }, /width 16 is not a multiple of its 5 heads/],
  },
  {
    config: { name: "swin", ...TINY, depth: 2, coarseDepth: 2, window: [2, 2, 2] },
    permutes: true,
    rolls: { by: 8, with: "longitudes" },
    refuses: [{ window: [2, 0, 4] }, /a window of 2 x 0 x 4 tokens is not possible/],
  },
  {
    config: { name: "wxformer", ...TINY, stages: 2, window: 2 },
    rolls: { by: 8, with: "fields" },
    refuses: [{ width: 12 }, /width 12 is not a multiple of its 2 heads and of 8/],
  },
  {
    config: { name: "masked", ...TINY, window: [2, 2] },
    permutes: true,
    anywhere: true,
    rolls: { by: 4, with: "longitudes" },
    refuses: [{ hidden: 1 }, /hidden 1 is not a part of the tokens/],
  },
  {
    config: { name: "met2", ...TINY },
    permutes: true,
    anywhere: true,
    rolls: { by: 2, with: "longitudes" },
    refuses: [{ heads: 3 }, /width 16 is not a multiple of its 3 heads/],
  },
  {
    config: { name: "pointwise", ...TINY },
    permutes: true,
    anywhere: true,
    rolls: { by: 2, with: "longitudes" },
    refuses: [{ queryDepth: 0 }, /queryDepth 0 leaves the queries without the grid/],
  },
  {
    config: { name: "lka", width: 8, depth: 1, dropout: 0 },
    rolls: { by: 2, with: "fields" },
    refuses: [{ width: 2 }, /width 2 is too small/],
  },
  {
    config: { name: "sfno", width: 8, depth: 1, dropout: 0 },
    onGlobes: true,
    rolls: { by: 1, with: "fields" },
    refuses: [{ truncation: -1 }, /truncation -1 is not possible/],
  },
  {
    config: { name: "resnet", width: 8, depth: 1, dropout: 0 },
    kinks: { step: 2e-3, tolerance: 0.1 },
    rolls: { by: 1, with: "fields" },
    refuses: [{ width: 2 }, /width 2 is too small/],
  },
];

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
});

it("has every architecture in this table", () => {
  expect(table.map((t) => t.config.name).sort()).toEqual([...ARCHITECTURES].sort());
});

describe.each(table)("$config.name", ({ config, permutes, anywhere, onGlobes, rolls, without, kinks, refuses }) => {
  it("has the gradient that finite differences find along a random direction, and every parameter a part in it", async () => {
    const { gradient, difference, unreached } = await slopes(
      runtime,
      build(config, { batch: 1, names: NAMES, ...(onGlobes ? globe(6, 8) : {}) }),
      kinks?.step,
    );
    expect(unreached).toEqual([]);
    expect(Math.abs(difference - gradient)).toBeLessThan((kinks?.tolerance ?? 0.01) * Math.abs(gradient) + 0.05);
  });

  it("gives the maps asked for on grids that its patches do not divide", () => {
    const odd = { latitudes: [40, 39, 38, 37, 36, 35, 34], longitudes: [0, 1, 2, 3, 4, 5, 6, 7, 8] };
    expect(build(config, onGlobes ? globe(7, 9) : odd).y.shape).toEqual([2, 2, 7, 9]);
  });

  it("gives the first guess before it has learnt", async () => {
    const built = build(config, globe(8, 16));
    const y = await answer(runtime, { ...built, parameters: built.start });
    expect(y.data.every((v) => v === 0)).toBe(true);
  });

  it("gives the same numbers from its file, read back and written again", async () => {
    const built = build(config, globe(8, 16));
    const { graph, y, parameters } = built;
    const fed = await runtime.load(exportOnnx(graph, { outputs: new Map([["y", y]]) }));
    const expected = (await fed.run({ ...built.inputs, ...Object.fromEntries(parameters) }))["y"];
    expect(apart(await answer(runtime, built), expected)).toBeLessThan(1e-5);
    const model = importOnnx(exportOnnx(graph, { outputs: new Map([["y", y]]), parameters }), { source: "model.onnx" });
    const again = await runtime.load(exportOnnx(model.graph, { parameters: model.parameters }));
    expect(apart((await again.run(built.inputs))["y"], expected)).toBeLessThan(1e-5);
  });

  it("refuses settings that it does not have, or cannot have", () => {
    expect(() => resolveModel({ ...config, dropuot: 3 })).toThrow(/model.dropuot: .* did you mean 'dropout'/);
    expect(() => resolveModel({ ...config, width: "wide" })).toThrow(/model.width is "wide", but a number is needed/);
    expect(() => resolveModel({ ...config, ...refuses[0] })).toThrow(refuses[1]);
  });

  it.runIf(rolls)("rolls with the longitude on a globe", async () => {
    const { by, with: what } = rolls!;
    const grid = globe(8, 16);
    const straight = withoutPosition(build(config, grid), without);
    const longitudes = [...grid.longitudes.slice(by), ...grid.longitudes.slice(0, by)];
    const moved = what === "fields" ? straight : build(config, { ...grid, longitudes });
    const expected = rolled(await answer(runtime, straight), by);
    const got = await answer(
      runtime,
      { ...moved, parameters: straight.parameters },
      rolled(straight.inputs.fields, by),
    );
    expect(apart(got, expected)).toBeLessThan(2e-5);
    expect(apart(got, await answer(runtime, straight))).toBeGreaterThan(1e-3);
  });

  it.runIf(!anywhere)("does not claim to take any variables", () => {
    expect(architecture(config.name).anyVariables ?? false).toBe(false);
  });

  it.runIf(permutes)("permutes its answer with its variables", async () => {
    const order = [2, 0, 1];
    const one = build(config, { names: NAMES, each: 2, batch: 1 });
    const other = build(config, { names: order.map((i) => NAMES[i]), each: 2, batch: 1 });
    const [, , height, width] = one.inputs.fields.shape;
    const cells = height * width;
    const pick = (a: NdArray<"float32">, maps: number[]) => ({
      ...a,
      data: Float32Array.from(maps.flatMap((m) => [...a.data.subarray(m * cells, (m + 1) * cells)])),
    });
    const fields = pick(one.inputs.fields, [...order.flatMap((i) => [2 * i, 2 * i + 1]), 6]);
    const expected = pick(await answer(runtime, one), order);
    expect(apart(await answer(runtime, { ...other, parameters: one.parameters }, fields), expected)).toBeLessThan(1e-5);
  });

  it.runIf(anywhere)(
    "takes any part of the variables with that part of the parameters, on any grid and at one point",
    () => {
      expect(architecture(config.name).anyVariables).toBe(true); // which `foehn forecast` goes by
      const whole = build(config, { names: NAMES });
      const elsewhere: Parameters = build(config, { names: ["temperature@500"], ...globe(5, 9) }).parameters;
      const station = build(config, { names: ["2m_temperature"], latitudes: [47.3], longitudes: [11.4] });
      for (const part of [elsewhere, station.parameters])
        for (const [name, a] of part) expect([name, a.shape]).toEqual([name, whole.parameters.get(name)?.shape]);
      expect(station.y.shape).toEqual([2, 1, 1, 1]);
    },
  );
});

const zeroed = (a: NdArray<"float32">): NdArray<"float32"> => ({ ...a, data: new Float32Array(a.data.length) });

function withoutPosition(built: Built, name?: string): Built {
  if (name === undefined) return built;
  return { ...built, parameters: new Map(built.parameters).set(name, zeroed(built.parameters.get(name)!)) };
}

it("names the nearest architecture", () => {
  expect(() => architecture("vitt")).toThrow(/did you mean 'vit'/);
});
