import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openInline } from "../engine/runtime.node.js";
import { FoehnError } from "../errors.js";
import { float32, type NdArray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { describeModel } from "./describe.js";
import { exportOnnx } from "./export.js";
import { gradients } from "./grad.js";
import { Graph } from "./graph.js";
import { importOnnx } from "./import.js";
import { openOnnx } from "./import.node.js";
import { add, matmul, mul, reduceMean, relu, square, sub } from "./ops.js";
import { encodeMessage, type Message } from "./proto.js";
import { draw } from "./testing/draw.js";
import { cases } from "./testing/cases.js";
import { mutations } from "./testing/mutate.js";

const runtime = await openInline({ threads: 1 });
const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url);
const run = async (model: Uint8Array, feeds: Record<string, NdArray>) => {
  const session = await runtime.load(model);
  const results = await session.run(feeds);
  await session.close();
  return results;
};
const close = (got: ArrayLike<number | bigint>, expected: ArrayLike<number | bigint>, digits: number, what = "") => {
  expect(got.length).toBe(expected.length);
  for (let i = 0; i < got.length; i++) expect(Number(got[i]), what).toBeCloseTo(Number(expected[i]), digits);
};

interface Reference {
  shape: number[];
  x: number[];
  y: number[];
  loss: number;
  gradients: Record<string, number[]>;
}
const references = JSON.parse(await readFile(fixture("torch.json"), "utf8")) as Record<string, Reference>;

describe.each(Object.entries(references))("PyTorch's export '%s'", (name, reference) => {
  const load = async () =>
    importOnnx(await readFile(fixture(`torch-${name}.onnx`)), { source: name, dims: { batch: reference.shape[0] } });
  const x = float32(reference.shape, reference.x);

  it("gives PyTorch's values", async () => {
    const { graph, parameters } = await load();
    const { y } = await run(exportOnnx(graph, { parameters }), { x });
    close(y.data, reference.y, 5); // seven digits are stored, values are of size 1
  });

  it("gives PyTorch's loss and gradients of every parameter", async () => {
    const { graph, parameters } = await load();
    const y = graph.outputs.get("y")!;
    const target = graph.constant(
      float32(
        y.shape,
        reference.y.map((_, i) => Math.sin(i)),
      ),
    );
    const loss = reduceMean(square(sub(y, target)));
    const trained = graph.parameters.filter((p) => p.name in reference.gradients);
    const outputs = new Map([["loss", loss]]);
    gradients(loss, trained).forEach((g, i) => outputs.set(`d/${trained[i].name}`, g));
    const results = await run(exportOnnx(graph, { outputs, parameters }), { x });
    expect(Number(results["loss"].data[0])).toBeCloseTo(reference.loss, 5);
    for (const { name: parameter } of trained)
      close(results[`d/${parameter}`].data, reference.gradients[parameter], 5, parameter);
  });

  it("comes back the same from a second trip, with the same outputs", async () => {
    const { graph, parameters, metadata } = await load();
    const once = exportOnnx(graph, { parameters, metadata });
    const again = importOnnx(once, { source: "again" });
    const twice = exportOnnx(again.graph, { parameters: again.parameters, metadata: again.metadata });
    expect(Buffer.compare(once, twice)).toBe(0);
  });
});

it("PyTorch's linear weights keep their names where it kept them, so that gradients were compared", async () => {
  const { parameters } = importOnnx(await readFile(fixture("torch-attention.onnx")), {
    source: "a",
    dims: { batch: 1 },
  });
  expect(Object.keys(references["attention"].gradients).filter((n) => parameters.has(n)).length).toBeGreaterThan(5);
});

describe("export and import of each operator's cases", () => {
  it("gives equal bytes the second time and equal outputs", async () => {
    for (const [op, list] of Object.entries(cases))
      for (const spec of list) {
        const d = draw(1, spec.dtype ?? "float64");
        [spec.write(d)].flat().forEach((y, i) => d.graph.output(`out${i}`, y));
        const once = exportOnnx(d.graph);
        const back = importOnnx(once, { source: op });
        const twice = exportOnnx(back.graph, { parameters: back.parameters });
        const third = importOnnx(twice, { source: op });
        expect(
          Buffer.compare(twice, exportOnnx(third.graph, { parameters: third.parameters })),
          `${op} ${spec.name}`,
        ).toBe(0);
        const feeds = Object.fromEntries(d.inputs.map(({ tensor, value }) => [tensor.name, value]));
        const [a, b] = [await run(once, feeds), await run(twice, feeds)];
        for (const key of Object.keys(a)) expect(b[key], `${op} ${spec.name}`).toEqual(a[key]);
      }
  });
});

