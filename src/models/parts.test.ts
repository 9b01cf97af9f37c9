/** The parts of the architectures against what they should be by another way. */
import { beforeAll, describe, expect, it } from "vitest";
import { feedDropout } from "../engine/dropout.js";
import { initialise, scope } from "../engine/parameters.js";
import type { Runtime } from "../engine/runtime.js";
import { openInline } from "../engine/runtime.node.js";
import { exportOnnx } from "../graph/export.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { sphericalTransform } from "../simulator/transform.js";
import { float32, type NdArray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { type ModelConfig, resolveModel } from "./index.js";
import { writeAt } from "./pointwise.js";
import { adaptPositions, interpolatePositions } from "./position.js";
import { harmonics } from "./harmonics.js";
import { spectralLayer } from "./sfno.js";
import { largestSingularValue } from "./spectral-norm.js";
import { padSphere } from "./sphere.js";
import { apart, build, globe, noise } from "./testing.js";
import { aggregateVariables } from "./tokens.js";
import { fromWindows, intoWindows, windowBias, windowsOf } from "./windows.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
});

/** Runs what `write` makes of the fed arrays. */
async function run(feeds: Record<string, NdArray<"float32">>, write: (inputs: Tensor[]) => Tensor) {
  const graph = new Graph("part");
  const y = write(Object.entries(feeds).map(([name, a]) => graph.input(name, "float32", a.shape)));
  const session = await runtime.load(exportOnnx(graph, { outputs: new Map([["y", y]]) }));
  return (await session.run(feeds))["y"] as NdArray<"float32">;
}

it("draws variables together as multi-head attention with one query does, token by token", async () => {
  const [count, n, width, heads] = [3, 4, 8, 2];
  const graph = new Graph("aggregate");
  const p = scope(graph);
  const y = aggregateVariables(p, graph.input("x", "float32", [count, n, width]), heads);
  const parameters = initialise(p, { seed: 2 });
  for (const [name, a] of parameters) parameters.set(name, { ...a, data: noise(a.shape, name.length).data });
  const x = noise([count, n, width], 5);
  const session = await runtime.load(exportOnnx(graph, { outputs: new Map([["y", y]]), parameters }));
  const got = (await session.run({ x }))["y"].data as Float32Array;

  const get = (name: string) => parameters.get(name)!.data;
  const times = (v: ArrayLike<number>, w: string, b?: string) =>
    Array.from({ length: width }, (_, j) =>
      Array.from(v).reduce((sum, a, i) => sum + a * get(w)[i * width + j], b ? get(b)[j] : 0),
    );
  const d = width / heads;
  const q = times(get("query"), "q.w", "q.b");
  for (let k = 0; k < n; k++) {
    const tokens = Array.from({ length: count }, (_, v) => x.data.slice((v * n + k) * width, (v * n + k + 1) * width));
    const [keys, values] = [tokens.map((t) => times(t, "k.w")), tokens.map((t) => times(t, "v.w", "v.b"))];
    const mixed = Array.from({ length: width }, (_, j) => {
      const h = Math.floor(j / d);
      const scores = keys.map((key) => {
        let s = 0;
        for (let i = h * d; i < (h + 1) * d; i++) s += (q[i] * key[i]) / Math.sqrt(d);
        return Math.exp(s);
      });
      const total = scores.reduce((a, b) => a + b, 0);
      return values.reduce((sum, value, v) => sum + (scores[v] / total) * value[j], 0);
    });
    times(mixed, "o.w", "o.b").forEach((v, j) => expect(got[k * width + j]).toBeCloseTo(v, 3));
  }
});

