import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { exportOnnx } from "../graph/export.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { importOnnx, type ImportedModel } from "../graph/import.js";
import {
  add,
  concat,
  conv,
  convTranspose,
  emit,
  gelu,
  layerNorm,
  linear,
  matmul,
  mul,
  pad,
  reduceMean,
  reshape,
  silu,
  slice,
  softmax,
  square,
  sub,
  transpose,
} from "../graph/ops.js";
import { float32, type NdArray, sizeOf } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { fineTune, matches } from "./fine-tune.js";
import { adamW } from "./optimiser.js";
import { initialise, scope, type Scope, one, truncatedNormal, zero } from "./parameters.js";
import { openInline } from "./runtime.node.js";
import { createTrainer } from "./train.js";

const runtime = await openInline({ threads: 1 });
const noise = (shape: readonly number[], seed: number): NdArray<"float32"> => {
  const rng = random(seed);
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
};

/** Mean squared errors of outputs to target inputs, added up. */
const against = (names: readonly string[]) => (outputs: Readonly<Record<string, Tensor>>, graph: Graph) =>
  names
    .map((n) => reduceMean(square(sub(outputs[n], graph.input(`target/${n}`, "float32", outputs[n].shape)))))
    .reduce(add);

/** Trains for some steps; what must stay stays, what must change changes, the loss falls. */
async function trains(model: ImportedModel, patterns: string[], outputs: string[], feeds: Record<string, NdArray>) {
  const task = fineTune(model, { train: patterns, loss: against(outputs) });
  const targets = outputs.map((n, i) => [`target/${n}`, noise(model.graph.outputs.get(n)!.shape, 99 + i)] as const);
  const batch = { ...feeds, ...Object.fromEntries(targets) };
  const trainer = await createTrainer(runtime, { ...task, optimiser: adamW({ weightDecay: 0 }) });
  const first = await trainer.train([batch], { learningRate: 0.01 });
  let last = first;
  for (let i = 0; i < 30; i++) last = await trainer.train([batch], { learningRate: 0.01 });
  expect(last.loss).toBeLessThan(0.95 * first.loss);
  const after = await trainer.parameters();
  for (const [name, before] of model.parameters) {
    const same = after.get(name)!.data.every((v, i) => v === before.data[i]);
    expect(same, name).toBe(!matches(name, patterns));
  }
  await trainer.close();
  return { first: first.loss, last: last.loss };
}

describe("a model exported by PyTorch", () => {
  const load = async () =>
    importOnnx(await readFile(new URL("../graph/fixtures/torch-attention.onnx", import.meta.url)), {
      source: "torch",
      dims: { batch: 2 },
    });

  it("is fine-tuned in the parameters chosen by pattern", async () => {
    await trains(await load(), ["head.*", "norm*.weight"], ["y"], { x: noise([2, 8, 3], 1) });
  });

  it("names the patterns that match nothing", async () => {
    const model = await load();
    expect(() => fineTune(model, { train: ["hed.bias"], loss: against(["y"]) })).toThrow(
      /no parameter .* matches 'hed\.bias'; did you mean 'head\.bias'\?/,
    );
  });
});

// Scaled-down graphs in the styles of two published forecasting models, written out as files and read back: inputs, outputs,
// orders and parts are those of the releases, sizes are a few grid points.
const file = (graph: Graph, p: Scope): ImportedModel =>
  importOnnx(exportOnnx(graph, { parameters: initialise(p, { seed: 1 }) }), { source: graph.name });

/** A layer-normed perceptron pair around a residual. */
function mlp(p: Scope, x: Tensor, width: number): Tensor {
  const h = layerNorm(x, p.param("norm.g", [width], one), p.param("norm.b", [width], zero));
  const up = gelu(
    linear(h, p.param("up", [width, 2 * width], truncatedNormal(0.2)), p.param("up.b", [2 * width], zero)),
  );
  return add(
    x,
    linear(up, p.param("down", [2 * width, width], truncatedNormal(0.2)), p.param("down.b", [width], zero)),
  );
}