// Files written by hand, as other tools write them
const f32 = (name: string, dims: number[], values: number[]): Message<"Tensor"> => ({
  name,
  dims: dims.map(BigInt),
  dataType: 1n,
  floatData: values,
});
const i64 = (name: string, values: number[]): Message<"Tensor"> => ({
  name,
  dims: [BigInt(values.length)],
  dataType: 7n,
  int64Data: values.map(BigInt),
});
const info = (name: string, dims: (number | string)[], elemType = 1): Message<"ValueInfo"> => ({
  name,
  type: {
    tensorType: {
      elemType: BigInt(elemType),
      shape: { dim: dims.map((d) => (typeof d === "string" ? { dimParam: d } : { dimValue: BigInt(d) })) },
    },
  },
});
const int = (name: string, i: number): Message<"Attribute"> => ({ name, i: BigInt(i), type: 2n });
const list = (name: string, values: number[]): Message<"Attribute"> => ({ name, ints: values.map(BigInt), type: 7n });
const node = (
  opType: string,
  input: string[],
  output: string[],
  attribute: Message<"Attribute">[] = [],
): Message<"Node"> => ({
  opType,
  input,
  output,
  attribute,
});
const model = (opset: number, graph: Message<"Graph">, extra: Message<"Model"> = {}): Uint8Array =>
  encodeMessage("Model", {
    irVersion: 8n,
    opsetImport: [{ version: BigInt(opset) }],
    graph: { name: "g", output: [{ name: "y" }], ...graph },
    ...extra,
  });
const ofNodes = (
  opset: number,
  dims: (number | string)[],
  nodes: Message<"Node">[],
  initializer: Message<"Tensor">[] = [],
) => model(opset, { node: nodes, input: [info("x", dims)], initializer });

