/** A case or more for every operator that moves elements. */
import { sizeOf } from "../../tensor/ndarray.js";
import type { NodeAttributes, Tensor } from "../graph.js";
import type { shapeOps } from "../infer/shape.js";
import { add, cast, emit, float, ints, mul, tanh } from "../ops.js";
import type { OpCase } from "./check.js";
import type { Draw } from "./draw.js";

const single = { dtype: "float32" } as const;
/** A result that does not depend on the values of x, added to x so that there is a gradient: its share must be nothing. */
const flat = (write: (d: Draw, x: Tensor) => Tensor, options: Partial<OpCase> = {}): OpCase[] => [
  {
    write: (d) => {
      const x = d.x([3, 2]);
      const result = write(d, x);
      return add(cast(result, d.dtype), emit("ReduceSum", [x], { keepdims: 0 })[0]);
    },
    ...options,
  },
];
const indices = (d: Draw, shape: readonly number[], below: number, distinct = false): Tensor => {
  const count = sizeOf(shape);
  const values = distinct
    ? Array.from({ length: count }, (_, i) => i % below)
    : Array.from({ length: count }, () => d.int(-below, below - 1));
  return d.fixed("int64", shape, values);
};

const resize = (d: Draw, attributes: NodeAttributes, linear: boolean): Tensor[] => {
  const x = d.x([d.int(1, 2), d.int(1, 2), d.int(2, 5), d.int(2, 5)]);
  const attribute = { mode: linear ? "linear" : "nearest", ...attributes };
  if (d.int(0, 1)) {
    const sizes = [...x.shape.slice(0, 2), d.int(1, 9), d.int(1, 9)];
    return emit("Resize", [x, undefined, undefined, ints(d.graph, sizes)], attribute);
  }
  const scales = d.fixed("float32", [4], [1, 1, d.pick([0.5, 1, 1.5, 2, 3]), d.pick([0.6, 1, 2, 2.5])]);
  return emit("Resize", [x, undefined, scales], attribute);
};