describe("learnt positions", () => {
  it("are interpolated: unchanged on their own grid, exact for a slope, closed around the globe", () => {
    const slope = float32(
      [4, 4, 1],
      Array.from({ length: 16 }, (_, i) => Math.floor(i / 4)),
    );
    expect(interpolatePositions(slope, 4, 4, true).data).toEqual(slope.data);
    const finer = interpolatePositions(slope, 8, 8, true);
    for (const row of [1, 2, 3, 4, 5, 6]) expect(finer.data[row * 8]).toBeCloseTo((row + 0.5) / 2 - 0.5, 6);
    const bump = float32([1, 4, 1], [1, 0, 0, 0]);
    const [first, last] = [interpolatePositions(bump, 1, 8, true), interpolatePositions(bump, 1, 8, false)];
    expect([first.data[7], last.data[7]]).toEqual([0.25, 0]); // the last column lies beside the first
  });

  it("take a model to another grid", () => {
    const config = { name: "climax", width: 8, heads: 2, depth: 1, position: "learnt" };
    const small = build(config, globe(4, 8));
    const p = scope(new Graph("large"));
    p.param("position", [4, 8, 8], (shape) => new Float32Array(shape[0] * shape[1] * shape[2]));
    const adapted = adaptPositions(small.parameters, p, true);
    expect(small.parameters.get("position")!.shape).toEqual([2, 4, 8]);
    expect(adapted.get("position")!.shape).toEqual([4, 8, 8]);
    expect(adapted.get("norm.scale")).toBe(small.parameters.get("norm.scale"));
  });
});

describe("windows", () => {
  const size = [3, 5, 8] as const;
  it.each([false, true])("are put back where they came from (shifted %s)", async (shifted) => {
    const at = windowsOf(size, [2, 3, 4], { global: true, shifted });
    const x = noise([2, ...size, 3], 4);
    expect(apart(await run({ x }, ([t]) => fromWindows(intoWindows(t, at), at)), x)).toBe(0);
  });

  it("let through only what lies together on the Earth", async () => {
    const at = windowsOf(size, [2, 3, 4], { global: true, shifted: true });
    // Every token carries its slab, row and column; padding carries nothing
    const places = Array.from({ length: 120 }, (_, i) => [
      1 + Math.floor(i / 40),
      1 + (Math.floor(i / 8) % 5),
      1 + (i % 8),
    ]);
    const x = float32([1, ...size, 3], places.flat());
    const inside = await run({ x }, ([t]) => intoWindows(t, at));
    const [, nc, nw, length] = inside.shape;
    const graph = new Graph("bias");
    const p = scope(graph);
    const bias = windowBias(p, at, 2);
    const session = await runtime.load(
      exportOnnx(graph, { outputs: new Map([["y", bias]]), parameters: initialise(p, { seed: 1 }) }),
    );
    const y = (await session.run({}))["y"];
    expect(y.shape).toEqual([1, nc, nw, 2, length, length]);
    const at3 = (w: number, i: number) => Array.from(inside.data.slice((w * length + i) * 3, (w * length + i + 1) * 3));
    for (let w = 0; w < nc * nw; w++)
      for (let i = 0; i < length; i++)
        for (let j = 0; j < length; j++) {
          const [a, b] = [at3(w, i), at3(w, j)];
          // Columns may lie on either side of the first; slabs and rows within a window's reach of each other
          const together = a[0] > 0 && b[0] > 0 && Math.abs(a[0] - b[0]) < 2 && Math.abs(a[1] - b[1]) < 3;
          const open = Number(y.data[(w * 2 * length + i) * length + j]) === 0;
          if (a[0] > 0 || b[0] > 0) expect([w, i, j, open]).toEqual([w, i, j, together]);
        }
  });
});

it("continues maps across the poles: the other side of the globe, seen from there", async () => {
  const { latitudes, longitudes } = globe(4, 8);
  // A function on the sphere knows its values beyond the pole
  const f = (lat: number, lon: number) => {
    const [phi, lambda] = [(lat * Math.PI) / 180, (lon * Math.PI) / 180];
    return Math.cos(phi) * Math.cos(lambda - 0.3) + 0.5 * Math.sin(2 * phi) * Math.sin(lambda);
  };
  const x = float32(
    [1, 1, 4, 8],
    latitudes.flatMap((lat) => longitudes.map((lon) => f(lat, lon))),
  );
  const y = await run({ x }, ([t]) =>
    padSphere(t, { north: 2, south: 1, west: 3, east: 9 }, { latitudes, global: true }),
  );
  expect(y.shape).toEqual([1, 1, 7, 20]);
  for (let i = 0; i < 7; i++)
    for (let j = 0; j < 20; j++) expect(y.data[i * 20 + j]).toBeCloseTo(f(67.5 + 45 * (2 - i), 45 * (j - 3)), 5);
});

