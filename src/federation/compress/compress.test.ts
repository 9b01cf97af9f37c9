import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { addScaled, difference, mean, norm, type Vector } from "../aggregate/rows.js";
import { quadratics } from "../testing/quadratic.js";
import { codecNamed, largest } from "./codecs.js";
import { compress, eControl, restored } from "./feedback.js";
import { hadamard } from "./rotated.js";

const normals = (n: number, seed = 1): Float32Array => {
  const rng = random(seed);
  return Float32Array.from({ length: n }, () => rng.normal());
};
const roundTrip = (name: string, values: Vector, seed = 3): Float32Array =>
  codecNamed(name).decode(codecNamed(name).encode(values, seed), values.length, seed);

describe("codecs", () => {
  const x = normals(5000);
  it.each([
    ["float32", 4, 0],
    ["int8", 1.01, 0.02],
    ["int4", 0.51, 0.3],
    ["sign", 0.13, 0.61],
    ["eden:1", 0.133, 0.77],
    ["eden:2", 0.265, 0.37],
    ["eden:4", 0.53, 0.1],
    ["top-k:0.1", 0.55, 0.75],
    ["top-k:0.01+int8", 0.025, 0.97],
    ["random-k:0.25", 1.01, 1.8],
  ])("%s: bytes a number at most %f, error at most %f", (name, bytes, error) => {
    expect(codecNamed(name).encode(x, 3).length / x.length).toBeLessThanOrEqual(bytes);
    expect(norm(difference(x, roundTrip(name, x))) / norm(x)).toBeLessThanOrEqual(error);
  });

  it.each(["int8", "int4", "ternary", "random-k:0.3"])("%s keeps the mean over many seeds", (name) => {
    const v = Float32Array.of(0.3, -1, 0.05, 0.7, 0, 0.61, -0.2, 0.9);
    const many = mean(Array.from({ length: 4000 }, (_, seed) => roundTrip(name, v, seed)));
    many.forEach((m, i) => expect(Math.abs(m - v[i])).toBeLessThan(0.06));
  });

  it("rotating back gives the numbers", () => {
    const v = Float64Array.from(normals(64));
    const [first, before] = [v.slice(), norm(v)];
    hadamard(v);
    expect(v[0]).toBeCloseTo(first.reduce((s, x) => s + x, 0) / 8, 12); // the first row of H is all ones
    expect(norm(v)).toBeCloseTo(before, 12);
    hadamard(v);
    v.forEach((x, i) => expect(x).toBeCloseTo(first[i], 12));
  });

  // Vargaftik et al. 2021, theorem 2: pi/2 - 1 for one bit; Max 1960, table I: e = 0.1175 and 0.00950 for two and four, e / (1 - e)
  it.each([
    [1, Math.PI / 2 - 1],
    [2, 0.1175 / (1 - 0.1175)],
    [4, 0.0095 / (1 - 0.0095)],
  ])("eden:%d has the published error whatever the numbers, and none on average", (bits, expected) => {
    const unlike = normals(2048, 6).map((v, i) => (i % 16 === 0 ? 30 * v : v)); // a sixteenth holds nearly all of the length
    for (const v of [normals(2048, 5), unlike]) {
      const sent = Array.from({ length: 200 }, (_, seed) => roundTrip(`eden:${bits}`, v, seed));
      const errors = sent.map((s) => (norm(difference(s, v)) / norm(v)) ** 2);
      const found = errors.reduce((s, e) => s + e, 0) / errors.length;
      expect(Math.abs(found / expected - 1)).toBeLessThan(0.05); // rotated numbers are normal for endlessly many
      // The error of a mean of 200 that are right on average is a 200th of one's
      const left = (norm(difference(mean(sent), v)) / norm(v)) ** 2;
      expect(left * 200).toBeLessThan(1.2 * expected);
    }
  });

  it("eden gives zeros for zeros", () => {
    expect(norm(roundTrip("eden:1", new Float32Array(5)))).toBe(0);
  });

  it("top-k keeps the largest, the first of equals", () => {
    expect([...largest(Float32Array.of(1, -3, 2, 3, -2), 3)]).toEqual([1, 2, 3]);
    expect([...roundTrip("top-k:0.4", Float32Array.of(1, -3, 2, 3, -2))]).toEqual([0, -3, 0, 3, 0]);
  });

  it("low rank is exact for a matrix of that rank", () => {
    const [u, v] = [normals(30, 4), normals(30, 5)];
    const x = Float32Array.from({ length: 900 }, (_, p) => u[Math.floor(p / 30)] * v[p % 30]);
    expect(norm(difference(x, roundTrip("low-rank:1", x))) / norm(x)).toBeLessThan(1e-5);
    expect(codecNamed("low-rank:1").encode(x, 1).length).toBe(4 * 60);
  });

  it("seed and scalar: a few numbers point the right way", () => {
    const sent = roundTrip("seeds:16", x);
    expect(codecNamed("seeds:16").encode(x, 3).length).toBe(64);
    expect(sent.reduce((s, v, i) => s + v * x[i], 0)).toBeGreaterThan(0);
  });

  it("never crashes, and never makes more numbers than the model has, whatever the bytes", () => {
    const names = [
      "float32",
      "int8",
      "int4",
      "sign",
      "ternary",
      "eden:1",
      "eden:4",
      "top-k:0.1+int8",
      "random-k:0.1",
      "low-rank:2",
      "seeds:3",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 300 }), (name, bytes) => {
        try {
          return codecNamed(name).decode(bytes, 50, 1).length === 50;
        } catch (error) {
          return error instanceof Error && error.name === "FoehnError";
        }
      }),
      { numRuns: 500, seed: 2 },
    );
  });

  it("names the nearest codec", () => {
    expect(() => codecNamed("topk:0.1")).toThrow(/did you mean 'top-k'/);
    expect(() => codecNamed("top-k:5")).toThrow(/lies in \(0, 1\]/);
    expect(() => codecNamed("eden:3")).toThrow(/takes 1, 2, 4 bits/);
    expect(() => codecNamed("top-k:0.1+int9")).toThrow(/did you mean 'int8'/);
  });
});

