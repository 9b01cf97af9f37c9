/**
 * The adaptive Rice coder of CCSDS 121.0-B, writing: the other side of `ccsds.ts`. Each block takes the cheapest of a run
 * of zeros, a Rice code or raw samples; the second extension, an option no coder must use, is left out.
 */
import { type BitWriter, bitWriter } from "../bit-writer.js";
import { CCSDS, optionBits } from "./ccsds.js";

/** What the message says of the stream: the values ecCodes writes too. */
export const CCSDS_OPTIONS = {
  flags: CCSDS.threeByte | CCSDS.msb | CCSDS.preprocess,
  blockSize: 32,
  interval: 128,
} as const;
const SEGMENT = 64;
const { blockSize, interval } = CCSDS_OPTIONS;

/** Samples of `bits` (1 to 31) bits each to a stream. */
export function encodeCcsds(samples: Uint32Array, bits: number): Uint8Array {
  const blocks = Math.ceil(samples.length / blockSize);
  const idBits = optionBits(bits, false);
  const out = bitWriter(Math.ceil((blocks * (idBits + 1 + blockSize * bits)) / 8) + 8);
  const block = new Float64Array(blockSize);
  /** A run of zero blocks not yet written, and the opening sample of its first block. */
  let zeros = 0;
  let zerosOpen: number | undefined;
  const flushZeros = (toEnd: boolean): void => {
    if (zeros === 0) return;
    out.write(0, idBits + 1);
    if (zerosOpen !== undefined) out.write(zerosOpen, bits);
    out.unary(zeros < 5 ? zeros - 1 : toEnd ? 4 : zeros);
    zeros = 0;
    zerosOpen = undefined;
  };
  let last = 0;
  for (let b = 0; b < blocks; b++) {
    const inInterval = b % interval;
    const opening = inInterval === 0 ? 1 : 0;
    const first = b * blockSize;
    const open = samples[first];
    last = mapErrors(samples, first, opening, bits, opening ? open : last, block);
    if (block.every((d, i) => d === 0 || i < opening)) {
      if (opening) zerosOpen = open;
      zeros++;
      const ends = inInterval === interval - 1 || inInterval % SEGMENT === SEGMENT - 1;
      if (ends || b === blocks - 1) flushZeros(ends);
      continue;
    }
    flushZeros(false);
    writeBlock(out, block, open, opening, bits, idBits);
  }
  return out.bytes();
}

/** The errors of predicting each sample by the one before, mapped to numbers from 0; past the end there are none. */
function mapErrors(
  samples: Uint32Array,
  first: number,
  opening: number,
  bits: number,
  before: number,
  block: Float64Array,
): number {
  const top = 2 ** bits - 1;
  let last = before;
  for (let i = 0; i < blockSize; i++) {
    const x = first + i < samples.length ? samples[first + i] : last;
    const delta = x - last;
    const open = Math.min(last, top - last);
    block[i] =
      i < opening ? 0 : Math.abs(delta) > open ? open + Math.abs(delta) : delta >= 0 ? 2 * delta : -2 * delta - 1;
    last = x;
  }
  return last;
}

/** Takes the cheapest option; `open` is the sample in full of a block that opens an interval. */
function writeBlock(
  out: BitWriter,
  block: Float64Array,
  open: number,
  opening: number,
  bits: number,
  idBits: number,
): void {
  const raw = 2 ** idBits - 1;
  const coded = blockSize - opening;
  let best = -1;
  let cost = coded * bits;
  for (let k = 0; k <= Math.min(raw - 2, bits - 1); k++) {
    let total = coded * (k + 1);
    for (let i = opening; i < blockSize; i++) total += Math.floor(block[i] / 2 ** k);
    if (total < cost) [best, cost] = [k, total];
  }
  if (best < 0) {
    // "Raw" are the mapped errors, not the samples they come from.
    out.write(raw, idBits);
    if (opening) out.write(open, bits);
    for (let i = opening; i < blockSize; i++) out.write(block[i], bits);
    return;
  }
  out.write(best + 1, idBits);
  if (opening) out.write(open, bits);
  for (let i = opening; i < blockSize; i++) out.unary(Math.floor(block[i] / 2 ** best));
  for (let i = opening; i < blockSize; i++) out.write(block[i] % 2 ** best, best);
}