it("finds the largest singular value, not below nine tenths where another one is near", async () => {
  const diagonal = float32([3, 3], [2, 0, 0, 0, -1, 0, 0, 0, 0.5]);
  expect((await run({ w: diagonal }, ([w]) => largestSingularValue(w))).data[0]).toBeCloseTo(2, 2);
  const near = float32([2, 2], [1, 0, 0, 0.9]);
  const found = (await run({ w: near }, ([w]) => largestSingularValue(w))).data[0];
  expect(found).toBeGreaterThan(0.9);
  expect(found).toBeLessThanOrEqual(1.00001);
});

describe("spherical harmonics in a graph", () => {
  const T = 9;
  const transform = sphericalTransform(T, { nlat: 16, nlon: 32 });
  const { latitudes, longitudes } = transform;

  /** Zeros but for row (m, n): the harmonic's field by the atmosphere's own transform. */
  const field = (weight: (n: number) => number): NdArray<"float32"> => {
    const rng = random(4);
    const spectrum = new Float64Array(transform.rows * 2 * 2);
    for (let r = 0; r < transform.rows; r++)
      if (transform.n[r] <= T)
        for (const part of transform.m[r] === 0 ? [0] : [0, 1])
          spectrum[(r * 2 + part) * 2] = weight(transform.n[r]) * rng.normal();
    const grid = new Float64Array(16 * 32 * 2);
    transform.synthesise(spectrum, grid, 2);
    return float32(
      [1, 1, 16, 32],
      Array.from({ length: 512 }, (_, i) => grid[2 * i]),
    );
  };

  it("apply a factor for each total wavenumber, as the atmosphere's transform does", async () => {
    const factor = (n: number) => 1 / (1 + n);
    const [x, expected] = [field(() => 1), field(factor)];
    const graph = new Graph("filter");
    const p = scope(graph);
    const fields = graph.input("x", "float32", x.shape);
    const y = spectralLayer(p, fields, harmonics({ latitudes, longitudes, fields }, T), false);
    const parameters = new Map([
      [
        "w",
        float32(
          [T + 1, 1, 1],
          Array.from({ length: T + 1 }, (_, n) => factor(n)),
        ),
      ],
    ]);
    const session = await runtime.load(exportOnnx(graph, { outputs: new Map([["y", y]]), parameters }));
    expect(apart((await session.run({ x }))["y"], expected)).toBeLessThan(2e-5);
  });

  it("move every wave by a quarter of its length by a complex filter's imaginary part: a n = m = 2 wave by 45 degrees", async () => {
    const radians = Math.PI / 180;
    const wave = (east: number) =>
      float32(
        [1, 1, 16, 32],
        Array.from({ length: 512 }, (_, i) => {
          const [phi, lambda] = [latitudes[Math.floor(i / 32)] * radians, (longitudes[i % 32] - east) * radians];
          return Math.cos(phi) ** 2 * Math.cos(2 * lambda);
        }),
      );
    const graph = new Graph("filter");
    const fields = graph.input("x", "float32", [1, 1, 16, 32]);
    const y = spectralLayer(scope(graph), fields, harmonics({ latitudes, longitudes, fields }, T), true);
    // Real part 0, imaginary part 1 at every wavenumber
    const numbers = Array.from({ length: 2 * (T + 1) }, (_, k) => k % 2);
    const parameters = new Map([["w", float32([T + 1, 2, 1], numbers)]]);
    const session = await runtime.load(exportOnnx(graph, { outputs: new Map([["y", y]]), parameters }));
    expect(apart((await session.run({ x: wave(0) }))["y"], wave(45))).toBeLessThan(2e-5);
  });

  it("refuse regions and truncations that the grid does not bear", () => {
    expect(() => build({ name: "sfno" })).toThrow(/needs longitudes all around the globe/);
    expect(() => build({ name: "sfno", filters: "imaginary" }, globe(8, 16))).toThrow(/not one of complex and real/);
    expect(() => build({ name: "sfno", truncation: 9 }, globe(8, 16))).toThrow(/take 7 or less/);
  });
});

