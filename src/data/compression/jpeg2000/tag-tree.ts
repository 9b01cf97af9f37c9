/** Bits of packet headers (ISO/IEC 15444-1, B.10.1), and the tag trees in them (B.10.2). */
import { Jpeg2000Error } from "./error.js";

/** Most significant bit first; after a byte 0xFF the next has a bit less. */
export class HeaderBits {
  private byte = 0;
  private left = 0;
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  bit(): number {
    if (this.left === 0) {
      if (this.at >= this.bytes.length) throw new Jpeg2000Error("the JPEG 2000 picture ends inside a packet's header");
      this.left = this.byte === 0xff ? 7 : 8;
      this.byte = this.bytes[this.at++];
    }
    this.left--;
    return (this.byte >> this.left) & 1;
  }

  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.bit();
    return value;
  }

  /** To the whole byte that follows the header. */
  align(): void {
    if (this.byte === 0xff) this.at++;
    this.left = 0;
    this.byte = 0;
  }
}

/** A tree of minima over a raster of leaves, told bit by bit as far as they are needed. */
export class TagTree {
  private readonly widths: number[] = [];
  private readonly starts: number[] = [];
  private readonly low: Int32Array;
  private readonly known: Uint8Array;

  constructor(width: number, height: number) {
    let total = 0;
    for (let w = width, h = height; ; w = (w + 1) >> 1, h = (h + 1) >> 1) {
      this.widths.push(w);
      this.starts.push(total);
      total += w * h;
      if (w * h <= 1) break;
    }
    this.low = new Int32Array(total);
    this.known = new Uint8Array(total);
  }

  /** Reads until it is known whether the leaf's value is below `threshold`. */
  isBelow(bits: HeaderBits, x: number, y: number, threshold: number): boolean {
    let low = 0;
    for (let level = this.widths.length - 1; level >= 0; level--) {
      const node = this.starts[level] + (y >> level) * this.widths[level] + (x >> level);
      if (this.low[node] < low) this.low[node] = low;
      while (this.low[node] < threshold && !this.known[node])
        if (bits.bit()) this.known[node] = 1;
        else this.low[node]++;
      low = this.low[node];
      if (level === 0) return this.known[node] === 1 && low < threshold;
    }
    return false;
  }

  /** The leaf's value, which lies below `limit` where the header is sound. */
  value(bits: HeaderBits, x: number, y: number, limit: number): number {
    for (let threshold = 1; threshold <= limit; threshold++)
      if (this.isBelow(bits, x, y, threshold)) return threshold - 1;
    throw new Jpeg2000Error("a packet's header promises more empty bit planes than there are");
  }
}
