import { describe, expect, it } from "vitest";
import { float16ToNumber, float32, int64 } from "./ndarray.js";
import { philox, random } from "./random.js";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";

describe("random", () => {
  it("gives Philox4x32-10's published known answers (Random123, kat_vectors)", () => {
    const out = new Uint32Array(4);
    philox([0, 0, 0, 0], [0, 0], out);
    expect([...out]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const f = 0xffffffff;
    philox([f, f, f, f], [f, f], out);
    expect([...out]).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], out);
    expect([...out]).toEqual([0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
  });

  it("goes on from a saved state as if never stopped", () => {
    const a = random(7);
    for (let i = 0; i < 5; i++) a.normal();
    const b = random(a.state());
    expect([b.uniform(), b.normal(), b.integer(10)]).toEqual([a.uniform(), a.normal(), a.integer(10)]);
  });

  it("draws standard normals", () => {
    const rng = random(1).split("test");
    const n = 20_000;
    const x = Array.from({ length: n }, () => rng.normal());
    const mean = x.reduce((s, v) => s + v, 0) / n;
    const variance = x.reduce((s, v) => s + (v - mean) ** 2, 0) / n;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
  });
});

describe("safetensors", () => {
  it("reads back what it wrote", () => {
    const tensors = [
      ["a", float32([2, 2], [1, 2, 3, 4.5])],
      ["n", int64([], [9])],
    ] as const;
    const back = decodeSafetensors(encodeSafetensors(tensors, { step: "3" }));
    expect(back.metadata).toEqual({ step: "3" });
    expect(back.tensors.get("a")).toEqual(tensors[0][1]);
    expect(back.tensors.get("n")).toEqual(tensors[1][1]);
  });

  it("refuses a truncated file and an entry that points outside it", () => {
    const bytes = encodeSafetensors([["a", float32([4], [1, 2, 3, 4])]]);
    expect(() => decodeSafetensors(bytes.subarray(0, bytes.length - 1), "x.safetensors")).toThrow(
      /x\.safetensors.*'a'/,
    );
    expect(() => decodeSafetensors(bytes.subarray(0, 5))).toThrow(/5 bytes/);
    const absurd = bytes.slice();
    new DataView(absurd.buffer).setBigUint64(0, 1n << 40n, true);
    expect(() => decodeSafetensors(absurd)).toThrow(/header claims/);
  });
});

it("widens half floats", () => {
  expect([0x3c00, 0xc000, 0x0001, 0x7c00].map(float16ToNumber)).toEqual([1, -2, 2 ** -24, Infinity]);
});