export const shapeCases: Readonly<Record<keyof typeof shapeOps, readonly OpCase[]>> = {
  Reshape: [
    { write: (d) => emit("Reshape", [d.x([2, 3, 4]), ints(d.graph, d.pick([[6, 4], [0, -1], [4, 1, 6], [-1]]))]) },
  ],
  Transpose: [
    { write: (d) => emit("Transpose", [d.x(d.shape(1, 4))]) },
    {
      name: "perm",
      write: (d) =>
        emit("Transpose", [d.x([2, 3, 4, 2])], {
          perm: d.pick([
            [1, 2, 3, 0],
            [3, 0, 1, 2],
            [0, 2, 1, 3],
          ]),
        }),
    },
  ],
  Squeeze: [
    {
      write: (d) =>
        emit("Squeeze", [d.x([1, 3, 1, 2]), d.pick([undefined, ints(d.graph, [0]), ints(d.graph, [-2, 0])])]),
    },
  ],
  Unsqueeze: [{ write: (d) => emit("Unsqueeze", [d.x([3, 2]), ints(d.graph, d.pick([[0], [-1], [1, 3], [0, -1]]))]) }],
  Flatten: [{ write: (d) => emit("Flatten", [d.x([2, 3, 4])], { axis: d.int(-3, 3) }) }],
  Slice: [
    {
      write: (d) => {
        const x = d.x([d.int(3, 7), d.int(1, 4), d.int(4, 9)]);
        const starts = [d.int(-8, 4), d.int(-9, 9)];
        const ends = [d.int(-2, 9), d.int(-9, 9)];
        return emit("Slice", [
          x,
          ints(d.graph, starts),
          ints(d.graph, ends),
          ints(d.graph, [0, -1]),
          ints(d.graph, [d.pick([1, 2, 3]), d.pick([-3, -2, -1, 1])]),
        ]);
      },
    },
    { name: "no axes", write: (d) => emit("Slice", [d.x([5, 4]), ints(d.graph, [1, 0]), ints(d.graph, [4, 9])]) },
  ],
  Concat: [
    {
      write: (d) => {
        const shape = d.shape(1, 4);
        const axis = d.int(-shape.length, shape.length - 1);
        const parts = Array.from({ length: d.int(1, 3) }, () =>
          d.x(shape.map((n, i) => (i === (axis + shape.length) % shape.length ? d.int(1, 3) : n))),
        );
        return emit("Concat", [...parts, parts[0]], { axis });
      },
    },
  ],
  Split: [
    {
      write: (d) =>
        emit("Split", [d.x([2, 6, 2]), ints(d.graph, [1, 3, 2])], { axis: d.pick([1, -2]) }, { outputs: 3 }),
    },
    {
      name: "equal, one unused",
      write: (d) => emit("Split", [d.x([7, 2])], { num_outputs: 3 }, { outputs: 3 }).slice(1),
    },
  ],
  Gather: [
    {
      write: (d) => {
        const x = d.x(d.shape(1, 4));
        const axis = d.int(-x.shape.length, x.shape.length - 1);
        return emit("Gather", [x, indices(d, d.shape(0, 2, 3), x.shape.at(axis)!)], { axis });
      },
    },
  ],
  GatherElements: [
    {
      write: (d) => {
        const x = d.x([d.int(2, 4), d.int(2, 4)]);
        const axis = d.int(-2, 1);
        const shape = x.shape.map((n, i) => (i === (axis + 2) % 2 ? d.int(1, 5) : d.int(1, n)));
        return emit("GatherElements", [x, indices(d, shape, x.shape.at(axis)!)], { axis });
      },
    },
  ],
  GatherND: [
    { write: (d) => emit("GatherND", [d.x([3, 4, 2]), d.fixed("int64", [3, 2], [0, 1, 2, -1, 0, 1])]) },
    { name: "rows", write: (d) => emit("GatherND", [d.x([3, 4]), d.fixed("int64", [2, 2, 1], [0, 1, 2, 1])]) },
    {
      name: "batched",
      write: (d) => emit("GatherND", [d.x([2, 3, 4]), d.fixed("int64", [2, 2, 1], [2, 0, 1, 1])], { batch_dims: 1 }),
    },
  ],
  ScatterElements: [
    {
      write: (d) => {
        const x = d.x([4, 3]);
        const updates = d.x([3, 3]);
        return emit("ScatterElements", [x, d.fixed("int64", [3, 3], [0, 1, 2, 1, 2, 3, 3, 0, 1]), updates], {
          axis: 0,
        });
      },
    },
    {
      name: "add",
      write: (d) =>
        emit("ScatterElements", [d.x([4, 3]), indices(d, [4, 2], 3), d.x([4, 2])], { axis: 1, reduction: "add" }),
    },
  ],
  ScatterND: [
    { write: (d) => emit("ScatterND", [d.x([4, 3]), d.fixed("int64", [2, 1], [2, 0]), d.x([2, 3])]) },
    {
      name: "add",
      write: (d) =>
        emit("ScatterND", [d.x([4, 3]), d.fixed("int64", [3, 2], [0, 1, 0, 1, 3, 2]), d.x([3])], { reduction: "add" }),
    },
  ],
  Expand: [{ write: (d) => emit("Expand", [d.x([3, 1]), ints(d.graph, d.pick([[3, 4], [2, 1, 4], [1], [5, 3, 1]]))]) }],
  Tile: [{ write: (d) => emit("Tile", [d.x([2, 3]), ints(d.graph, [d.int(1, 3), d.int(1, 3)])]) }],
  Pad: [
    { name: "constant", write: (d) => padding(d, "constant", [d.int(0, 3), d.int(-1, 2), d.int(-2, 3), d.int(0, 2)]) },
    { name: "reflect", write: (d) => padding(d, "reflect", [d.int(0, 3), d.int(0, 2), d.int(0, 3), d.int(0, 2)]) },
    { name: "edge", write: (d) => padding(d, "edge", [d.int(0, 5), d.int(0, 5), d.int(0, 5), d.int(0, 5)]) },
    { name: "wrap", write: (d) => padding(d, "wrap", [d.int(0, 4), d.int(0, 3), d.int(0, 4), d.int(0, 3)]) },
    {
      name: "axes",
      write: (d) =>
        emit("Pad", [d.x([2, 4, 3]), ints(d.graph, [1, 2]), undefined, ints(d.graph, [-2])], { mode: "edge" }),
    },
  ],
  Shape: flat((_d, x) => emit("Shape", [x], { start: 1 })[0]),
  Size: flat((_d, x) => emit("Size", [x])[0]),
  ConstantOfShape: flat((d) => emit("ConstantOfShape", [ints(d.graph, [2, 3])])[0]),
  Range: flat(
    (d) => emit("Range", [d.fixed("int64", [], [2]), d.fixed("int64", [], [9]), d.fixed("int64", [], [3])])[0],
  ),
  OneHot: flat(
    (d) =>
      emit("OneHot", [d.fixed("int64", [3], [0, 2, 1]), ints(d.graph, [4]), d.fixed("float32", [2], [0, 1])], {
        axis: d.pick([0, -1]),
      })[0],
  ),
  EyeLike: flat((_d, x) => emit("EyeLike", [x])[0]),
  DepthToSpace: [
    { name: "DCR", write: (d) => emit("DepthToSpace", [d.x([2, 8, 2, 3])], { blocksize: 2, mode: "DCR" }) },
    { name: "CRD", write: (d) => emit("DepthToSpace", [d.x([2, 8, 2, 3])], { blocksize: 2, mode: "CRD" }) },
  ],
  SpaceToDepth: [{ write: (d) => emit("SpaceToDepth", [d.x([2, 3, 4, 6])], { blocksize: 2 }) }],
  Resize: [
    ...["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"].map((mode): OpCase => ({
      name: `linear ${mode}`,
      ...single,
      write: (d) => resize(d, { coordinate_transformation_mode: mode }, true),
    })),
    ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].map((nearest): OpCase => ({
      name: `nearest ${nearest}`,
      ...single,
      write: (d) =>
        resize(
          d,
          { nearest_mode: nearest, coordinate_transformation_mode: d.pick(["asymmetric", "half_pixel"]) },
          false,
        ),
    })),
    ...[0, 1].map((exclude): OpCase => ({
      name: exclude ? "cubic, nothing beyond the edge" : "cubic",
      ...single,
      write: (d) =>
        resize(
          d,
          {
            mode: "cubic",
            exclude_outside: exclude,
            cubic_coeff_a: float(d.pick([-0.75, -0.5])),
            coordinate_transformation_mode: d.pick(["half_pixel", "asymmetric", "align_corners"]),
          },
          false,
        ),
    })),
    {
      name: "nearest twice",
      ...single,
      write: (d) =>
        emit("Resize", [d.x([2, 2, 3, 4]), undefined, d.fixed("float32", [4], [1, 1, 2, 2])], {
          mode: "nearest",
          coordinate_transformation_mode: "asymmetric",
          nearest_mode: "floor",
        }),
    },
  ],
  GridSample: ["linear", "nearest"].map((mode) => ({
    name: mode,
    ...single,
    // Where a position crosses from one cell to the next its derivative jumps: positions stay within theirs, some outside
    write: (d) => {
      const [n, height, width] = [d.int(1, 2), d.int(2, 4), d.int(2, 4)];
      const aligned = d.int(0, 1);
      const points = [2, 3];
      const cells = Array.from({ length: n * 6 }, () =>
        [width, height].map((size) => cellCentre(d, size, aligned)),
      ).flat();
      const moved = mul(tanh(d.x([n, ...points, 2])), 0.2 / Math.max(width, height));
      const grid = add(d.fixed("float32", [n, ...points, 2], cells), moved);
      const padding_mode = d.pick(["zeros", "border"]);
      return emit("GridSample", [d.x([n, 2, height, width]), grid], { mode, padding_mode, align_corners: aligned });
    },
  })),
};

/** The middle between two neighbours of `size` points from -1 to 1, or of an end and what lies beyond. */
function cellCentre(d: Draw, size: number, aligned: number): number {
  const position = d.int(-1, size - 1) + 0.25;
  return aligned ? (2 * position) / (size - 1) - 1 : (2 * position + 1) / size - 1;
}

const padding = (d: Draw, mode: string, pads: number[]): Tensor[] =>
  emit("Pad", [d.x([4, 3]), ints(d.graph, pads)], { mode });
