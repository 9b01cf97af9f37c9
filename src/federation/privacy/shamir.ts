/**
 * A secret in n shares of which any t give it back and t - 1 tell nothing (Shamir 1979), byte by byte over GF(2^8) with the
 * polynomial x^8 + x^4 + x^3 + x + 1. At most 255 shares.
 */
import { UsageError } from "../../errors.js";

const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x ^= (x << 1) ^ (x & 128 ? 0x11b : 0); // times the generator 3
  x &= 255;
}
const times = (a: number, b: number): number => (a && b ? EXP[LOG[a] + LOG[b]] : 0);
const over = (a: number, b: number): number => (a ? EXP[LOG[a] + 255 - LOG[b]] : 0);

export interface Share {
  /** 1 to 255. */
  readonly x: number;
  readonly y: Uint8Array;
}

/** Splits a secret; coefficients come from the machine's secure random numbers. */
export function splitSecret(secret: Uint8Array, n: number, threshold: number): Share[] {
  if (!(threshold >= 1 && threshold <= n && n <= 255))
    throw new UsageError(
      `a secret is split among 1 to 255 sites with a threshold up to their number, not ${threshold} of ${n}`,
    );
  const coefficients = Array.from({ length: threshold - 1 }, () =>
    crypto.getRandomValues(new Uint8Array(secret.length)),
  );
  return Array.from({ length: n }, (_, i) => ({
    x: i + 1,
    // Horner: ((c_t x + ...) x + secret)
    y: secret.map((s, b) => coefficients.reduceRight((y, c) => times(y ^ c[b], i + 1), 0) ^ s),
  }));
}

/** The secret from at least `threshold` different shares (Lagrange at 0); wrong where there are fewer. */
export function joinSecret(shares: readonly Share[]): Uint8Array {
  const out = new Uint8Array(shares[0].y.length);
  for (const { x, y } of shares) {
    let basis = 1;
    for (const other of shares) if (other.x !== x) basis = times(basis, over(other.x, other.x ^ x));
    for (let b = 0; b < out.length; b++) out[b] ^= times(y[b], basis);
  }
  return out;
}
