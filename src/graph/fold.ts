/**
 * A small evaluator for what sizes are computed from: shapes, ranges, masks and the arithmetic between them. A node whose
 * inputs are all known and whose results are small becomes constants; everything else is left to ONNX Runtime.
 */
import { GraphError } from "../errors.js";
import { type DType, type NdArray, sizeOf, stridesOf, toNumbers, TYPED_ARRAYS } from "../tensor/ndarray.js";
import type { Tensor, TensorType } from "./graph.js";
import { axisOf, constantInts, type InferContext, intAttribute, intsAttribute } from "./infer/infer.js";
import { inferRules, type OpType } from "./infer/index.js";
import { reducedAxes } from "./infer/math.js";
import { sliceAxes, splitSizes } from "./infer/shape.js";
import type { FileNode } from "./upgrade.js";

/** Results with more elements stay nodes: a mask or position table is cheaper to compute than to store. */
const MAX_ELEMENTS = 2 ** 16;

type Source = (
  c: InferContext,
  values: readonly NdArray[],
  out: TensorType,
  which: number,
) => ArrayLike<number | bigint>;

/** The node's results where they can be known now. */
export function folded(node: FileNode): NdArray[] | undefined {
  if (node.domain !== "" || !Object.hasOwn(evaluators, node.op)) return undefined;
  const { op, inputs, attributes } = node;
  const sizesOnly = op === "Shape" || op === "Size"; // the type of the input says it all
  if (!sizesOnly && !inputs.every((t) => !t || t.value)) return undefined;
  if (sizesOnly ? inputs[0] === undefined : inputs.length === 0) return undefined;
  const c: InferContext = { op, inputs, attributes, outputCount: node.outputs.length };
  if (op === "Expand" || op === "ConstantOfShape" || op === "Tile") {
    if (sizeOf(constantInts(c, op === "ConstantOfShape" ? 0 : 1) ?? []) > MAX_ELEMENTS) return undefined;
  }
  const types = inferRules[op as OpType](c);
  if (types.some((t) => !(sizeOf(t.shape) <= MAX_ELEMENTS) || HALF.has(t.dtype))) return undefined;
  if (inputs.some((t) => t && HALF.has(t.dtype))) return undefined;
  const values = inputs.map((t) => t?.value) as NdArray[];
  return types.map((type, i) => pack(type, evaluators[op](c, values, type, i)));
}

const HALF = new Set<DType>(["float16", "bfloat16"]);
const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

function pack({ dtype, shape }: TensorType, values: ArrayLike<number | bigint>): NdArray {
  const list = Array.from(values);
  if (dtype !== "int64" && dtype !== "uint64") {
    const data = new (TYPED_ARRAYS[dtype] as Float64ArrayConstructor)(list.map(Number));
    return { dtype, shape, data };
  }
  const whole = list.map((v) => {
    const n = typeof v === "bigint" ? v : Number.isFinite(v) ? BigInt(Math.trunc(v)) : 0n;
    return n > MOST ? MOST : n < LEAST ? LEAST : n; // a float's 2^63 is not an int64
  });
  return { dtype, shape, data: new TYPED_ARRAYS[dtype](whole) };
}

/** Position in an input of `shape` for each element of `out`, by broadcasting. */
function* broadcastIndex(shape: readonly number[], out: readonly number[]): Generator<number> {
  const [strides, outStrides] = [stridesOf(shape), stridesOf(out)];
  const lead = out.length - shape.length;
  for (let k = 0, n = sizeOf(out); k < n; k++) {
    let at = 0;
    shape.forEach((size, i) => {
      if (size > 1) at += (Math.floor(k / outStrides[i + lead]) % out[i + lead]) * strides[i];
    });
    yield at;
  }
}

/** Elements moved, not computed: `from` gives the input position of each output coordinate. */
const moved =
  (from: (c: InferContext, at: readonly number[], x: NdArray, which: number) => readonly number[]): Source =>
  (c, [x], out, which) => {
    const [strides, outStrides] = [stridesOf(x.shape), stridesOf(out.shape)];
    return Array.from({ length: sizeOf(out.shape) }, (_, k) => {
      const at = out.shape.map((n, i) => Math.floor(k / outStrides[i]) % n);
      return x.data[from(c, at, x, which).reduce((sum, p, i) => sum + p * strides[i], 0)];
    });
  };
const same: Source = (_c, [x]) => x.data;

const elementwise =
  (f: (...args: number[]) => number | boolean): Source =>
  (_c, values, out) => {
    const columns = values.map((v) => {
      const numbers = toNumbers(v);
      return Array.from(broadcastIndex(v.shape, out.shape), (i) => numbers[i]);
    });
    return Array.from({ length: sizeOf(out.shape) }, (_, k) => Number(f(...columns.map((column) => column[k]))));
  };

const reduction =
  (start: number, f: (a: number, b: number) => number): Source =>
  (c, [x], out) => {
    const axes = reducedAxes(c);
    const strides = stridesOf(x.shape);
    const kept = x.shape.map((n, i) => (axes.includes(i) ? 1 : n));
    const keptStrides = stridesOf(kept);
    const result = new Float64Array(sizeOf(out.shape)).fill(start);
    Array.from(toNumbers(x)).forEach((v, k) => {
      const at = kept.reduce((sum, n, i) => sum + (n > 1 ? (Math.floor(k / strides[i]) % n) * keptStrides[i] : 0), 0);
      result[at] = f(result[at], v);
    });
    return result;
  };

