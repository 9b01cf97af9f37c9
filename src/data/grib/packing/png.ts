/**
 * PNG pictures of packed integers (ISO/IEC 15948), as GRIB uses them: not interlaced, no palette; grey, or colour and
 * alpha channels that are the octets of wider numbers. Inflated by the platform, and never further than the size promised.
 */
import { inflate } from "../../compression/inflate.js";
import { GribError, octets } from "../octets.js";

/** Samples head to tail without filters, `bits` each, big-endian; rows of 1-, 2- and 4-bit samples are joined. */
export async function decodePng(bytes: Uint8Array, count: number): Promise<{ samples: Uint8Array; bits: number }> {
  const file = octets(bytes, "the PNG picture");
  if (file.u32(1) !== 0x89504e47 || file.u32(13) !== 0x49484452) throw new GribError("the data are not a PNG picture");
  const [width, height, depth, colour] = [file.u32(17), file.u32(21), file.u8(25), file.u8(26)];
  const channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[colour];
  if (!channels || file.u8(29) !== 0)
    throw new GribError("PNG pictures with a palette or interlaced rows are not read");
  const bits = depth * channels;
  if (![1, 2, 4, 8, 16].includes(depth) || bits > 32) throw new GribError(`PNG pixels of ${bits} bits are not read`);
  if (width * height !== count)
    throw new GribError(`the PNG picture has ${width} x ${height} pixels, but ${count} values are packed`);
  const rowBytes = Math.ceil((width * bits) / 8);
  const parts: Uint8Array[] = [];
  for (let at = 9; at + 8 <= bytes.length;) {
    const length = file.u32(at);
    if (file.u32(at + 4) === 0x49444154) parts.push(bytes.slice(at + 7, at + 7 + length));
    at += 12 + length;
  }
  const rows = await inflate(parts, (rowBytes + 1) * height).catch((cause: Error) => {
    throw new GribError(`the PNG picture is damaged: ${cause.message}`, { cause });
  });
  unfilter(rows, rowBytes, height, Math.max(1, bits >> 3));
  const packed = new Uint8Array(Math.ceil((width * height * bits) / 8));
  if ((width * bits) % 8 === 0)
    for (let y = 0; y < height; y++)
      packed.set(rows.subarray(y * (rowBytes + 1) + 1, (y + 1) * (rowBytes + 1)), y * rowBytes);
  else
    for (let y = 0, to = 0; y < height; y++)
      for (let x = 0; x < width * bits; x++, to++)
        packed[to >> 3] |= ((rows[y * (rowBytes + 1) + 1 + (x >> 3)] >> (7 - (x & 7))) & 1) << (7 - (to & 7));
  return { samples: packed, bits };
}

/** Filters 0 to 4 (section 9), undone in place; the first byte of each row names its filter. */
function unfilter(rows: Uint8Array, rowBytes: number, height: number, pixelBytes: number): void {
  const stride = rowBytes + 1;
  for (let y = 0; y < height; y++) {
    const from = y * stride + 1;
    const filter = rows[from - 1];
    if (filter > 4) throw new GribError(`PNG filter ${filter} does not exist`);
    if (filter === 0) continue;
    for (let i = from; i < from + rowBytes; i++) {
      const left = i - pixelBytes >= from ? rows[i - pixelBytes] : 0;
      const above = y > 0 ? rows[i - stride] : 0;
      if (filter === 1) rows[i] += left;
      else if (filter === 2) rows[i] += above;
      else if (filter === 3) rows[i] += (left + above) >> 1;
      else rows[i] += paeth(left, above, y > 0 && i - pixelBytes >= from ? rows[i - stride - pixelBytes] : 0);
    }
  }
}

/** Whichever of left, above and upper left is nearest to left + above - upper left. */
function paeth(left: number, above: number, corner: number): number {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}
