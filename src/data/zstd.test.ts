import { registry } from "zarrita";
import { describe, expect, it } from "vitest";
import "./zstd.node.js";
import { decodeInline, frameContentSize } from "./zstd.js";

interface Codec {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}
const codec = async (): Promise<Codec> => {
  const entry = (await registry.get("zstd")!()) as unknown as { fromConfig(configuration: unknown): Codec };
  return entry.fromConfig({ level: 3 });
};
const noise = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * i * 31 + (i >> 5)) % 251);

/** RFC 8878, 3.1.1: a frame of one raw block whose header (descriptor 0, window of 1 KiB) says no content size. */
const unsized = (content: Uint8Array): Uint8Array =>
  Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, (content.length << 3) | 1, content.length >> 5, 0, ...content);

describe("zstd", () => {
  it("decodes what the reference encoder writes, of any size, on threads too", async () => {
    const reference = await codec(); // its encoder is zarrita's: the C library
    for (const size of [0, 1, 100, 300, 70_000, 300_000]) {
      const frame = await reference.encode(noise(size));
      expect(frameContentSize(frame)).toBe(size);
      expect(await (await codec()).decode(frame)).toEqual(noise(size));
    }
    // more than is decoded on this thread alone
    const large = noise(2 ** 20);
    const frame = await reference.encode(large);
    const own = await codec();
    const all = await Promise.all(Array.from({ length: 32 }, () => own.decode(frame)));
    for (const out of all) expect(Buffer.compare(out, large)).toBe(0);
  }, 30_000);

  it("reads frames that do not say their size, and frames one after another", async () => {
    const own = await codec();
    const content = noise(40);
    expect(frameContentSize(unsized(content))).toBeUndefined();
    expect(await own.decode(unsized(content))).toEqual(content);
  });

  it("refuses damage, and sizes that are not true", async () => {
    const own = await codec();
    const frame = await own.encode(noise(5000));
    await expect(decodeInline(frame.slice(0, frame.length - 9), 5000)).rejects.toThrow(/5000 bytes/);
    await expect(own.decode(frame.slice(0, 40))).rejects.toThrow();
    const lying = frame.slice();
    lying[5] = 255;
    await expect(own.decode(lying)).rejects.toThrow();
    expect(await own.decode(frame)).toEqual(noise(5000));
  });
});
