import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { norm, tabulate } from "../aggregate/rows.js";
import { epsilon, logErfc, noiseFor } from "./accountant.js";
import * as masking from "./masking.js";
import { clipped, noised } from "./noise.js";
import { joinSecret, splitSecret } from "./shamir.js";
import { canonical, exportIdentity, importIdentity, newIdentity, sign, verify } from "./signature.js";

interface Goldens {
  dp: {
    opacus_rdp: { sigma: number; q: number; steps: number; delta: number; eps: number };
    table: { sigma: number; q: number; steps: number; delta: number; eps_rdp: number }[];
  };
}
const { dp } = JSON.parse(readFileSync(new URL("../fixtures/goldens.json", import.meta.url), "utf8")) as Goldens;

describe("accountant", () => {
  it("gives Opacus's published epsilon and the reference table", () => {
    const { opacus_rdp: o, table } = dp;
    expect(epsilon({ noise: o.sigma, sampling: o.q, rounds: o.steps, delta: o.delta })).toBeCloseTo(o.eps, 6);
    for (const { sigma, q, steps, delta, eps_rdp } of table)
      expect(epsilon({ noise: sigma, sampling: q, rounds: steps, delta })).toBeCloseTo(eps_rdp, 8);
  });

  it("finds the noise for an epsilon (Opacus: 1.416 for epsilon 8 over 90 epochs at 0.04)", () => {
    expect(noiseFor(8, { sampling: 0.04, rounds: 90 / 0.04, delta: 1e-5 })).toBeCloseTo(1.416, 2);
  });

  it("knows erfc (Abramowitz & Stegun, table 7.1)", () => {
    expect(Math.exp(logErfc(1))).toBeCloseTo(0.1572992070502851, 14);
    expect(Math.exp(logErfc(-1))).toBeCloseTo(1.842700792949715, 14);
    expect(Math.exp(logErfc(2.5))).toBeCloseTo(4.069520174449589e-4, 16);
    expect(logErfc(30)).toBeCloseTo(-903.974117110643, 6);
  });

  it("costs nothing without rounds and everything without noise", () => {
    const options = { sampling: 0.1, delta: 1e-5 };
    expect(epsilon({ ...options, noise: 1, rounds: 0 })).toBe(0);
    expect(epsilon({ ...options, noise: 0, rounds: 1 })).toBe(Infinity);
    expect(() => epsilon({ ...options, noise: 1, rounds: 1, sampling: 2 })).toThrow(/\[0, 1\]/);
  });
});

describe("clipping and noise", () => {
  it("bounds the length and adds the deviation asked for", () => {
    expect(norm(clipped(Float64Array.of(3, 4), 1))).toBeCloseTo(1, 12);
    expect([...clipped(Float64Array.of(0.3, 0.4), 1)]).toEqual([0.3, 0.4]);
    const blurred = noised(new Float64Array(20_000), 0.5, random(1));
    expect(norm(blurred) / Math.sqrt(20_000)).toBeCloseTo(0.5, 2);
  });
});

describe("signatures", () => {
  it("verify for the signed message and key alone", async () => {
    const [a, b] = await Promise.all([newIdentity(), newIdentity()]);
    const kept = await importIdentity(await exportIdentity(a));
    const signature = await sign(kept, canonical({ b: 1, a: [2, { d: 1, c: 2 }] }));
    expect(await verify(a.publicKey, '{"a":[2,{"c":2,"d":1}],"b":1}', signature)).toBe(true);
    expect(await verify(a.publicKey, '{"a":[2,{"c":2,"d":1}],"b":2}', signature)).toBe(false);
    expect(await verify(b.publicKey, '{"a":[2,{"c":2,"d":1}],"b":1}', signature)).toBe(false);
    expect(await verify("nonsense", "x", "!!")).toBe(false);
  });
});

describe("secret sharing", () => {
  it("any threshold of shares give the secret back, one fewer does not", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 40 }),
        fc.integer({ min: 2, max: 9 }),
        fc.nat(),
        (secret, n, seed) => {
          const threshold = 1 + (seed % n);
          const shares = splitSecret(secret, n, threshold);
          const chosen = [...random(seed).permutation(n)].map((i) => shares[i]);
          expect(joinSecret(chosen.slice(0, threshold))).toEqual(secret);
          if (threshold > 1) expect(joinSecret(chosen.slice(0, threshold - 1))).not.toEqual(secret);
        },
      ),
      { numRuns: 50, seed: 3 },
    );
  });
});

