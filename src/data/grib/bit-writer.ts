/** Bits written head to tail, most significant first, into a buffer of a size known to be enough. */
export interface BitWriter {
  /** The lowest `bits` (0 to 32) of `value`. */
  write(value: number, bits: number): void;
  /** So many zeros and a one. */
  unary(zeros: number): void;
  /** What was written, filled up with zeros to a whole byte. */
  bytes(): Uint8Array;
}

export function bitWriter(capacity: number): BitWriter {
  const out = new Uint8Array(capacity);
  let at = 0;
  let held = 0; // bits not yet in `out`, at most 7
  let count = 0;
  const put = (value: number, bits: number): void => {
    held = (held << bits) | value; // at most 7 + 16 bits
    count += bits;
    while (count >= 8) {
      count -= 8;
      out[at++] = held >>> count;
    }
    held &= (1 << count) - 1;
  };
  return {
    write(value, bits) {
      if (bits > 16) put((value >>> 16) & ((1 << (bits - 16)) - 1), bits - 16);
      if (bits > 0) put(value & ((1 << Math.min(bits, 16)) - 1), Math.min(bits, 16));
    },
    unary(zeros) {
      let rest = zeros;
      for (; rest >= 16; rest -= 16) put(0, 16);
      put(1, rest + 1);
    },
    bytes: () => {
      if (count > 0) out[at] = held << (8 - count);
      return out.subarray(0, count > 0 ? at + 1 : at);
    },
  };
}