describe("feedback on unlike quadratics, the largest tenth sent", () => {
  const { sites, size, gradient, optimum } = quadratics(1, { sites: 6, size: 20 });
  const topTenth = (v: Vector): Vector => {
    const out = new Float64Array(v.length);
    for (const i of largest(v, 2)) out[i] = v[i];
    return out;
  };
  const error = (x: Vector): number => norm(difference(x, optimum)) / norm(optimum);
  const each = <T>(f: (i: number) => T): T[] => Array.from({ length: sites }, (_, i) => f(i));
  /** Descends with what each site sends for its gradient. */
  function descend(send: (site: number, gradient: Vector) => Vector, steps = 12_000): number {
    const x = new Float64Array(size);
    for (let t = 0; t < steps; t++) addScaled(x, -0.05, mean(each((i) => send(i, gradient(i, x)))));
    return error(x);
  }

  it("without feedback training stops far off", () => {
    expect(descend((_, g) => topTenth(g), 4000)).toBeGreaterThan(0.3);
  });

  it("EF14 comes near with a constant step", () => {
    const e: Vector[] = each(() => new Float64Array(size));
    const off = descend((i, g) => {
      addScaled(e[i], 1, g);
      const sent = topTenth(e[i]);
      e[i] = difference(e[i], sent);
      return sent;
    });
    expect(off).toBeLessThan(0.3);
    expect(off).toBeGreaterThan(1e-6);
  });

  it("EF21 and EControl reach the optimum", () => {
    const g21: Float64Array[] = each((i) => gradient(i, new Float64Array(size)));
    const ef21 = descend((i, g) => {
      addScaled(g21[i], 1, topTenth(difference(g, g21[i])));
      return g21[i];
    });
    expect(ef21).toBeLessThan(1e-12);
    const states = each((i) => ({
      e: new Float64Array(size),
      h: gradient(i, new Float64Array(size)),
    }));
    const controlled = descend((i, g) => {
      eControl(states[i], g, topTenth);
      return states[i].h;
    });
    expect(controlled).toBeLessThan(1e-12);
  });

  it("hub and site keep the same EF21 memory, and a refused update loses nothing", () => {
    const codec = codecNamed("top-k:0.2+int8");
    const update = normals(50, 9);
    const memory = normals(50, 10);
    const { payload, memory: next, refused } = compress(codec, "ef21", update, memory, 7);
    const atHub = restored("ef21", codec.decode(payload, 50, 7), memory);
    expect([...atHub]).toEqual([...next]);
    expect([...refused]).toEqual([...memory]);
    const ef14 = compress(codec, "ef14", update, memory, 7);
    const sent = codec.decode(ef14.payload, 50, 7);
    sent.forEach((v, i) => expect(v + ef14.memory[i]).toBeCloseTo(update[i] + memory[i], 5));
    ef14.refused.forEach((v, i) => expect(v).toBeCloseTo(update[i] + memory[i], 5));
  });
});