describe("forecasts at points", () => {
  const config: ModelConfig = { name: "pointwise", width: 16, heads: 2, depth: 1, dropout: 0 };
  const at = async (queries: number[][]) => {
    const built = build(config, globe(8, 16));
    const graph = new Graph("at");
    const input = graph.input("queries", "float32", [2, queries.length, 3]);
    const { settings } = resolveModel(config);
    const names = ["2m_temperature", "geopotential@500"];
    const y = writeAt(
      scope(graph),
      {
        fields: graph.input("fields", "float32", built.inputs.fields.shape),
        condition: graph.input("condition", "float32", built.inputs.condition.shape),
        channels: 2,
        variables: names.map((name, i) => ({ name, maps: [i] })),
        shared: [{ name: "place", maps: [2] }],
        ...globe(8, 16),
      },
      settings,
      input,
    );
    const session = await runtime.load(
      exportOnnx(graph, { outputs: new Map([["y", y]]), parameters: built.parameters }),
    );
    const fed = float32([2, queries.length, 3], [...queries, ...queries].flat());
    const { y: values } = await session.run({ ...built.inputs, queries: fed });
    return { built, values: values.data as Float32Array };
  };

  it("are the grid's at its points, know no date line, and tell elevations apart", async () => {
    const { latitudes, longitudes } = globe(8, 16);
    const { built, values } = await at([
      [latitudes[2], longitudes[5], 0],
      [47, 358, 500],
      [47, -2, 500],
      [47, -2, 2500],
    ]);
    const session = await runtime.load(
      exportOnnx(built.graph, { outputs: new Map([["y", built.y]]), parameters: built.parameters }),
    );
    const maps = (await session.run(built.inputs))["y"].data;
    for (const v of [0, 1]) {
      expect(values[v]).toBeCloseTo(Number(maps[v * 128 + 2 * 16 + 5]), 4);
      expect(values[2 + v]).toBeCloseTo(values[4 + v], 4);
      expect(Math.abs(values[4 + v] - values[6 + v])).toBeGreaterThan(1e-3);
    }
  });
});

it("hides the part of the tokens that it is told to, the same for all of a token, and none in a forecast", async () => {
  const graph = new Graph("masked");
  const p = scope(graph);
  const dropout = feedDropout(graph);
  const { architecture, settings } = resolveModel({ name: "masked", width: 16, heads: 2, depth: 1, hidden: 0.75 });
  const grid = globe(16, 32);
  const inputs = {
    fields: graph.input("fields", "float32", [1, 1, 16, 32]),
    condition: graph.input("condition", "float32", [1, 4]),
    channels: 1,
    variables: [{ name: "2m_temperature", maps: [0] }],
    shared: [],
    ...grid,
  };
  architecture.write(p, { ...inputs, dropout }, settings);
  const [mask] = Object.values(dropout.draw(random(1)));
  expect(mask.shape).toEqual([1, 128, 1]);
  const kept = Array.from(mask.data as Float32Array).filter((v) => v > 0);
  expect(kept.length / 128).toBeGreaterThan(0.15);
  expect(kept.length / 128).toBeLessThan(0.35);
  expect(graph.parameters.some((t) => t.name === "hidden")).toBe(true);
  expect(build({ name: "masked", hidden: 0.75 }).parameters.has("hidden")).toBe(false);
});
