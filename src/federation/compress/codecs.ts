/**
 * Fewer bytes for an update. A codec turns d numbers into bytes and back; what it loses is kept by error feedback (feedback.ts).
 * Decoding trusts nothing: it knows d beforehand, reads within the bytes it was given, and never makes more than d numbers.
 *
 *   codecNamed("top-k:0.01+int8")    the largest 1 % with 8-bit values: about 2 bytes for every hundred numbers
 */
import { FoehnError, nearest, UsageError } from "../../errors.js";
import { random } from "../../tensor/random.js";
import type { Vector } from "../aggregate/rows.js";
import { ByteReader, ByteWriter } from "./bytes.js";
import { rotated, ROTATED_BITS, type RotatedBits } from "./rotated.js";

/** Numbers to bytes and back. `seed` fixes what is drawn at random, at both ends. */
export interface Codec {
  readonly name: string;
  encode(values: Vector, seed: number): Uint8Array;
  /** Throws FoehnError where the bytes are not `length` numbers of this codec. */
  decode(bytes: Uint8Array, length: number, seed: number): Float32Array;
}

/** How a list of numbers is written; the inner part of every codec. */
interface Values {
  write(values: ArrayLike<number>, to: ByteWriter, seed: number): void;
  read(count: number, from: ByteReader, seed: number): Float32Array;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const FLOAT32: Values = {
  write: (values, to) => to.bytes(bytesOf(values instanceof Float32Array ? values : Float32Array.from(values))),
  read: (count, from) => new Float32Array(from.bytes(4 * count).slice().buffer),
};

/** Numbers that share one scale: a block keeps the largest of its numbers from drowning the others. */
const BLOCK = 1024;

/**
 * Whole numbers of `bits` bits times a scale a block (largest absolute value), rounded at random so that the mean is kept
 * (QSGD, Alistarh et al. 2017). Two's complement, packed.
 */
function quantised(bits: 8 | 4): Values {
  const top = 2 ** (bits - 1) - 1;
  return {
    write(values, to, seed) {
      const rng = random(seed).split("quantise");
      for (let start = 0; start < values.length; start += BLOCK) {
        const end = Math.min(values.length, start + BLOCK);
        let scale = 0;
        for (let i = start; i < end; i++) scale = Math.max(scale, Math.abs(values[i]));
        to.float32(scale);
        const rounded = Array.from({ length: end - start }, (_, i) =>
          scale > 0 ? Math.max(-top, Math.min(top, Math.floor((values[start + i] / scale) * top + rng.uniform()))) : 0,
        );
        to.packed(
          rounded.map((v) => v & (2 ** bits - 1)),
          bits,
        );
      }
    },
    read(count, from) {
      const out = new Float32Array(count);
      for (let start = 0; start < count; start += BLOCK) {
        const end = Math.min(count, start + BLOCK);
        const scale = from.float32();
        from.packed(end - start, bits).forEach((v, i) => {
          out[start + i] = ((v > top ? v - 2 ** bits : v) * scale) / top;
        });
      }
      return out;
    },
  };
}

/** The sign of each number times the block's mean absolute value (signSGD with scale, Bernstein et al. 2018). */
const ONE_BIT: Values = {
  write(values, to) {
    for (let start = 0; start < values.length; start += BLOCK) {
      const block = Array.from({ length: Math.min(BLOCK, values.length - start) }, (_, i) => values[start + i]);
      to.float32(block.reduce((s, v) => s + Math.abs(v), 0) / block.length);
      to.packed(
        block.map((v) => (v < 0 ? 1 : 0)),
        1,
      );
    }
  },
  read(count, from) {
    const out = new Float32Array(count);
    for (let start = 0; start < count; start += BLOCK) {
      const scale = from.float32();
      from.packed(Math.min(BLOCK, count - start), 1).forEach((v, i) => (out[start + i] = v ? -scale : scale));
    }
    return out;
  },
};

/** -1, 0 or 1 times the block's largest absolute value, at random so that the mean is kept (TernGrad, Wen et al. 2017). 2 bits. */
const TERNARY: Values = {
  write(values, to, seed) {
    const rng = random(seed).split("ternary");
    for (let start = 0; start < values.length; start += BLOCK) {
      const block = Array.from({ length: Math.min(BLOCK, values.length - start) }, (_, i) => values[start + i]);
      const scale = block.reduce((s, v) => Math.max(s, Math.abs(v)), 0);
      to.float32(scale);
      to.packed(
        block.map((v) => (rng.uniform() * scale < Math.abs(v) ? (v < 0 ? 2 : 1) : 0)),
        2,
      );
    }
  },
  read(count, from) {
    const out = new Float32Array(count);
    for (let start = 0; start < count; start += BLOCK) {
      const scale = from.float32();
      from.packed(Math.min(BLOCK, count - start), 2).forEach((v, i) => {
        if (v === 3) throw new FoehnError("a ternary value is 3 of {0, 1, 2}");
        out[start + i] = v === 2 ? -scale : v * scale;
      });
    }
    return out;
  },
};

const VALUES = { float32: FLOAT32, int8: quantised(8), int4: quantised(4), sign: ONE_BIT, ternary: TERNARY } as const;
type ValuesName = keyof typeof VALUES;

/** Every number, its values written as named. */
const dense = (values: ValuesName): Codec => ({
  name: values,
  encode(numbers, seed) {
    const to = new ByteWriter();
    VALUES[values].write(numbers, to, seed);
    return to.done();
  },
  decode(bytes, length, seed) {
    const from = new ByteReader(bytes);
    const out = VALUES[values].read(length, from, seed);
    from.end();
    return out;
  },
});

/** How many of d numbers a share keeps. */
const keptOf = (share: number, length: number): number => Math.max(1, Math.round(share * length));

/** The `share` of numbers with the largest absolute values (Aji & Heafield 2017); positions as gaps, one byte where below 128. */
function topK(share: number, values: ValuesName): Codec {
  return {
    name: `top-k:${share}+${values}`,
    encode(numbers, seed) {
      const chosen = largest(numbers, keptOf(share, numbers.length));
      const to = new ByteWriter();
      let last = -1;
      for (const i of chosen) {
        to.varint(i - last - 1);
        last = i;
      }
      VALUES[values].write(
        Float64Array.from(chosen, (i) => numbers[i]),
        to,
        seed,
      );
      return to.done();
    },
    decode(bytes, length, seed) {
      const from = new ByteReader(bytes);
      const count = keptOf(share, length);
      const positions = new Uint32Array(count);
      let last = -1;
      for (let j = 0; j < count; j++) {
        last += from.varint() + 1;
        if (last >= length) throw new FoehnError(`position ${last} lies outside the ${length} numbers of the model`);
        positions[j] = last;
      }
      return scatter(positions, VALUES[values].read(count, from, seed), length, from);
    },
  };
}

/** A random `share` of the numbers, scaled by 1/share so that the mean is kept; the seed stands for the positions. */
function randomK(share: number, values: ValuesName): Codec {
  const positionsOf = (length: number, seed: number): Uint32Array => {
    const count = keptOf(share, length);
    const rng = random(seed).split("random-k");
    // Floyd's sampling: `count` different positions without listing all.
    const chosen = new Set<number>();
    for (let j = length - count; j < length; j++) {
      const t = rng.integer(j + 1);
      chosen.add(chosen.has(t) ? j : t);
    }
    return Uint32Array.from(chosen).sort();
  };
  return {
    name: `random-k:${share}+${values}`,
    encode(numbers, seed) {
      const positions = positionsOf(numbers.length, seed);
      const to = new ByteWriter();
      VALUES[values].write(
        Float64Array.from(positions, (i) => (numbers[i] * numbers.length) / positions.length),
        to,
        seed,
      );
      return to.done();
    },
    decode(bytes, length, seed) {
      const from = new ByteReader(bytes);
      return scatter(positionsOf(length, seed), VALUES[values].read(keptOf(share, length), from, seed), length, from);
    },
  };
}

function scatter(positions: Uint32Array, values: Float32Array, length: number, from: ByteReader): Float32Array {
  from.end();
  const out = new Float32Array(length);
  positions.forEach((i, j) => (out[i] = values[j]));
  return out;
}

/** Positions of the `count` largest absolute values, ascending; of equal ones the first. */
export function largest(values: Vector, count: number): Uint32Array {
  const magnitudes = values.map(Math.abs);
  const threshold = magnitudes.slice().sort()[values.length - count];
  const out = new Uint32Array(count);
  let ties = count;
  for (const v of magnitudes) if (v > threshold) ties--;
  for (let i = 0, j = 0; i < values.length && j < count; i++)
    if (magnitudes[i] > threshold || (magnitudes[i] === threshold && ties-- > 0)) out[j++] = i;
  return out;
}

/**
 * The best approximation of rank r the power method finds in one pass (PowerSGD, Vogels et al. 2019), the numbers seen as one
 * matrix as square as can be. Sends P (m x r, orthonormal) and Q (n x r) with X about P Q^T.
 */
function lowRank(rank: number): Codec {
  const sides = (length: number): [number, number] => {
    const m = Math.ceil(Math.sqrt(length));
    return [m, Math.ceil(length / m)];
  };
  const sizes = (length: number): { m: number; n: number; r: number } => {
    const [m, n] = sides(length);
    return { m, n, r: Math.min(rank, m, n) };
  };
  return {
    name: `low-rank:${rank}`,
    encode(numbers, seed) {
      const { m, n, r } = sizes(numbers.length);
      const rng = random(seed).split("low-rank");
      const at = (i: number, j: number): number => numbers[i * n + j] ?? 0;
      let Q = Float64Array.from({ length: n * r }, () => rng.normal());
      let P = new Float64Array(m * r);
      for (let pass = 0; pass < 2; pass++) {
        P = new Float64Array(m * r);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) for (let k = 0; k < r; k++) P[i * r + k] += at(i, j) * Q[j * r + k];
        orthonormalise(P, m, r);
        Q = new Float64Array(n * r);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) for (let k = 0; k < r; k++) Q[j * r + k] += at(i, j) * P[i * r + k];
      }
      const to = new ByteWriter();
      FLOAT32.write(P, to, seed);
      FLOAT32.write(Q, to, seed);
      return to.done();
    },
    decode(bytes, length) {
      const { m, n, r } = sizes(length);
      const from = new ByteReader(bytes);
      const P = FLOAT32.read(m * r, from, 0);
      const Q = FLOAT32.read(n * r, from, 0);
      from.end();
      return Float32Array.from({ length }, (_, p) => {
        let total = 0;
        for (let k = 0; k < r; k++) total += P[Math.floor(p / n) * r + k] * Q[(p % n) * r + k];
        return total;
      });
    },
  };
}

