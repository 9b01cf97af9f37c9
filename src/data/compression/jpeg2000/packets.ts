/** The packets of a tile (ISO/IEC 15444-1, B.9 and B.10): what each code-block gets from each layer. */
import { beginsSegment, segmentLimit } from "./code-block.js";
import type { CodingStyle } from "./codestream.js";
import { Jpeg2000Error } from "./error.js";
import { HeaderBits } from "./tag-tree.js";
import { type Block, type Field, fieldsOf, packetOrder, type Tile } from "./tile.js";

/** What a packet's header says of a code-block: bytes for its segments, in order. */
interface Contribution {
  readonly block: Block;
  readonly parts: { passes: number; bytes: number; opens: boolean }[];
}

/** Gives every code-block its bytes. Throws where the packets end early. */
export function readPackets(tile: Tile): void {
  const { coding, packets } = tile.stream;
  const bytes = joined(packets);
  // A packet takes a byte or more: no more precincts are made than there can be packets.
  const promised =
    coding.layers *
    tile.resolutions.reduce((sum, { precinctsWide, precinctsHigh }) => sum + precinctsWide * precinctsHigh, 0);
  if (promised > bytes.length)
    throw new Jpeg2000Error(`${bytes.length} bytes of a tile cannot hold the ${promised} packets it promises`);
  let at = 0;
  for (const [layer, r, number] of packetOrder(tile)) {
    if (coding.startMarkers && bytes[at] === 0xff && bytes[at + 1] === 0x91) at += 6;
    const bits = new HeaderBits(bytes, at);
    const contributions: Contribution[] = [];
    if (bits.bit())
      for (const field of fieldsOf(tile.resolutions[r], r, number, coding))
        readHeader(bits, field, layer, coding, contributions);
    bits.align();
    at = bits.at;
    if (coding.endMarkers && bytes[at] === 0xff && bytes[at + 1] === 0x92) at += 2;
    for (const { block, parts } of contributions)
      for (const { passes, bytes: length, opens } of parts) {
        if (at + length > bytes.length) throw new Jpeg2000Error("the JPEG 2000 picture ends inside a packet");
        if (opens) block.segments.push({ passes: 0, chunks: [] });
        const segment = block.segments[block.segments.length - 1];
        segment.passes += passes;
        segment.chunks.push(bytes.subarray(at, at + length));
        at += length;
      }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** B.10.3 to B.10.7, for the code-blocks of one precinct in one subband. */
function readHeader(bits: HeaderBits, field: Field, layer: number, coding: CodingStyle, out: Contribution[]): void {
  for (const block of field.blocks) {
    const { column, row, band } = block;
    if (block.included) {
      if (!bits.bit()) continue;
    } else {
      if (!field.inclusion.isBelow(bits, column, row, layer + 1)) continue;
      block.included = true;
      block.planes = band.planes - field.emptyPlanes.value(bits, column, row, band.planes + 1);
    }
    let passes = readPasses(bits);
    if (block.passes + passes > 3 * block.planes - 2)
      throw new Jpeg2000Error("a code-block has more passes than bit planes");
    while (bits.bit()) block.lengthBits++;
    const parts: Contribution["parts"] = [];
    // The first part goes on with the segment that the layer before left open.
    let opens = beginsSegment(coding.blockStyle, block.passes);
    let room = segmentLimit(coding.blockStyle, block.passes);
    while (passes > 0) {
      const taken = Math.min(passes, room);
      const lengthBits = block.lengthBits + Math.floor(Math.log2(taken));
      if (lengthBits > 32) throw new Jpeg2000Error("a packet's header gives a length of more than 32 bits");
      parts.push({ passes: taken, bytes: bits.bits(lengthBits), opens });
      block.passes += taken;
      passes -= taken;
      opens = true;
      room = segmentLimit(coding.blockStyle, block.passes);
    }
    out.push({ block, parts });
  }
}

/** Table B.4. */
function readPasses(bits: HeaderBits): number {
  if (!bits.bit()) return 1;
  if (!bits.bit()) return 2;
  const two = bits.bits(2);
  if (two < 3) return 3 + two;
  const five = bits.bits(5);
  if (five < 31) return 6 + five;
  return 37 + bits.bits(7);
}