/** Attention within windows of `window` tokens after a roll along longitude, with an earth-specific bias. */
function windowAttention(p: Scope, x: Tensor, options: { window: number; shift: number }): Tensor {
  const { window, shift } = options;
  const [tokens, width] = x.shape;
  const roll = (t: Tensor, by: number) =>
    by === 0
      ? t
      : concat([slice(t, [{ axis: 0, start: by, end: tokens }]), slice(t, [{ axis: 0, start: 0, end: by }])], 0);
  const h = layerNorm(x, p.param("norm.g", [width], one), p.param("norm.b", [width], zero));
  const groups = tokens / window;
  const qkv = linear(roll(h, shift), p.param("qkv", [width, 3 * width], truncatedNormal(0.2)));
  const [q, k, v] = [0, 1, 2].map((i) =>
    reshape(slice(qkv, [{ axis: 1, start: i * width, end: (i + 1) * width }]), [groups, window, width]),
  );
  const scores = add(
    mul(matmul(q, transpose(k, [0, 2, 1])), width ** -0.5),
    p.param("bias", [groups, window, window], truncatedNormal(0.1)),
  );
  const mixed = reshape(matmul(softmax(scores), v), [tokens, width]);
  return add(x, linear(roll(mixed, tokens - shift), p.param("proj", [width, width], truncatedNormal(0.2))));
}

describe("a graph in the style of Pangu-Weather", () => {
  // input [5, levels, lat, lon], input_surface [4, lat, lon], no batch axis; normalisation and land mask inside
  const [levels, lat, lon, width] = [3, 5, 8, 8];
  const build = () => {
    const graph = new Graph("pangu");
    const p = scope(graph);
    const upper = graph.input("input", "float32", [5, levels, lat, lon]);
    const surface = graph.input("input_surface", "float32", [4, lat, lon]);
    const [mean, deviation] = [noise([5, 1, 1, 1], 2), float32([5, 1, 1, 1], [2, 3, 4, 5, 6])].map((a) =>
      graph.constant(a),
    );
    const mask = graph.constant(noise([1, lat, lon], 3));
    // Odd sizes are padded to whole patches: levels 3 + 1, latitudes 5 + 1
    const x = pad(mul(sub(upper, mean), emit("Reciprocal", [deviation])[0]), [0, 0, 0, 0], [0, 1, 1, 0]);
    const s = pad(concat([surface, mask], 0), [0, 0, 0], [0, 1, 0]);
    const patches3 = conv(
      reshape(x, [1, 5, 4, 6, lon]),
      p.param("patch3", [width, 5, 2, 2, 2], truncatedNormal(0.2)),
      p.param("patch3.b", [width], zero),
      { strides: [2, 2, 2] },
    );
    const patches2 = conv(
      reshape(s, [1, 5, 6, lon]),
      p.param("patch2", [width, 5, 2, 2], truncatedNormal(0.2)),
      undefined,
      { strides: [2, 2] },
    );
    const volume = concat([reshape(patches2, [1, width, 1, 3, 4]), patches3], 2); // [1, C, 3, 3, 4]
    let tokens = transpose(reshape(volume, [width, 36]), [1, 0]);
    for (let i = 0; i < 2; i++) {
      tokens = windowAttention(p.child(`blocks.${i}.attention`), tokens, { window: 12, shift: i * 6 });
      tokens = mlp(p.child(`blocks.${i}.mlp`), tokens, width);
    }
    const back = reshape(transpose(tokens, [1, 0]), [1, width, 3, 3, 4]);
    const air = convTranspose(
      slice(back, [{ axis: 2, start: 1, end: 3 }]),
      p.param("recover3", [width, 5, 2, 2, 2], truncatedNormal(0.2)),
      p.param("recover3.b", [5], zero),
      { strides: [2, 2, 2] },
    );
    const ground = convTranspose(
      reshape(slice(back, [{ axis: 2, start: 0, end: 1 }]), [1, width, 3, 4]),
      p.param("recover2", [width, 4, 2, 2], truncatedNormal(0.2)),
      undefined,
      { strides: [2, 2] },
    );
    const cut = (t: Tensor, shape: number[]) =>
      slice(
        t,
        shape.map((end, axis) => ({ axis, start: 0, end })),
      );
    graph.output("output", add(mul(cut(reshape(air, [5, 4, 6, lon]), [5, levels, lat, lon]), deviation), mean));
    graph.output("output_surface", cut(reshape(ground, [4, 6, lon]), [4, lat, lon]));
    return file(graph, p);
  };
  const feeds = { input: noise([5, levels, lat, lon], 5), input_surface: noise([4, lat, lon], 6) };

  it("is fine-tuned in its recovery alone, and whole", async () => {
    await trains(build(), ["recover3*"], ["output"], feeds);
    const whole = await trains(build(), ["*"], ["output", "output_surface"], feeds);
    expect(whole.last).toBeLessThan(0.8 * whole.first);
  });
  it("keeps the baked-in normalisation as constants, not as parameters", () => {
    const { graph } = build();
    expect(graph.parameters.every((p) => /^(patch|blocks|recover)/.test(p.name))).toBe(true);
  });
});

