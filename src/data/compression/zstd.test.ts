import { registry } from "zarrita";
import { describe, expect, it } from "vitest";
import "../zarr-codecs.js";
import { zstdDecoders } from "./zstd.node.js";
import { decodedBound } from "./zstd.js";

interface Codec {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}
const codec = async (): Promise<Codec> => {
  const entry = (await registry.get("zstd")!()) as unknown as { fromConfig(configuration: unknown): Codec };
  return entry.fromConfig({ level: 3 });
};
const noise = (n: number): Uint8Array => new Uint8Array(n).map((_, i) => (i * i * 31 + (i >> 5)) % 251);

/** RFC 8878, 3.1.1: a frame of one raw block whose header (descriptor 0, window of 1 KiB) says no content size. */
const unsized = (content: Uint8Array): Uint8Array =>
  Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, (content.length << 3) | 1, content.length >> 5, 0, ...content);

describe("zstd", () => {
  it.each(zstdDecoders)("decodes what the reference encoder writes, of any size: $name", async ({ decode }) => {
    const reference = await codec(); // its encoder is zarrita's: the C library
    for (const size of [1, 100, 300, 150_000]) {
      const frame = await reference.encode(noise(size));
      expect(decodedBound(frame)).toBe(size);
      expect(Buffer.compare(await decode(frame, size), noise(size))).toBe(0);
      const room = new Uint8Array(size + 7);
      expect((await decode(frame, size, room)).length).toBe(size);
      expect(Buffer.compare(room.subarray(0, size), noise(size))).toBe(0);
    }
    // more than is decoded on this thread alone
    const large = noise(2 ** 20);
    const frame = await reference.encode(large);
    const all = await Promise.all(Array.from({ length: 32 }, () => decode(frame, large.length)));
    for (const out of all) expect(Buffer.compare(out, large)).toBe(0);
  });

  it("decodes nothing to nothing", async () => {
    expect(await (await codec()).decode(await (await codec()).encode(new Uint8Array(0)))).toEqual(new Uint8Array(0));
  });

  it("reads frames that do not say their size, and frames one after another", async () => {
    const own = await codec();
    const content = noise(40);
    expect(decodedBound(unsized(content))).toBe(40);
    expect(await own.decode(unsized(content))).toEqual(content);
    // RFC 8878, 3.1.2: a frame to skip, here of three bytes
    const skipped = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7);
    const several = Uint8Array.of(...unsized(content), ...skipped, ...(await own.encode(noise(300))));
    expect(await own.decode(several)).toEqual(Uint8Array.of(...content, ...noise(300)));
  });

  it("refuses damage, and sizes that are not true", async () => {
    const own = await codec();
    const frame = await own.encode(noise(5000));
    for (const { decode } of zstdDecoders) {
      await expect(decode(frame.slice(0, frame.length - 9), 5000)).rejects.toThrow();
      await expect(decode(frame, 4000)).rejects.toThrow();
    }
    await expect(own.decode(frame.slice(0, 40))).rejects.toThrow();
    const lying = frame.slice();
    lying[5] = 255;
    await expect(own.decode(lying)).rejects.toThrow();
    expect(await own.decode(frame)).toEqual(noise(5000));
  });
});