describe("old forms", () => {
  /** Two files that must compute the same: an old one and one in today's form, run as they are. */
  const equal = async (old: Uint8Array, shape: number[]) => {
    const rng = random(5);
    const x = float32(
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
    );
    const { graph, parameters } = importOnnx(old, { source: "old" });
    const [ours, theirs] = [await run(exportOnnx(graph, { parameters }), { x }), await run(old, { x })];
    expect(ours["y"].shape).toEqual(theirs["y"].shape);
    close(ours["y"].data, theirs["y"].data, 6);
  };
  it.each<[string, Uint8Array, number[]]>([
    [
      "Softmax over all axes from the first",
      ofNodes(11, [2, 3, 4], [node("Softmax", ["x"], ["y"], [int("axis", 1)])]),
      [2, 3, 4],
    ],
    ["LogSoftmax without an axis", ofNodes(12, [2, 3, 4], [node("LogSoftmax", ["x"], ["y"])]), [2, 3, 4]],
    [
      "Squeeze and Unsqueeze with attributes",
      ofNodes(
        11,
        [2, 1, 4],
        [node("Squeeze", ["x"], ["s"], [list("axes", [1])]), node("Unsqueeze", ["s"], ["y"], [list("axes", [0, 3])])],
      ),
      [2, 1, 4],
    ],
    [
      "Split with an attribute",
      ofNodes(
        11,
        [2, 5],
        [
          node("Split", ["x"], ["a", "b"], [list("split", [2, 3]), int("axis", 1)]),
          node("Concat", ["b", "a"], ["y"], [int("axis", 1)]),
        ],
      ),
      [2, 5],
    ],
    [
      "Split into equal parts",
      ofNodes(13, [2, 6], [node("Split", ["x"], ["a", "b"], [int("axis", 1)]), node("Sub", ["b", "a"], ["y"])]),
      [2, 6],
    ],
    [
      "ReduceMean with axes",
      ofNodes(11, [2, 3, 4], [node("ReduceMean", ["x"], ["y"], [list("axes", [0, 2]), int("keepdims", 0)])]),
      [2, 3, 4],
    ],
    [
      "Slice, Clip and Pad of opset 9",
      ofNodes(
        9,
        [4, 5],
        [
          node("Slice", ["x"], ["s"], [list("starts", [1]), list("ends", [9]), list("axes", [1])]),
          node(
            "Clip",
            ["s"],
            ["c"],
            [
              { name: "min", f: -0.5, type: 1n },
              { name: "max", f: 0.7, type: 1n },
            ],
          ),
          node("Pad", ["c"], ["y"], [list("pads", [0, 1, 1, 0])]),
        ],
      ),
      [4, 5],
    ],
    [
      "Upsample of opset 9",
      ofNodes(9, [1, 2, 3, 2], [node("Upsample", ["x", "s"], ["y"])], [f32("s", [4], [1, 1, 2, 3])]),
      [1, 2, 3, 2],
    ],
    [
      "Resize of opset 10",
      ofNodes(
        10,
        [1, 2, 3, 2],
        [node("Resize", ["x", "s"], ["y"], [{ name: "mode", s: new TextEncoder().encode("linear"), type: 3n }])],
        [f32("s", [4], [1, 1, 2, 2])],
      ),
      [1, 2, 3, 2],
    ],
    [
      "Dropout and BatchNormalization of opset 11",
      ofNodes(
        11,
        [2, 2, 3],
        [
          node("Dropout", ["x"], ["d"], [{ name: "ratio", f: 0.3, type: 1n }]),
          node("BatchNormalization", ["d", "g", "b", "m", "v"], ["y"], [{ name: "momentum", f: 0.9, type: 1n }]),
        ],
        [f32("g", [2], [1, 2]), f32("b", [2], [0.1, 0]), f32("m", [2], [0.3, -1]), f32("v", [2], [1, 0.5])],
      ),
      [2, 2, 3],
    ],
    [
      "GroupNormalization of opset 18",
      ofNodes(
        18,
        [2, 4, 3],
        [node("GroupNormalization", ["x", "g", "b"], ["y"], [int("num_groups", 2)])],
        [f32("g", [2], [1, 2]), f32("b", [2], [0.1, 0])],
      ),
      [2, 4, 3],
    ],
    ["DFT of opset 17", ofNodes(17, [2, 4, 3, 1], [node("DFT", ["x"], ["y"], [int("axis", 2)])]), [2, 4, 3, 1]],
    [
      "Einsum with an ellipsis",
      ofNodes(
        12,
        [2, 4, 3],
        [
          node(
            "Einsum",
            ["x", "w"],
            ["y"],
            [{ name: "equation", s: new TextEncoder().encode("...i,io->...o"), type: 3n }],
          ),
        ],
        [f32("w", [3, 2], [1, 2, 3, 4, 5, 6])],
      ),
      [2, 4, 3],
    ],
    [
      "Attention of opset 23",
      ofNodes(
        23,
        [2, 5, 8],
        [
          node(
            "Attention",
            ["x", "x", "x"],
            ["y"],
            [int("q_num_heads", 2), int("kv_num_heads", 2), int("is_causal", 1)],
          ),
        ],
      ),
      [2, 5, 8],
    ],
    [
      "RMSNormalization of opset 23",
      ofNodes(23, [2, 5, 4], [node("RMSNormalization", ["x", "g"], ["y"])], [f32("g", [4], [1, 2, 0.5, -1])]),
      [2, 5, 4],
    ],
  ])("%s", (_name, old, shape) => equal(old, shape));

  it("sizes computed from a shape, which leave no nodes", async () => {
    const old = ofNodes(
      13,
      [2, 3, 4],
      [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "last"], ["n"]),
        node("Mul", ["n", "two"], ["m"]),
        node("Div", ["m", "two"], ["k"]),
        node("Concat", ["minus", "k"], ["to"], [int("axis", 0)]),
        node("Slice", ["s", "two", "many"], ["tail"]),
        node("Equal", ["tail", "k"], ["same"]),
        node("Where", ["same", "k", "minus"], ["width"]),
        node("Concat", ["minus", "width"], ["to2"], [int("axis", 0)]),
        node("Reshape", ["x", "to"], ["r"]),
        node("Reshape", ["r", "to2"], ["y"]),
      ],
      [
        i64("last", [2]),
        i64("two", [2]),
        i64("minus", [-1]),
        { ...i64("many", []), dims: [1n], int64Data: [2n ** 63n - 1n] },
      ],
    );
    expect(importOnnx(old, { source: "old" }).graph.nodes.map((n) => n.op)).toEqual(["Reshape", "Reshape"]);
    await equal(old, [2, 3, 4]);
  });
});

it("nodes out of order are put in order", () => {
  const { graph } = importOnnx(
    ofNodes(13, [2], [node("Relu", ["b"], ["y"]), node("Add", ["a", "x"], ["b"]), node("Abs", ["x"], ["a"])]),
    { source: "f" },
  );
  expect(graph.nodes.map((n) => n.op)).toEqual(["Abs", "Add", "Relu"]);
});