describe("masked sums", () => {
  const sites = ["amber", "birch", "cedar", "dune", "elm"];
  const threshold = 3;
  const length = 500;
  const round = "run 1";
  const scale = masking.fixedPointScale(4, sites.length);
  const updates = sites.map((_, i) => Float32Array.from(random(i).permutation(length), (v) => v / length - 0.5));

  async function setUp() {
    const keys = Object.fromEntries(
      await Promise.all(sites.map(async (s) => [s, await masking.newMaskKeys()] as const)),
    );
    const roster = Object.fromEntries(sites.map((s) => [s, keys[s].public]));
    const dealt: Record<string, Record<string, string>> = {};
    for (const s of sites) dealt[s] = await masking.dealShares(s, keys[s], roster, { threshold, round });
    const sent: Record<string, Uint32Array> = {};
    for (const [i, s] of sites.entries())
      sent[s] = await masking.masked(s, keys[s], roster, updates[i], { scale, round });
    return { keys, roster, dealt, sent };
  }
  const parcelsFor = (dealt: Record<string, Record<string, string>>, to: string): Record<string, string> =>
    Object.fromEntries(sites.map((from) => [from, dealt[from][to]]));

  it.each([[[]], [["birch"]], [["amber", "elm"]]])("equal the plain sum when %j vanish", async (vanished) => {
    const { keys, roster, dealt, sent } = await setUp();
    const survivors = sites.filter((s) => !vanished.includes(s as never));
    const reveals: Record<string, masking.Revealed> = {};
    for (const s of survivors.slice(0, threshold))
      reveals[s] = await masking.revealed(s, keys[s], roster, parcelsFor(dealt, s), { survivors, round });
    const sum = masking.maskedSum(
      survivors.map((s) => sent[s]),
      length,
    );
    const got = await masking.unmaskedSum(sum, roster, reveals, { survivors, threshold, scale, round });
    const plain = tabulate(updates[0], (i) => survivors.reduce((total, s) => total + updates[sites.indexOf(s)][i], 0));
    got.forEach((v, i) => expect(Math.abs(v - plain[i])).toBeLessThan(1e-6));
  });

  it("cannot be unmasked by fewer than the threshold", async () => {
    const { keys, roster, dealt, sent } = await setUp();
    const reveals = Object.fromEntries(
      await Promise.all(
        sites.slice(0, 2).map(async (s) => {
          const parcels = parcelsFor(dealt, s);
          return [s, await masking.revealed(s, keys[s], roster, parcels, { survivors: sites, round })] as const;
        }),
      ),
    );
    const options = { survivors: sites, threshold, scale, round };
    await expect(
      masking.unmaskedSum(masking.maskedSum(Object.values(sent), length), roster, reveals, options),
    ).rejects.toThrow(/2 sites helped to unmask, 3 are needed/);
  });

  it("one masked update looks like noise: its bits are balanced and unlike the update's", async () => {
    const keys = await masking.newMaskKeys();
    const roster = { a: keys.public, b: (await masking.newMaskKeys()).public };
    const n = 50_000;
    const values = new Float32Array(n).fill(0.25); // as far from noise as can be
    const hidden = await masking.masked("a", keys, roster, values, { scale: masking.fixedPointScale(1, 2), round });
    // Chi-square over 256 values of the top and of the bottom byte: 255 +- 5 sqrt(510)
    for (const shift of [24, 0]) {
      const counts = new Float64Array(256);
      hidden.forEach((v) => counts[(v >>> shift) & 255]++);
      const chi2 = counts.reduce((s, c) => s + (c - n / 256) ** 2 / (n / 256), 0);
      expect(Math.abs(chi2 - 255)).toBeLessThan(5 * Math.sqrt(510));
    }
    const mean = hidden.reduce((s, v) => s + v / 2 ** 32, 0) / n;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 / Math.sqrt(12 * n));
    let lag = 0;
    for (let i = 1; i < n; i++) lag += (hidden[i] / 2 ** 32 - 0.5) * (hidden[i - 1] / 2 ** 32 - 0.5);
    expect(Math.abs((lag / n) * 12)).toBeLessThan(5 / Math.sqrt(n));
  });

  it("refuses a threshold that lets two groups unmask, and numbers beyond the bound", async () => {
    const keys = await masking.newMaskKeys();
    const roster = { a: keys.public, b: keys.public };
    await expect(masking.dealShares("a", keys, roster, { threshold: 1, round })).rejects.toThrow(/above half/);
    await expect(
      masking.masked("a", keys, roster, Float32Array.of(9), { scale: masking.fixedPointScale(1, 2), round }),
    ).rejects.toThrow(/clip/);
  });
});
