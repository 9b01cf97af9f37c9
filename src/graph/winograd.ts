/**
 * Convolutions by kernels of 3 x 3 with a quarter of the multiplications: F(4 x 4, 3 x 3) of Winograd 1980, as Lavin and Gray
 * 2016 ("Fast algorithms for convolutional neural networks") write it. A tile of 4 x 4 outputs needs 6 x 6 inputs d and
 *
 *     y = A' [(G g G') * (B' d B)] A
 *
 * where * multiplies element by element, so that over channels and tiles it is 36 matrix products. The three matrices follow from
 * five points and infinity by the Chinese remainder theorem for polynomials (`cookToom`).
 *
 * Rounding: with the points 0, +-3/4, +-3/2 results are wrong by 7e-7 (64 channels) to 1.3e-6 (256) of their size where the direct
 * sum in float32 is by 2e-7; with the more usual 0, +-1, +-2 it would be 1.4e-6 to 4e-6.
 */
import { ndarray } from "../tensor/ndarray.js";
import type { Graph, Tensor } from "./graph.js";
import { windowOf, type Window } from "./infer/math.js";
import { add, conv, gemm, matmul, reshape, slice, transpose } from "./ops.js";
import { copyGraph } from "./rewrite.js";

type Matrix = readonly (readonly number[])[];

/** Outputs of a tile and elements of a kernel along one axis. */
const [TILE, KERNEL] = [4, 3];
/** Inputs of a tile along one axis. */
const PATCH = TILE + KERNEL - 1;

/** A' [TILE, PATCH], G [PATCH, KERNEL] and B' [PATCH, PATCH] for points p and infinity. */
function cookToom(points: readonly number[]): { a: Matrix; g: Matrix; b: Matrix } {
  const power = (count: number) => (p: number) => Array.from({ length: count }, (_, i) => p ** i);
  const last = (count: number) => Array.from({ length: count }, (_, i) => Number(i === count - 1));
  /** Coefficients of the product of (x - r), the constant first. */
  const product = (roots: readonly number[]) =>
    roots.reduce((c, r) => [...c, 0].map((_, i) => (c[i - 1] ?? 0) - r * (c[i] ?? 0)), [1]);
  const others = points.map((p) => points.filter((q) => q !== p));
  const scale = points.map((p, i) => others[i].reduce((s, q) => s * (p - q), 1));
  return {
    a: transposed([...points.map(power(TILE)), last(TILE)]),
    g: [...points.map((p, i) => power(KERNEL)(p).map((v) => v / scale[i])), last(KERNEL)],
    b: [...others.map((roots) => [...product(roots), 0]), product(points)],
  };
}

const transposed = (m: Matrix): Matrix => m[0].map((_, j) => m.map((row) => row[j]));
const { a: A, g: G, b: B } = cookToom([0, 0.75, -0.75, 1.5, -1.5]);
const SPREAD = transposed(A);
const NAMES = new Map<Matrix, string>([
  [A, "outputs"],
  [G, "kernels"],
  [B, "inputs"],
  [SPREAD, "gradients"],
]);

/** m along both axes of an image: the Kronecker product of m with itself, once in a graph, so that equal nodes stay equal. */
function both(graph: Graph, m: Matrix, shape: readonly number[]): Tensor {
  const name = `winograd.${NAMES.get(m)!}`;
  const known = graph.constants.find((c) => c.name === name);
  const square = m.flatMap((r) => m.flatMap((s) => r.flatMap((v) => s.map((w) => v * w))));
  return known ? reshape(known, shape) : graph.constant(ndarray("float32", shape, Float32Array.from(square)), name);
}

const tilesAlong = (size: number): number => Math.ceil(size / TILE);
const swapped = (t: Tensor): Tensor =>
  t.shape[0] === 1
    ? reshape(t, [t.shape[1], 1, ...t.shape.slice(2)])
    : t.shape[1] === 1
      ? reshape(t, [1, t.shape[0], ...t.shape.slice(2)])
      : transpose(t, [1, 0, 2, 3]);

/** m d m' of every tile d of x [N, C, H, W], the first tile's corner `lead` before the image's: [36, C, N tiles]. */
function tiles(x: Tensor, m: Matrix, lead: readonly number[], counts: readonly number[]): Tensor {
  const [n, c, ...size] = x.shape;
  const width = m[0].length;
  const trail = size.map((s, i) => TILE * (counts[i] - 1) + width - s - lead[i]);
  // Tiles that do not overlap: all images below one another are one, whose result needs no reordering
  if (width === TILE && trail.every((t) => t === 0) && lead.every((l) => l === 0)) {
    const column = reshape(swapped(x), [1, 1, c * n * size[0], size[1]]);
    const kernel = both(x.graph, m, [PATCH ** 2, 1, width, width]);
    return reshape(conv(column, kernel, undefined, { strides: [TILE, TILE] }), [
      PATCH ** 2,
      c,
      n * counts[0] * counts[1],
    ]);
  }
  const images = reshape(x, [n * c, 1, ...size]);
  const kernel = both(x.graph, m, [PATCH ** 2, 1, width, width]);
  const each = conv(images, kernel, undefined, { strides: [TILE, TILE], pads: [...lead, ...trail] });
  const count = counts[0] * counts[1];
  return reshape(transpose(reshape(each, [n, c, PATCH ** 2, count]), [2, 1, 0, 3]), [PATCH ** 2, c, n * count]);
}