describe("sizes left open", () => {
  const open = ofNodes(13, ["batch", 3], [node("Relu", ["x"], ["y"])]);
  it("are given by name or by place", () => {
    expect(importOnnx(open, { source: "f", dims: { batch: 5 } }).graph.outputs.get("y")!.shape).toEqual([5, 3]);
    expect(importOnnx(open, { source: "f", dims: { "x.0": 4 } }).graph.outputs.get("y")!.shape).toEqual([4, 3]);
  });
  it("are asked for by name, with the nearest that was given", () => {
    expect(() => importOnnx(open, { source: "f.onnx", dims: { batsh: 5 } })).toThrow(
      /f\.onnx: the size of axis 0 of input 'x' is open \('batch'\); say it with dims: \{ "batch": 1 \} \('batsh' was given\)/,
    );
  });
});

describe("arrays beside the file", () => {
  const external = (location: string, extra: { key: string; value: string }[] = []): Uint8Array =>
    model(13, {
      node: [node("MatMul", ["x", "w"], ["y"])],
      input: [info("x", [1, 2])],
      initializer: [
        {
          name: "w",
          dims: [2n, 2n],
          dataType: 1n,
          dataLocation: 1n,
          externalData: [{ key: "location", value: location }, ...extra],
        },
      ],
    });
  it("are read, from their place in the file", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "foehn-onnx-"));
    await writeFile(path.join(folder, "weights"), Buffer.from(Float32Array.of(9, 1, 2, 3, 4).buffer));
    await writeFile(
      path.join(folder, "m.onnx"),
      external("weights", [
        { key: "offset", value: "4" },
        { key: "length", value: "16" },
      ]),
    );
    const { parameters } = await openOnnx(path.join(folder, "m.onnx"));
    expect([...(parameters.get("w")!.data as Float32Array)]).toEqual([1, 2, 3, 4]);
    await writeFile(path.join(folder, "long.onnx"), external("weights", [{ key: "offset", value: "8" }]));
    await expect(openOnnx(path.join(folder, "long.onnx"))).rejects.toThrow(
      /claims bytes 8 to 24 of 'weights', which has 20/,
    );
    await symlink("/etc/hostname", path.join(folder, "link"));
    await writeFile(path.join(folder, "linked.onnx"), external("link"));
    await expect(openOnnx(path.join(folder, "linked.onnx"))).rejects.toThrow(/leads outside/);
    await writeFile(path.join(folder, "gone.onnx"), external("nothing"));
    await expect(openOnnx(path.join(folder, "gone.onnx"))).rejects.toThrow(/'nothing', which is missing/);
    await rm(folder, { recursive: true });
  });
  it.each(["../w", "/etc/passwd", "a/../../w", "C:\\w", "..\\w", "", "http://host/w"])(
    "are refused outside the folder: %s",
    (location) => {
      expect(() => importOnnx(external(location), { source: "f" })).toThrow(/outside the model's folder/);
    },
  );
});