describe("a graph in the style of FuXi", () => {
  // input [1, 2, channels, lat, lon], temb [1, 12]; output [1, 2, channels, lat, lon] whose last time is new
  const [channels, lat, lon, width] = [6, 4, 8, 8];
  const build = () => {
    const graph = new Graph("fuxi");
    const p = scope(graph);
    const x = graph.input("input", "float32", [1, 2, channels, lat, lon]);
    const temb = graph.input("temb", "float32", [1, 12]);
    const cube = conv(
      transpose(x, [0, 2, 1, 3, 4]),
      p.param("cube", [width, channels, 2, 2, 2], truncatedNormal(0.2)),
      p.param("cube.b", [width], zero),
      { strides: [2, 2, 2] },
    );
    let h = reshape(cube, [1, width, lat / 2, lon / 2]);
    const norm = (name: string, t: Tensor) =>
      emit("GroupNormalization", [t, p.param(`${name}.g`, [width], one), p.param(`${name}.b`, [width], zero)], {
        num_groups: 2,
      })[0];
    const time = reshape(
      linear(
        silu(linear(temb, p.param("time1", [12, width], truncatedNormal(0.3)))),
        p.param("time2", [width, width], truncatedNormal(0.3)),
      ),
      [1, width, 1, 1],
    );
    h = add(
      h,
      conv(silu(add(norm("down", h), time)), p.param("down.w", [width, width, 3, 3], truncatedNormal(0.1)), undefined, {
        pads: [1, 1, 1, 1],
      }),
    );
    let tokens = transpose(reshape(h, [width, 8]), [1, 0]);
    tokens = mlp(
      p.child("blocks.0.mlp"),
      windowAttention(p.child("blocks.0.attention"), tokens, { window: 4, shift: 2 }),
      width,
    );
    h = reshape(transpose(tokens, [1, 0]), h.shape);
    const fields = linear(
      transpose(reshape(h, [width, 8]), [1, 0]),
      p.param("head", [width, channels * 4], truncatedNormal(0.2)),
      p.param("head.b", [channels * 4], zero),
    );
    // Tokens to pixels: [lat/2, lon/2, C, 2, 2] -> [C, lat, lon]
    const pixels = reshape(transpose(reshape(fields, [lat / 2, lon / 2, channels, 2, 2]), [2, 0, 3, 1, 4]), [
      1,
      1,
      channels,
      lat,
      lon,
    ]);
    const now = slice(x, [{ axis: 1, start: 1, end: 2 }]);
    graph.output("output", concat([now, add(now, pixels)], 1));
    return file(graph, p);
  };
  it("is fine-tuned in its head and attention", async () => {
    await trains(build(), ["head*", "blocks.*.attention.*"], ["output"], {
      input: noise([1, 2, channels, lat, lon], 7),
      temb: noise([1, 12], 8),
    });
  });
});
