/**
 * The coefficients of a code-block, bit plane by bit plane (ISO/IEC 15444-1, annex D): each plane in three passes, over what
 * has significant neighbours, over what is significant already, and over the rest, in stripes of four rows.
 */
import { BYPASS, CAUSAL, RESET, SEGMENTATION, TERMINATE_ALL } from "./codestream.js";
import { Jpeg2000Error } from "./error.js";
import { MqDecoder, RawBits, RUN_LENGTH, UNIFORM } from "./mq.js";

/** Passes that end together, and their bytes. */
export interface Segment {
  passes: number;
  readonly chunks: Uint8Array[];
}

/** Magnitudes are held with half a unit in the last place, in 32 bits with a sign. */
export const MAX_PLANES = 30;
/** Samples of the largest code-block, and with a border around it of the one of the longest border (1024 x 4). */
const LARGEST = 4096;
const LARGEST_BORDERED = 1026 * 6;

/** What a sample knows of its neighbours and of itself. */
const [NE, SE, SW, NW, N, E, S, W] = [1, 2, 4, 8, 16, 32, 64, 128];
const [NEGATIVE_N, NEGATIVE_E, NEGATIVE_S, NEGATIVE_W] = [256, 512, 1024, 2048];
const [SIGNIFICANT, REFINED, VISITED] = [4096, 8192, 16384];
const AROUND = 255;
/** All but what lies in the stripe below, for code-blocks whose stripes stand alone. */
const NOT_BELOW = ~(SE | SW | S | NEGATIVE_S);

/** Contexts of significance by the neighbours, table D.1: LL and LH, then HL, then HH. */
const SIGNIFICANCE = [significanceTable(0), significanceTable(1), significanceTable(2)];

function significanceTable(kind: number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, flags) => {
    const has = (flag: number) => (flags & flag ? 1 : 0);
    const diagonal = has(NE) + has(SE) + has(SW) + has(NW);
    const along = has(E) + has(W);
    const across = has(N) + has(S);
    if (kind === 2) {
      const straight = along + across;
      if (diagonal >= 3) return 8;
      if (diagonal === 2) return straight >= 1 ? 7 : 6;
      return diagonal === 1 ? 3 + Math.min(2, straight) : Math.min(2, straight);
    }
    const [h, v] = kind === 1 ? [across, along] : [along, across];
    if (h === 2) return 8;
    if (h === 1) return v >= 1 ? 7 : diagonal >= 1 ? 6 : 5;
    return v > 0 ? 2 + v : Math.min(2, diagonal);
  });
}

/** Context of a sign and the sign expected there, tables D.2 and D.3, by N E S W and their signs (flags 16 to 2048). */
const SIGN = Uint8Array.from({ length: 256 }, (_, bits) => {
  const flags = bits << 4;
  const of = (there: number, negative: number) => (flags & there ? (flags & negative ? -1 : 1) : 0);
  const clamp = (x: number) => Math.max(-1, Math.min(1, x));
  const h = clamp(of(E, NEGATIVE_E) + of(W, NEGATIVE_W));
  const v = clamp(of(N, NEGATIVE_N) + of(S, NEGATIVE_S));
  const expected = h < 0 || (h === 0 && v < 0) ? 1 : 0;
  const turned = expected ? [-h, -v] : [h, v];
  const context = turned[0] === 1 ? 12 + turned[1] : 9 + turned[1];
  return (context << 1) | expected;
});

/** Decodes one code-block after another in memory of its own. */
export class BlockDecoder {
  /** Twice the coefficients of the last block [height][width], with half a unit for the planes that were not sent. */
  readonly values = new Int32Array(LARGEST);
  private readonly flags = new Uint16Array(LARGEST_BORDERED);
  private readonly mq = new MqDecoder();
  private readonly raw = new RawBits();
  private bytes = new Uint8Array(1 << 14);
  private width = 0;
  private height = 0;
  private table = SIGNIFICANCE[0];
  private causal = false;

  /**
   * `planes` bit planes are there, of which the first has a cleanup pass alone; `kind` is the subband's: 0 LL and LH, 1 HL,
   * 2 HH. Throws where more passes are promised than planes have.
   */
  decode(
    block: { width: number; height: number; planes: number; segments: readonly Segment[] },
    kind: number,
    style: number,
  ): void {
    const { width, height, planes, segments } = block;
    if (planes > MAX_PLANES)
      throw new Jpeg2000Error(`${planes} bit planes in the JPEG 2000 picture; up to ${MAX_PLANES} are read`);
    this.width = width;
    this.height = height;
    this.table = SIGNIFICANCE[kind];
    this.causal = (style & CAUSAL) !== 0;
    this.values.fill(0, 0, width * height);
    this.flags.fill(0, 0, (width + 2) * (height + 2));
    this.mq.resetContexts();
    let plane = planes - 1;
    let pass = 2;
    let count = 0;
    for (const segment of segments) {
      const raw = isRaw(style, count);
      this.load(segment.chunks);
      if (raw) this.raw.begin(this.bytes, 0);
      else this.mq.begin(this.bytes, 0);
      for (let n = 0; n < segment.passes; n++) {
        if (plane < 0) throw new Jpeg2000Error("a code-block has more passes than bit planes");
        if (pass === 0) this.propagate(plane, raw);
        else if (pass === 1) this.refine(plane, raw);
        else {
          this.cleanUp(plane);
          if (style & SEGMENTATION) for (let i = 0; i < 4; i++) this.mq.bit(UNIFORM);
        }
        if (style & RESET) this.mq.resetContexts();
        count++;
        if (++pass === 3) {
          pass = 0;
          plane--;
        }
      }
    }
  }