describe("a file that cannot be taken is refused with the reason", () => {
  const x = [info("x", [2, 2])];
  it.each<[string, Uint8Array, RegExp]>([
    ["no protobuf", new TextEncoder().encode("<html>not a model</html>"), /not a whole ONNX file/],
    ["empty", new Uint8Array(0), /holds no ONNX graph/],
    [
      "a circle",
      ofNodes(13, [2, 2], [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]),
      /circle through 'b'/,
    ],
    ["itself", ofNodes(13, [2, 2], [node("Add", ["x", "y"], ["y"])]), /circle through 'y'/],
    ["nobody gives", ofNodes(13, [2, 2], [node("Add", ["x", "ghost"], ["y"])]), /reads 'ghost', which nothing gives/],
    [
      "two givers",
      ofNodes(13, [2, 2], [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])]),
      /two nodes give the tensor 'y'/,
    ],
    ["an old opset", ofNodes(7, [2, 2], [node("Relu", ["x"], ["y"])]), /opset 7; opsets 9 to 25 are read/],
    [
      "an unknown operator",
      ofNodes(13, [2, 2], [node("Fancy", ["x"], ["y"])]),
      /node 'y' \(Fancy\): no rule for the operator 'Fancy'/,
    ],
    [
      "a name from JavaScript",
      ofNodes(13, [2, 2], [node("constructor", ["x"], ["y"])]),
      /no rule for the operator 'constructor'/,
    ],
    ["control flow", ofNodes(13, [2, 2], [node("If", ["x"], ["y"])]), /control flow inside a graph is not supported/],
    [
      "a graph in a node",
      ofNodes(13, [2, 2], [node("Relu", ["x"], ["y"], [{ name: "body", g: new Uint8Array(3), type: 5n }])]),
      /graphs within nodes/,
    ],
    ["sizes by data", ofNodes(13, [2, 2], [node("NonZero", ["x"], ["y"])]), /depends on the data/],
    [
      "functions",
      model(13, { node: [node("Relu", ["x"], ["y"])], input: x }, { functions: [new Uint8Array(4)] }),
      /defines functions of its own/,
    ],
    [
      "a huge claim",
      ofNodes(
        13,
        [2, 2],
        [node("Add", ["x", "w"], ["y"])],
        [{ name: "w", dims: [2n ** 40n, 2n], dataType: 1n, rawData: new Uint8Array(8) }],
      ),
      /claims 2199023255552 elements/,
    ],
    [
      "a short array",
      ofNodes(
        13,
        [2, 2],
        [node("Add", ["x", "w"], ["y"])],
        [{ name: "w", dims: [2n, 2n], dataType: 1n, rawData: new Uint8Array(8) }],
      ),
      /has 8 bytes where its shape \[2, 2\] needs 16/,
    ],
    [
      "a huge result",
      ofNodes(13, [2, 2], [node("Tile", ["x", "n"], ["y"])], [i64("n", [2 ** 30, 2 ** 30])]),
      /'y' would have .* elements/,
    ],
    ["a negative size", ofNodes(13, [2, -2], [node("Relu", ["x"], ["y"])]), /axis 1 of input 'x' has the size -2/],
    [
      "shapes that do not fit",
      ofNodes(13, [2, 3], [node("MatMul", ["x", "x"], ["y"])]),
      /node 'y' \(MatMul\): MatMul: \[2, 3\] by \[2, 3\]/,
    ],
    [
      "no such output",
      model(13, { node: [node("Relu", ["x"], ["z"])], input: x }),
      /output 'y' is computed by no node/,
    ],
  ])("%s", (_name, bytes, reason) => {
    expect(() => importOnnx(bytes, { source: "bad.onnx" })).toThrow(reason);
    expect(() => importOnnx(bytes, { source: "bad.onnx" })).toThrow(/bad\.onnx/);
  });

  it("whatever bytes are changed: it is read or refused in words, never with a crash", async () => {
    for (const name of Object.keys(references)) {
      const bytes = await readFile(fixture(`torch-${name}.onnx`));
      for (const mutated of mutations(bytes, { seed: 1, count: 150 })) readOrRefuse(mutated);
    }
  });
});

function readOrRefuse(bytes: Uint8Array): void {
  try {
    importOnnx(bytes, { source: "mutated", dims: { batch: 2 } });
  } catch (error) {
    expect(error).toBeInstanceOf(FoehnError);
    expect((error as Error).message).toMatch(/^mutated/);
  }
}

it("describes a file: inputs, outputs, operators, parameters and what has no derivative", async () => {
  const d = describeModel(await readFile(fixture("torch-attention.onnx")), { source: "a" });
  expect(d.producer).toBe("pytorch 1.13.0");
  expect(d.inputs).toEqual([{ name: "x", dtype: "float32", shape: ["batch", 8, 3] }]);
  expect(d.operators.find((o) => o.name === "MatMul")).toEqual({ name: "MatMul", count: 8, derivative: true });
  const odd = describeModel(ofNodes(13, [2], [node("NonZero", ["x"], ["i"]), node("Fancy", ["x"], ["y"])]), {
    source: "b",
  });
  expect(odd.operators.map((o) => [o.name, o.derivative, o.refused?.slice(0, 9)])).toEqual([
    ["Fancy", false, "it is not"],
    ["NonZero", false, "the size "],
  ]);
});

it("keeps constants apart from parameters on the way out and in", () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", [2, 3]);
  const w = graph.parameter("w", [3, 3]);
  const k = graph.constant(float32([3], [1, 2, 3]));
  graph.output("y", mul(add(relu(matmul(x, w)), k), 2));
  const numbers = new Map([["w", float32([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9])]]);
  const back = importOnnx(exportOnnx(graph, { parameters: numbers }), { source: "f" });
  expect([...back.parameters.keys()]).toEqual(["w"]);
});
