/**
 * The two ways a code-block's bits are stored: the MQ arithmetic coder (ISO/IEC 15444-1, annex C) and plain bits with a
 * stuffed one after each byte 0xFF (D.6). Both read a segment that two bytes 0xFF follow, so that none reads on past it.
 */

/** Table C.2: of each state Qe, and the states after the more and the less probable symbol; a 1 where the sense switches. */
const STATES = [
  [0x5601, 1, 1, 1],
  [0x3401, 2, 6, 0],
  [0x1801, 3, 9, 0],
  [0x0ac1, 4, 12, 0],
  [0x0521, 5, 29, 0],
  [0x0221, 38, 33, 0],
  [0x5601, 7, 6, 1],
  [0x5401, 8, 14, 0],
  [0x4801, 9, 14, 0],
  [0x3801, 10, 14, 0],
  [0x3001, 11, 17, 0],
  [0x2401, 12, 18, 0],
  [0x1c01, 13, 20, 0],
  [0x1601, 29, 21, 0],
  [0x5601, 15, 14, 1],
  [0x5401, 16, 14, 0],
  [0x5101, 17, 15, 0],
  [0x4801, 18, 16, 0],
  [0x3801, 19, 17, 0],
  [0x3401, 20, 18, 0],
  [0x3001, 21, 19, 0],
  [0x2801, 22, 19, 0],
  [0x2401, 23, 20, 0],
  [0x2201, 24, 21, 0],
  [0x1c01, 25, 22, 0],
  [0x1801, 26, 23, 0],
  [0x1601, 27, 24, 0],
  [0x1401, 28, 25, 0],
  [0x1201, 29, 26, 0],
  [0x1101, 30, 27, 0],
  [0x0ac1, 31, 28, 0],
  [0x09c1, 32, 29, 0],
  [0x08a1, 33, 30, 0],
  [0x0521, 34, 31, 0],
  [0x0441, 35, 32, 0],
  [0x02a1, 36, 33, 0],
  [0x0221, 37, 34, 0],
  [0x0141, 38, 35, 0],
  [0x0111, 39, 36, 0],
  [0x0085, 40, 37, 0],
  [0x0049, 41, 38, 0],
  [0x0025, 42, 39, 0],
  [0x0015, 43, 40, 0],
  [0x0009, 44, 41, 0],
  [0x0005, 45, 42, 0],
  [0x0001, 45, 43, 0],
  [0x5601, 46, 46, 0],
];

/** A context holds twice its state's number, and one more where the more probable symbol is 1. */
const QE = Int32Array.from({ length: 94 }, (_, i) => STATES[i >> 1][0]);
const AFTER_MORE = Uint8Array.from({ length: 94 }, (_, i) => 2 * STATES[i >> 1][1] + (i & 1));
const AFTER_LESS = Uint8Array.from({ length: 94 }, (_, i) => 2 * STATES[i >> 1][2] + ((i & 1) ^ STATES[i >> 1][3]));

/** Labels of the contexts, table D.7: 0 to 8 significance, 9 to 13 signs, 14 to 16 magnitudes. */
export const RUN_LENGTH = 17;
export const UNIFORM = 18;

export class MqDecoder {
  private readonly contexts = new Uint8Array(19);
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private interval = 0;
  private code = 0;
  private shifts = 0;

  /** D.4: what the contexts know at the start of a code-block. */
  resetContexts(): void {
    this.contexts.fill(0);
    this.contexts[0] = 2 * 4;
    this.contexts[RUN_LENGTH] = 2 * 3;
    this.contexts[UNIFORM] = 2 * 46;
  }

  /** INITDEC, at the start of a segment. */
  begin(bytes: Uint8Array, at: number): void {
    this.bytes = bytes;
    this.at = at;
    this.code = bytes[at] << 16;
    this.nextByte();
    this.code <<= 7;
    this.shifts -= 7;
    this.interval = 0x8000;
  }

  /** BYTEIN. */
  private nextByte(): void {
    const next = this.bytes[this.at + 1];
    if (this.bytes[this.at] === 0xff) {
      if (next > 0x8f) {
        this.code = (this.code + 0xff00) | 0;
        this.shifts = 8;
        return;
      }
      this.code = (this.code + (next << 9)) | 0;
      this.shifts = 7;
    } else {
      this.code = (this.code + (next << 8)) | 0;
      this.shifts = 8;
    }
    this.at++;
  }

  /** DECODE: the next bit in a context. */
  bit(context: number): number {
    const state = this.contexts[context];
    const qe = QE[state];
    let symbol = state & 1;
    let interval = this.interval - qe;
    if (this.code >>> 16 < qe) {
      // The lower part; the less probable symbol, unless it is the larger part.
      if (interval < qe) this.contexts[context] = AFTER_MORE[state];
      else {
        symbol ^= 1;
        this.contexts[context] = AFTER_LESS[state];
      }
      interval = qe;
    } else {
      this.code = (this.code - (qe << 16)) | 0;
      if (interval & 0x8000) {
        this.interval = interval;
        return symbol;
      }
      if (interval < qe) {
        symbol ^= 1;
        this.contexts[context] = AFTER_LESS[state];
      } else this.contexts[context] = AFTER_MORE[state];
    }
    // RENORMD.
    do {
      if (this.shifts === 0) this.nextByte();
      interval <<= 1;
      this.code <<= 1;
      this.shifts--;
    } while (interval < 0x8000);
    this.interval = interval;
    return symbol;
  }
}

export class RawBits {
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private byte = 0;
  private left = 0;

  begin(bytes: Uint8Array, at: number): void {
    this.bytes = bytes;
    this.at = at;
    this.byte = 0;
    this.left = 0;
  }

  bit(): number {
    if (this.left === 0) {
      const stuffed = this.byte === 0xff;
      this.byte = this.bytes[this.at];
      if (stuffed && this.byte > 0x8f) this.byte = 0xff;
      else this.at++;
      this.left = stuffed && this.byte !== 0xff ? 7 : 8;
    }
    this.left--;
    return (this.byte >> this.left) & 1;
  }
}
