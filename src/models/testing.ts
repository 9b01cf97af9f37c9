/** Models on small grids, for the tests of architectures: built, filled with numbers, run, differentiated along a direction. */
import { initialise, type Parameters, scope } from "../engine/parameters.js";
import type { Runtime } from "../engine/runtime.js";
import { exportOnnx } from "../graph/export.js";
import { gradients } from "../graph/grad.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { mul, reduceSum } from "../graph/ops.js";
import { float32, type NdArray, sizeOf } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { type ModelConfig, type ModelVariable, resolveModel } from "./index.js";

export const noise = (shape: readonly number[], seed: number): NdArray<"float32"> => {
  const rng = random(seed);
  return float32(
    [...shape],
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
};

export interface Build {
  batch?: number;
  /** Names of the variables. */
  names?: readonly string[];
  /** Maps of each variable. */
  each?: number;
  /** Maps that belong to none. */
  shared?: number;
  latitudes?: readonly number[];
  longitudes?: readonly number[];
  global?: boolean;
  condition?: number;
}

export interface Built {
  readonly graph: Graph;
  readonly y: Tensor;
  /** As a training run starts them, and with every one moved away from there. */
  readonly start: Parameters;
  readonly parameters: Parameters;
  readonly inputs: { fields: NdArray<"float32">; condition: NdArray<"float32"> };
}

const spaced = (n: number, from: number, step: number) => Array.from({ length: n }, (_, i) => from + i * step);
/** Row and column middles of a grid over the whole globe. */
export const globe = (rows: number, columns: number) => ({
  latitudes: spaced(rows, 90 - 90 / rows, -180 / rows),
  longitudes: spaced(columns, 0, 360 / columns),
  global: true,
});

/** The model with every parameter away from its zero start; fields hold each variable's maps one variable after the other. */
export function build(config: ModelConfig, options: Build = {}): Built {
  const { batch = 2, names = ["2m_temperature", "geopotential@500"], each = 1, shared = 1, condition = 4 } = options;
  const { latitudes = spaced(6, 50, -2), longitudes = spaced(8, 350, 2.5), global = false } = options;
  const graph = new Graph("model");
  const p = scope(graph);
  const { architecture, settings } = resolveModel(config);
  const shape = [batch, names.length * each + shared, latitudes.length, longitudes.length];
  const y = architecture.write(
    p,
    {
      fields: graph.input("fields", "float32", shape),
      condition: graph.input("condition", "float32", [batch, condition]),
      channels: names.length,
      global,
      variables: names.map((name, v): ModelVariable => ({ name, maps: spaced(each, v * each, 1) })),
      shared: shared > 0 ? [{ name: "place", maps: spaced(shared, names.length * each, 1) }] : [],
      latitudes,
      longitudes,
    },
    settings,
  );
  // Numbers by name, so that two graphs that share parameters share their numbers
  const start = initialise(p, { seed: 1 });
  const parameters: Parameters = new Map(
    [...start].map(([name, a]) => {
      const rng = random(3).split(name);
      return [name, { ...a, data: a.data.map((v) => v + 0.05 * rng.normal()) }];
    }),
  );
  return { graph, y, start, parameters, inputs: { fields: noise(shape, 7), condition: noise([batch, condition], 8) } };
}

/** The model's answer, its parameters written into the file. */
export async function answer(
  runtime: Runtime,
  { graph, y, parameters, inputs }: Built,
  fields = inputs.fields,
): Promise<NdArray<"float32">> {
  const session = await runtime.load(exportOnnx(graph, { outputs: new Map([["y", y]]), parameters }));
  const result = await session.run({ ...inputs, fields });
  await session.close();
  return result["y"] as NdArray<"float32">;
}

/** Slope of a weighted sum of the answer along a random direction of all parameters: by the gradient, and by differences. */
export async function slopes(
  runtime: Runtime,
  { graph, y, parameters, inputs }: Built,
  h = 1e-3,
): Promise<{ gradient: number; difference: number; unreached: string[] }> {
  const loss = reduceSum(mul(y, graph.constant(noise(y.shape, 11), "weights")));
  const grads = gradients(loss, graph.parameters);
  const outputs = new Map([["loss", loss], ...graph.parameters.map((p, i) => [`g/${p.name}`, grads[i]] as const)]);
  const session = await runtime.load(exportOnnx(graph, { outputs }));
  const directions = new Map([...parameters].map(([name, a], i) => [name, noise([a.data.length], 100 + i).data]));
  const at = (step: number) =>
    session.run({
      ...inputs,
      ...Object.fromEntries(
        [...parameters].map(([name, a]) => [
          name,
          { ...a, data: a.data.map((v, k) => v + step * directions.get(name)![k]) },
        ]),
      ),
    });
  const here = await at(0);
  let gradient = 0;
  const unreached: string[] = [];
  for (const [name, direction] of directions) {
    const g = here[`g/${name}`].data as Float32Array;
    g.forEach((v, k) => (gradient += v * direction[k]));
    if (g.every((v) => v === 0)) unreached.push(name);
  }
  // Richardson's extrapolation of two central differences: their h^2 errors cancel, so that h can stay large for float32

  const central = async (step: number) =>
    (Number((await at(step))["loss"].data[0]) - Number((await at(-step))["loss"].data[0])) / (2 * step);
  return { gradient, difference: (4 * (await central(h)) - (await central(2 * h))) / 3, unreached };
}

/** Columns moved around by `by`: column j of the result is column j + by. */
export function rolled(a: NdArray<"float32">, by: number): NdArray<"float32"> {
  const width = a.shape[a.shape.length - 1];
  const data = a.data.map((_, i, all) => all[i - (i % width) + (((i % width) + by) % width)]);
  return { ...a, data };
}

/** The largest difference between two arrays. */
export const apart = (a: NdArray, b: NdArray): number =>
  (a.data as Float32Array).reduce((most, v, i) => Math.max(most, Math.abs(v - Number(b.data[i]))), 0);
