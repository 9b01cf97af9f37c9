/** Bytes written and read in order; a reader fails where the bytes end too early or too late. */
import { FoehnError } from "../../errors.js";

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  #room(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return at;
  }

  bytes(values: Uint8Array): void {
    const at = this.#room(values.length);
    this.#bytes.set(values, at);
  }

  float32(value: number): void {
    const at = this.#room(4);
    new DataView(this.#bytes.buffer).setFloat32(at, value, true);
  }

  /** LEB128: seven bits a byte. */
  varint(value: number): void {
    while (value >= 128) {
      const at = this.#room(1);
      this.#bytes[at] = (value % 128) + 128;
      value = Math.floor(value / 128);
    }
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  /** Whole numbers of `bits` bits (a divisor of 8), least significant first. */
  packed(values: readonly number[], bits: number): void {
    const each = 8 / bits;
    const at = this.#room(Math.ceil(values.length / each));
    values.forEach((v, i) => (this.#bytes[at + Math.floor(i / each)] |= v << ((i % each) * bits)));
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

export class ByteReader {
  #at = 0;
  constructor(readonly source: Uint8Array) {}

  bytes(count: number): Uint8Array {
    if (this.#at + count > this.source.length)
      throw new FoehnError(`the update ends after ${this.source.length} bytes, ${this.#at + count} are needed`);
    return this.source.subarray(this.#at, (this.#at += count));
  }

  float32(): number {
    const bytes = this.bytes(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 35; factor *= 128) {
      const [byte] = this.bytes(1);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new FoehnError("the update holds a position of more than five bytes");
  }

  packed(count: number, bits: number): number[] {
    const each = 8 / bits;
    const bytes = this.bytes(Math.ceil(count / each));
    return Array.from(
      { length: count },
      (_, i) => (bytes[Math.floor(i / each)] >> ((i % each) * bits)) & (2 ** bits - 1),
    );
  }

  /** Everything must have been read. */
  end(): void {
    if (this.#at !== this.source.length)
      throw new FoehnError(`the update has ${this.source.length - this.#at} bytes more than it should`);
  }
}
