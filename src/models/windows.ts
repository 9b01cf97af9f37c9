/**
 * Tokens [batch, slab, row, column, width] cut into windows for attention within them, and back (Swin: Liu et al. 2021). The grid is
 * the Earth's (Pangu-Weather: Bi et al. 2023): columns go around the globe, so windows shifted in longitude need no mask there;
 * shifted rows and slabs do not cross the poles, the ground or the top; and the bias of relative positions is learnt for each slab
 * and latitude of windows, the same at all longitudes.
 */
import { type Scope, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, concat, gather, ints, pad, reshape, slice, transpose } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";

type Three = readonly [number, number, number];

export interface Windows {
  /** Slabs, rows and columns of tokens, and those with what windows need beyond. */
  readonly size: Three;
  readonly padded: Three;
  readonly window: Three;
  readonly shift: Three;
  readonly global: boolean;
}

/**
 * How a grid of tokens is cut. A window is no larger than the grid; around a globe its columns divide the circle. Shifted windows lie
 * half a window on, but for axes that one window covers.
 */
export function windowsOf(size: Three, asked: Three, options: { global: boolean; shifted: boolean }): Windows {
  const { global, shifted } = options;
  const window = asked.map((w, i) => {
    let part = Math.min(w, size[i]);
    if (i === 2 && global) while (size[2] % part !== 0) part--;
    return part;
  }) as unknown as Three;
  const padded = size.map((n, i) => Math.ceil(n / window[i]) * window[i]) as unknown as Three;
  const shift = window.map((w, i) => (shifted && padded[i] > w ? Math.floor(w / 2) : 0)) as unknown as Three;
  return { size, padded, window, shift, global };
}

/** Tokens [B, Z, R, C, D] as [B, windows along columns, windows along slabs and rows, tokens of a window, D]. */
export function intoWindows(x: Tensor, { size, padded, window, shift }: Windows): Tensor {
  const [batch, , , , width] = x.shape;
  const full = pad(x, [0, 0, 0, 0, 0], [0, ...padded.map((n, i) => n - size[i]), 0]);
  const moved = shift.reduce((t, s, i) => roll(t, i + 1, s), full);
  const [nz, nr, nc] = padded.map((n, i) => n / window[i]);
  const apart = reshape(moved, [batch, nz, window[0], nr, window[1], nc, window[2], width]);
  const length = window[0] * window[1] * window[2];
  return reshape(transpose(apart, [0, 5, 1, 3, 2, 4, 6, 7]), [batch, nc, nz * nr, length, width]);
}

/** The reverse of `intoWindows`. */
export function fromWindows(x: Tensor, { size, padded, window, shift }: Windows): Tensor {
  const [batch, nc, , , width] = x.shape;
  const [nz, nr] = padded.map((n, i) => n / window[i]);
  const apart = transpose(reshape(x, [batch, nc, nz, nr, ...window, width]), [0, 2, 4, 3, 5, 1, 6, 7]);
  const full = reshape(apart, [batch, ...padded, width]);
  const moved = shift.reduce((t, s, i) => roll(t, i + 1, -s), full);
  return slice(
    moved,
    size.map((end, i) => ({ axis: i + 1, start: 0, end })),
  );
}

/**
 * What is added to the scores [B, columns, slabs and rows, H, T, T] of windows: the learnt bias, one array for each slab and
 * latitude of windows, and large negative numbers between tokens that only the shift or the padding brought together.
 */
export function windowBias(p: Scope, at: Windows, heads: number): Tensor {
  const { padded, window } = at;
  const [nz, nr, nc] = padded.map((n, i) => n / window[i]);
  const length = window[0] * window[1] * window[2];
  const [wz, wr, wc] = window;
  const places = Array.from({ length }, (_, i) => [Math.floor(i / (wr * wc)), Math.floor(i / wc) % wr, i % wc]);
  // Slabs and rows count as they are, since up and north differ from place to place; columns by their distance alone
  const index = places.flatMap(([z, r, c]) =>
    places.map(([z2, r2, c2]) => ((z * wz + z2) * wr * wr + r * wr + r2) * (2 * wc - 1) + (c - c2 + wc - 1)),
  );
  const table = p.param("bias", [nz * nr, wz * wz * wr * wr * (2 * wc - 1), heads], zero);
  const picked = reshape(gather(table, ints(p.graph, index), 1), [1, 1, nz * nr, length, length, heads]);
  const bias = transpose(picked, [0, 1, 2, 5, 3, 4]); // [1, 1, nz nr, H, T, T]

  const labels = regions(at);
  const mask = new Float32Array(nc * nz * nr * length * length);
  let masked = false;
  for (let w = 0; w < nc * nz * nr; w++)
    for (let i = 0; i < length; i++)
      for (let j = 0; j < length; j++)
        if (labels[w * length + i] !== labels[w * length + j]) {
          mask[(w * length + i) * length + j] = -100;
          masked = true;
        }
  return masked ? add(bias, p.graph.constant(float32([1, nc, nz * nr, 1, length, length], mask))) : bias;
}

/** For every token in the order of `intoWindows`, which connected part of the grid it comes from; padding is a part of its own. */
function regions({ size, padded, window, shift, global }: Windows): Int32Array {
  const axis = (i: number): number[] =>
    Array.from({ length: padded[i] }, (_, at) => {
      if ((at + shift[i]) % padded[i] >= size[i]) return 0;
      return at >= padded[i] - shift[i] && !(i === 2 && global) ? 2 : 1;
    });
  const [z, r, c] = [axis(0), axis(1), axis(2)];
  const [nz, nr, nc] = padded.map((n, i) => n / window[i]);
  const out: number[] = [];
  for (let kc = 0; kc < nc; kc++)
    for (let kz = 0; kz < nz; kz++)
      for (let kr = 0; kr < nr; kr++)
        for (let i = 0; i < window[0]; i++)
          for (let j = 0; j < window[1]; j++)
            for (let k = 0; k < window[2]; k++) {
              const of = [z[kz * window[0] + i], r[kr * window[1] + j], c[kc * window[2] + k]];
              out.push(of.includes(0) ? 0 : of[0] * 9 + of[1] * 3 + of[2]);
            }
  return Int32Array.from(out);
}

/** What lay `by` further along the axis comes to the front; the front goes to the end. */
export function roll(x: Tensor, axis: number, by: number): Tensor {
  const n = x.shape[axis];
  const cut = ((by % n) + n) % n;
  if (cut === 0) return x;
  return concat([slice(x, [{ axis, start: cut, end: n }]), slice(x, [{ axis, start: 0, end: cut }])], axis);
}