/** Modified Gram-Schmidt on the columns of a (rows x cols); a column that vanishes stays 0. */
function orthonormalise(a: Float64Array, rows: number, cols: number): void {
  for (let k = 0; k < cols; k++) {
    for (let j = 0; j < k; j++) {
      let along = 0;
      for (let i = 0; i < rows; i++) along += a[i * cols + k] * a[i * cols + j];
      for (let i = 0; i < rows; i++) a[i * cols + k] -= along * a[i * cols + j];
    }
    let square = 0;
    for (let i = 0; i < rows; i++) square += a[i * cols + k] ** 2;
    const scale = square > 1e-24 ? 1 / Math.sqrt(square) : 0;
    for (let i = 0; i < rows; i++) a[i * cols + k] *= scale;
  }
}

/**
 * The update as `count` numbers along directions that both ends draw from the seed: sums g_s z_s, for the thinnest links
 * (seed-and-scalar, after FedKSeed, Qin et al. 2024). The directions are +-1, the coefficients those of least squares for nearly
 * orthogonal directions, <x, z_s> / d. Loses all but count/d of the update at a time: use with error feedback.
 */
function seedScalar(count: number): Codec {
  const direction = (length: number, seed: number, s: number): (() => number) => {
    const rng = random(seed).split(`direction ${s} of ${length}`);
    let [bits, left] = [0, 0];
    return () => {
      if (left === 0) [bits, left] = [rng.uint32(), 32];
      left--;
      const sign = bits & 1 ? 1 : -1;
      bits >>>= 1;
      return sign;
    };
  };
  return {
    name: `seeds:${count}`,
    encode(numbers, seed) {
      const residual = Float64Array.from(numbers);
      const scalars = new Float32Array(count);
      for (let s = 0; s < count; s++) {
        let next = direction(numbers.length, seed, s);
        let along = 0;
        for (let i = 0; i < residual.length; i++) along += residual[i] * next();
        scalars[s] = along / numbers.length;
        next = direction(numbers.length, seed, s);
        for (let i = 0; i < residual.length; i++) residual[i] -= scalars[s] * next();
      }
      const to = new ByteWriter();
      FLOAT32.write(scalars, to, seed);
      return to.done();
    },
    decode(bytes, length, seed) {
      const from = new ByteReader(bytes);
      const scalars = FLOAT32.read(count, from, seed);
      from.end();
      const out = new Float64Array(length);
      scalars.forEach((scalar, s) => {
        const next = direction(length, seed, s);
        for (let i = 0; i < length; i++) out[i] += scalar * next();
      });
      return Float32Array.from(out);
    },
  };
}

