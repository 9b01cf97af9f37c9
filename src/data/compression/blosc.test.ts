/** Against c-blosc itself, in Python and as numcodecs compiles it to WebAssembly, and LZ4's own library likewise. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { registry } from "zarrita";
import "./zstd.node.js";
import { decodeBlosc } from "./blosc.js";
import { decodeSizedLz4 } from "./lz4.js";

/** A slow wave with noise, and long constant stretches. */
const values = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) =>
    i % 1000 < 400 ? 273.15 : Math.round(280 * 64 + 640 * Math.sin(i / 50) + ((i * 7919) % 13)) / 64,
  );

/** By numcodecs' encoders, which zarrita registers. */
async function encode(id: string, configuration: object, bytes: Uint8Array): Promise<Uint8Array> {
  const Codec = (await registry.get(id)!()) as unknown as {
    fromConfig(configuration: object): { encode(bytes: Uint8Array): Promise<Uint8Array> };
  };
  return Codec.fromConfig(configuration).encode(bytes);
}

interface Fixture {
  dtype: string;
  count: number;
  values: string;
  chunks: Record<string, string>;
}
const fixtures = JSON.parse(readFileSync(new URL("fixtures/blosc.json", import.meta.url), "utf8")) as Fixture[];

describe("Blosc", () => {
  it.each(fixtures)("$count values of $dtype, from Python (fixtures/make-blosc.py)", async ({ values, chunks }) => {
    for (const [name, chunk] of Object.entries(chunks)) {
      const out = await decodeBlosc(Uint8Array.from(Buffer.from(chunk, "base64")));
      expect(Buffer.from(out).toString("base64"), name).toBe(values);
    }
  });

  const cases = ["blosclz", "lz4", "lz4hc", "zlib", "zstd"].flatMap((cname) =>
    [0, 1, 2].flatMap((shuffle) => [0, 1, 6].map((clevel) => ({ cname, shuffle, clevel }))),
  );
  it.each(cases)("$cname, shuffle $shuffle, level $clevel", async ({ cname, shuffle, clevel }) => {
    for (const [count, blocksize] of [
      [1, 0],
      [7, 0],
      [64, 0],
      [1001, 0],
      [65_536, 4096],
      [100_003, 0],
    ]) {
      const bytes = new Uint8Array(values(count).buffer);
      const chunk = await encode("blosc", { blocksize, clevel, cname, shuffle }, bytes);
      expect(Buffer.compare(await decodeBlosc(chunk), bytes)).toBe(0);
      const room = new Uint8Array(bytes.length);
      expect((await decodeBlosc(chunk, room)).buffer).toBe(room.buffer);
      if (chunk.length > 40) await expect(decodeBlosc(chunk.slice(0, chunk.length - 9))).rejects.toThrow(/byte/);
    }
  });
});

describe("LZ4", () => {
  it("decodes what the reference encoder writes", async () => {
    for (const count of [1, 3, 100, 20_000]) {
      const bytes = new Uint8Array(values(count).buffer);
      const block = await encode("lz4", { acceleration: 1 }, bytes);
      expect(Buffer.compare(decodeSizedLz4(block), bytes)).toBe(0);
      expect(() => decodeSizedLz4(block.slice(0, block.length - 2))).toThrow(/LZ4/);
    }
  });
  it("takes what it cannot hold for damage", () => {
    expect(() => decodeSizedLz4(Uint8Array.of(255, 255, 255, 0, 0x10, 1))).toThrow(/cannot hold/);
    expect(() => decodeSizedLz4(Uint8Array.of(9, 0, 0, 0, 0x14, 1, 2, 0))).toThrow(/damaged at byte/);
  });
});