  /** A segment's bytes in one piece, two bytes 0xFF after them. */
  private load(chunks: readonly Uint8Array[]): void {
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    if (length + 2 > this.bytes.length) this.bytes = new Uint8Array(2 * length + 2);
    let at = 0;
    for (const chunk of chunks) {
      this.bytes.set(chunk, at);
      at += chunk.length;
    }
    this.bytes[at] = this.bytes[at + 1] = 0xff;
  }

  /** A sample becomes significant: its neighbours hear of it. */
  private spread(f: number, negative: number): void {
    const { flags } = this;
    const above = f - this.width - 2;
    const below = f + this.width + 2;
    flags[above - 1] |= SE;
    flags[above] |= negative ? S | NEGATIVE_S : S;
    flags[above + 1] |= SW;
    flags[f - 1] |= negative ? E | NEGATIVE_E : E;
    flags[f] |= SIGNIFICANT;
    flags[f + 1] |= negative ? W | NEGATIVE_W : W;
    flags[below - 1] |= NE;
    flags[below] |= negative ? N | NEGATIVE_N : N;
    flags[below + 1] |= NW;
  }

  /** D.3.1: significance propagation. */
  private propagate(plane: number, raw: boolean): void {
    const { flags, values, width, height, table, mq, causal } = this;
    const stride = width + 2;
    const first = 3 << plane; // 1.5 units of this plane, doubled
    for (let top = 0; top < height; top += 4) {
      const rows = Math.min(4, height - top);
      let column = (top + 1) * stride + 1;
      for (let i = 0; i < width; i++, column++) {
        let f = column;
        for (let j = 0; j < rows; j++, f += stride) {
          let known = flags[f];
          if ((known & AROUND) === 0 || (known & (SIGNIFICANT | VISITED)) !== 0) continue;
          if (causal && j === 3) {
            known &= NOT_BELOW;
            if ((known & AROUND) === 0) continue;
          }
          if (raw ? this.raw.bit() : mq.bit(table[known & AROUND])) {
            const negative = raw ? this.raw.bit() : this.sign(known);
            values[(top + j) * width + i] = negative ? -first : first;
            this.spread(f, negative);
          }
          flags[f] |= VISITED;
        }
      }
    }
  }

  /** D.3.2. */
  private sign(known: number): number {
    const entry = SIGN[(known >> 4) & 255];
    return this.mq.bit(entry >> 1) ^ (entry & 1);
  }

  /** D.3.3: magnitude refinement. */
  private refine(plane: number, raw: boolean): void {
    const { flags, values, width, height, mq, causal } = this;
    const stride = width + 2;
    const half = 1 << plane;
    for (let top = 0; top < height; top += 4) {
      const rows = Math.min(4, height - top);
      let column = (top + 1) * stride + 1;
      for (let i = 0; i < width; i++, column++) {
        let f = column;
        for (let j = 0; j < rows; j++, f += stride) {
          let known = flags[f];
          if ((known & (SIGNIFICANT | VISITED)) !== SIGNIFICANT) continue;
          if (causal && j === 3) known &= NOT_BELOW;
          const context = known & REFINED ? 16 : known & AROUND ? 15 : 14;
          const larger = (raw ? this.raw.bit() : mq.bit(context)) === 1;
          const at = (top + j) * width + i;
          const value = values[at];
          values[at] = larger === value >= 0 ? value + half : value - half;
          flags[f] |= REFINED;
        }
      }
    }
  }

  /** D.3.4: cleanup, with runs of four where nothing near is significant. */
  private cleanUp(plane: number): void {
    const { flags, values, width, height, table, mq, causal } = this;
    const stride = width + 2;
    const first = 3 << plane;
    const quiet = AROUND | SIGNIFICANT | VISITED;
    for (let top = 0; top < height; top += 4) {
      const bottom = Math.min(top + 4, height);
      for (let i = 0; i < width; i++) {
        let f = (top + 1) * stride + i + 1;
        let j = top;
        let found = false;
        if (top + 4 <= height) {
          const last = causal ? flags[f + 3 * stride] & NOT_BELOW : flags[f + 3 * stride];
          if (((flags[f] | flags[f + stride] | flags[f + 2 * stride] | last) & quiet) === 0) {
            if (mq.bit(RUN_LENGTH) === 0) continue;
            const run = (mq.bit(UNIFORM) << 1) | mq.bit(UNIFORM);
            j += run;
            f += run * stride;
            found = true;
          }
        }
        for (; j < bottom; j++, f += stride) {
          const known = causal && j === top + 3 ? flags[f] & NOT_BELOW : flags[f];
          if (found || ((known & (SIGNIFICANT | VISITED)) === 0 && mq.bit(table[known & AROUND]) === 1)) {
            const negative = this.sign(known);
            values[j * width + i] = negative ? -first : first;
            this.spread(f, negative);
            found = false;
          }
          flags[f] &= ~VISITED;
        }
      }
    }
  }
}

/** D.6: with bypass the first two passes of every plane after the fourth are plain bits. */
const isRaw = (style: number, pass: number): boolean => (style & BYPASS) !== 0 && pass >= 10 && (pass - 10) % 3 < 2;

/** How many passes, counted from number `pass`, end together (D.4.2, D.6). */
export function segmentLimit(style: number, pass: number): number {
  if (style & TERMINATE_ALL) return 1;
  if ((style & BYPASS) === 0) return Infinity;
  if (pass < 10) return 10 - pass;
  const inPlane = (pass - 10) % 3;
  return inPlane < 2 ? 2 - inPlane : 1;
}

/** Whether pass number `pass` is the first of those that end together. */
export const beginsSegment = (style: number, pass: number): boolean =>
  pass === 0 || (style & TERMINATE_ALL) !== 0 || ((style & BYPASS) !== 0 && pass >= 10 && (pass - 10) % 3 !== 1);