/**
 * `float32`, `int8`, `int4`, `sign`, `ternary`, `eden:BITS`, `top-k:SHARE[+values]`, `random-k:SHARE[+values]`, `low-rank:RANK`,
 * `seeds:COUNT`.
 */
export function codecNamed(name: string): Codec {
  const [head, values = "float32"] = name.split("+");
  const [kind, setting] = head.split(":");
  if (!Object.hasOwn(VALUES, values)) return unknownCodec(name, values, Object.keys(VALUES));
  const number = Number(setting);
  const share = (): number => {
    if (!(number > 0 && number <= 1))
      throw new UsageError(`codec '${name}': the share kept lies in (0, 1]; write e.g. ${kind}:0.01`);
    return number;
  };
  const count = (): number => {
    if (!Number.isInteger(number) || number < 1)
      throw new UsageError(`codec '${name}' needs a whole number of at least 1; write e.g. ${kind}:4`);
    return number;
  };
  switch (kind) {
    case "top-k":
      return topK(share(), values as ValuesName);
    case "random-k":
      return randomK(share(), values as ValuesName);
    case "eden":
      if (!ROTATED_BITS.includes(number as RotatedBits))
        throw new UsageError(`codec '${name}' takes ${ROTATED_BITS.join(", ")} bits a number; write e.g. eden:1`);
      return rotated(number as RotatedBits);
    case "low-rank":
      return lowRank(count());
    case "seeds":
      return seedScalar(count());
    default:
      if (Object.hasOwn(VALUES, name)) return dense(name as ValuesName);
      return unknownCodec(name, kind, [...Object.keys(VALUES), "eden", "top-k", "random-k", "low-rank", "seeds"]);
  }
}

function unknownCodec(name: string, part: string, known: readonly string[]): never {
  const near = nearest(part, known);
  throw new UsageError(
    `there is no codec '${name}'; ${near ? `did you mean '${near}'?` : `known: ${known.join(", ")}`}`,
  );
}
