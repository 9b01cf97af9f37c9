/**
 * Reproducible random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * Counter-based: a stream is (seed, stream, position), so streams split without talking to one another and a position is a
 * resume point. `random(seed).split("site 3")` gives the same numbers on every machine.
 */
export interface Random {
  /** A uniform 32-bit unsigned integer. */
  uint32(): number;
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** A uniform integer in [0, n). */
  integer(n: number): number;
  /** The integers 0..n-1 in random order (Fisher-Yates). */
  permutation(n: number): Uint32Array;
  /** An independent stream named by a word or number. */
  split(name: string | number): Random;
  /** Where the stream stands; `random(seed, state)` goes on from here. */
  state(): RandomState;
}

/** Key (seed and stream) and the count of 32-bit numbers drawn. */
export interface RandomState {
  readonly key: readonly [number, number];
  readonly drawn: number;
}

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The high 32 bits of a 32 x 32 bit product. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const middle2 = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(middle2 / 65536)) >>> 0;
}

/** One Philox4x32-10 block: counter and key to four random words. */
export function philox(counter: readonly number[], key: readonly [number, number], out: Uint32Array): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** A stream of random numbers from a seed, or one that goes on from a saved state. */
export function random(seed: number | RandomState): Random {
  const key: readonly [number, number] =
    typeof seed === "number" ? [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] : seed.key;
  let drawn = typeof seed === "number" ? 0 : seed.drawn;
  const block = new Uint32Array(4);
  let blockIndex = -1;

  const uint32 = (): number => {
    const index = Math.floor(drawn / 4);
    if (index !== blockIndex) {
      philox([index >>> 0, Math.floor(index / 2 ** 32) >>> 0, 0, 0], key, block);
      blockIndex = index;
    }
    return block[drawn++ % 4];
  };
  const uniform = (): number => (uint32() >>> 5) / 2 ** 27 + (uint32() >>> 6) / 2 ** 53;
  const integer = (n: number): number => Math.floor(uniform() * n);

  return {
    uint32,
    uniform,
    integer,
    // The sine twin is not kept: a state is then a position and nothing more.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    permutation(n) {
      const order = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
    split(name) {
      const out = new Uint32Array(4);
      let [a, b] = [key[0], key[1]];
      for (const char of `${name}`) {
        philox([char.codePointAt(0)!, 0x5eed, 0, 1], [a, b], out);
        [a, b] = [out[0], out[1]];
      }
      return random({ key: [a, b], drawn: 0 });
    },
    state: () => ({ key, drawn }),
  };
}