/** The input's tiles of a convolution with those paddings to outputs of `size`. */
const inputTiles = (x: Tensor, before: readonly number[], size: readonly number[]): Tensor =>
  tiles(x, B, before, size.map(tilesAlong));

/** A' t A of every tile t of [36, M, N tiles], laid out as images [N, M, size]. */
function images(t: Tensor, n: number, size: readonly number[]): Tensor {
  const [, m, count] = t.shape;
  const [rows, columns] = size.map(tilesAlong);
  const flat = gemm(both(t.graph, A, [TILE ** 2, PATCH ** 2]), reshape(t, [PATCH ** 2, m * count]));
  // One axis after the other: ONNX Runtime moves a single one by blocks, both at once element by element
  const wide = transpose(reshape(flat, [TILE, TILE, m * n * rows, columns]), [0, 2, 3, 1]);
  const whole = transpose(reshape(wide, [TILE, m * n * rows, columns * TILE]), [1, 0, 2]);
  const laid = reshape(whole, [m, n, rows * TILE, columns * TILE]);
  const ends = size.map((end, i) => ({ axis: i + 2, start: 0, end })).filter(({ axis, end }) => end < laid.shape[axis]);
  return swapped(ends.length > 0 ? slice(laid, ends) : laid);
}

/** The convolution of x [N, C, H, W] by w [M, C, 3, 3]. */
function convolution(x: Tensor, w: Tensor, bias: Tensor | undefined, { before, output }: Window): Tensor {
  const [m, c] = w.shape;
  const kernels = gemm(both(x.graph, G, [PATCH ** 2, KERNEL ** 2]), reshape(w, [m * c, KERNEL ** 2]), undefined, {
    transB: true,
  });
  const products = matmul(reshape(kernels, [PATCH ** 2, m, c]), inputTiles(x, before, output));
  const y = images(products, x.shape[0], output);
  return bias ? add(y, reshape(bias, [1, m, 1, 1])) : y;
}

/** The convolution's derivative by its weights: G' [(A dy A') * (B' d B)] G summed over tiles. */
export function winogradWeightGradient(x: Tensor, dy: Tensor, before: readonly number[]): Tensor {
  const [m, c] = [dy.shape[1], x.shape[1]];
  const size = dy.shape.slice(2);
  const arriving = tiles(dy, SPREAD, [0, 0], size.map(tilesAlong));
  const products = matmul(arriving, transpose(inputTiles(x, before, size), [0, 2, 1]));
  const kernel = both(x.graph, G, [PATCH ** 2, KERNEL ** 2]);
  const dw = gemm(reshape(products, [PATCH ** 2, m * c]), kernel, undefined, { transA: true });
  return reshape(dw, [m, c, KERNEL, KERNEL]);
}

/**
 * Whether a convolution of x to `outputs` channels is of the kind that this serves, and large enough to be faster. Measured on
 * AVX2 with float32: a pixel's multiplications fall by 0.18 ns for each pair of channels, the transforms cost 5 ns an input
 * channel and 3 ns an output channel; the kernels' transform needs some tiles to be worth it.
 */
export function suitsWinograd(x: Tensor, outputs: number, window: Window, group: number): boolean {
  const { kernel, strides, dilations, before, output } = window;
  const inputs = x.shape[1];
  return (
    x.dtype === "float32" &&
    group === 1 &&
    kernel.join() === `${KERNEL},${KERNEL}` &&
    [...strides, ...dilations].every((n) => n === 1) &&
    before.every((n) => n >= 0) &&
    (inputs * outputs) / (inputs + outputs) >= 20 &&
    x.shape[0] * output.map(tilesAlong).reduce((a, b) => a * b, 1) >= 16
  );
}

/** The graph again, its large convolutions by kernels of 3 x 3 written that way. For graphs that are differentiated already. */
export function withWinograd(graph: Graph, outputs: ReadonlyMap<string, Tensor>): Graph {
  return copyGraph(graph, {
    outputs,
    node: (node, [x, w, bias]) => {
      if (node.op !== "Conv" || node.domain !== "" || x!.shape.length !== 4) return undefined;
      const window = windowOf(node, x!.shape.slice(2), w!.shape.slice(2));
      const group = Number(node.attributes["group"] ?? 1);
      return suitsWinograd(x!, w!.shape[0], window, group) ? [convolution(x!, w!, bias, window)] : undefined;
    },
  });
}