/** Integers are divided towards zero, as ONNX Runtime does. */
const divide: Source = (c, values, out, which) =>
  elementwise(out.dtype.startsWith("float") ? (a, b) => a / b : (a, b) => Math.trunc(a / b))(c, values, out, which);

function roundEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

const evaluators: Readonly<Record<string, Source>> = {
  Shape: (c, _v, out) => {
    const { shape } = c.inputs[0] as Tensor;
    const at = intAttribute(c, "start", 0);
    const start = Math.min(Math.max(at < 0 ? at + shape.length : at, 0), shape.length);
    return shape.slice(start, start + out.shape[0]);
  },
  Size: (c) => [sizeOf((c.inputs[0] as Tensor).shape)],
  Identity: same,
  Reshape: same,
  Squeeze: same,
  Unsqueeze: same,
  Flatten: same,
  Cast: (_c, [x], out) => {
    const numbers = toNumbers(x);
    return out.dtype === "bool" ? Array.from(numbers, (v) => Number(v !== 0)) : x.dtype === "int64" ? x.data : numbers;
  },
  Gather: (c, [x, indices], out) => {
    const axis = axisOf(c.op, intAttribute(c, "axis", 0), x.shape.length);
    const after = sizeOf(x.shape.slice(axis + 1));
    const count = sizeOf(indices.shape);
    const picks = Array.from(toNumbers(indices), (i) => (i < 0 ? i + x.shape[axis] : i));
    const wrong = picks.find((i) => !(i >= 0 && i < x.shape[axis]));
    if (wrong !== undefined) throw new GraphError(`Gather: index ${wrong} is outside ${x.shape[axis]}`);
    return Array.from({ length: sizeOf(out.shape) }, (_, k) => {
      const [block, rest] = [Math.floor(k / (count * after)), k % (count * after)];
      return x.data[(block * x.shape[axis] + picks[Math.floor(rest / after)]) * after + (rest % after)];
    });
  },
  Concat: (c, values, out) => {
    const axis = axisOf(c.op, intAttribute(c, "axis", 0), out.shape.length);
    const after = sizeOf(out.shape.slice(axis + 1));
    const blocks = sizeOf(out.shape.slice(0, axis));
    const result: (number | bigint)[] = [];
    for (let b = 0; b < blocks; b++)
      for (const v of values) {
        const run = v.shape[axis] * after;
        for (let i = 0; i < run; i++) result.push(v.data[b * run + i]);
      }
    return result;
  },
  Slice: (c, values, out, which) => {
    const axes = sliceAxes(c);
    return moved((_c, at) => at.map((p, i) => axes[i].start + p * axes[i].step))(c, values, out, which);
  },
  Split: (c, values, out, which) => {
    const { axis, sizes } = splitSizes(c);
    const start = sizes.slice(0, which).reduce((a, b) => a + b, 0);
    return moved((_c, at) => at.map((p, i) => (i === axis ? p + start : p)))(c, values, out, which);
  },
  Transpose: moved((c, at, x) => {
    const perm = intsAttribute(c, "perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i);
    const from = new Array<number>(at.length);
    perm.forEach((p, i) => (from[p] = at[i]));
    return from;
  }),
  Expand: (_c, [x], out) => Array.from(broadcastIndex(x.shape, out.shape), (i) => x.data[i]),
  Tile: moved((_c, at, x) => at.map((p, i) => p % x.shape[i])),
  ConstantOfShape: (c, _v, out) => {
    const value = c.attributes["value"];
    const fill = value && typeof value === "object" && "dtype" in value ? value.data[0] : 0;
    return new Array<number | bigint>(sizeOf(out.shape)).fill(fill);
  },
  Range: (_c, values, out) => {
    const [start, , step] = values.map((v) => Number(v.data[0]));
    return Array.from({ length: out.shape[0] }, (_, i) => start + i * step);
  },
  Where: (_c, [condition, a, b], out) => {
    const [ic, ia, ib] = [condition, a, b].map((v) => Array.from(broadcastIndex(v.shape, out.shape)));
    return ic.map((at, k) => (condition.data[at] ? a.data[ia[k]] : b.data[ib[k]]));
  },
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: divide,
  Mod: elementwise((a, b) => a - b * Math.floor(a / b)),
  Pow: elementwise((a, b) => a ** b),
  Min: elementwise((...all) => Math.min(...all)),
  Max: elementwise((...all) => Math.max(...all)),
  Neg: elementwise((a) => -a),
  Abs: elementwise(Math.abs),
  Floor: elementwise(Math.floor),
  Ceil: elementwise(Math.ceil),
  Round: elementwise(roundEven),
  Sqrt: elementwise(Math.sqrt),
  Equal: elementwise((a, b) => a === b),
  Less: elementwise((a, b) => a < b),
  LessOrEqual: elementwise((a, b) => a <= b),
  Greater: elementwise((a, b) => a > b),
  GreaterOrEqual: elementwise((a, b) => a >= b),
  Not: elementwise((a) => a === 0),
  And: elementwise((a, b) => a !== 0 && b !== 0),
  Or: elementwise((a, b) => a !== 0 || b !== 0),
  ReduceSum: reduction(0, (a, b) => a + b),
  ReduceProd: reduction(1, (a, b) => a * b),
  ReduceMax: reduction(-Infinity, Math.max),
  ReduceMin: reduction(Infinity, Math.min),
};
