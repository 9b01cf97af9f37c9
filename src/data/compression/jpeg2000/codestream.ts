/**
 * The marker segments of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A): what the picture is, how each tile was coded,
 * and where its packets lie. Of the standard's marker segments those are refused that nobody writes for one component:
 * packed packet headers, changes of progression and regions of interest.
 */
import { Jpeg2000Error } from "./error.js";

/** SIZ: the picture on its reference grid, and the tiles that cover it. */
export interface Picture {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly tileX0: number;
  readonly tileY0: number;
  /** Bits of a sample. */
  readonly depth: number;
  readonly signed: boolean;
}

/** Progression orders, table A.16. */
export type Progression = 0 | 1 | 2 | 3 | 4;
export const LRCP = 0;
export const RLCP = 1;
export const RPCL = 2;

/** Flags of a code-block's style, table A.19. */
export const BYPASS = 1;
export const RESET = 2;
export const TERMINATE_ALL = 4;
export const CAUSAL = 8;
export const SEGMENTATION = 32;

/** COD and COC: how a tile was coded. */
export interface CodingStyle {
  /** Whether a packet may begin with an SOP marker and its header end with EPH. */
  readonly startMarkers: boolean;
  readonly endMarkers: boolean;
  readonly progression: Progression;
  readonly layers: number;
  readonly levels: number;
  /** Exponents of two. */
  readonly blockWidth: number;
  readonly blockHeight: number;
  readonly blockStyle: number;
  /** The wavelet: 5/3, exact in integers, or 9/7. */
  readonly reversible: boolean;
  /** Exponents of two of the precincts of each resolution, lowest first. */
  readonly precincts: readonly { readonly x: number; readonly y: number }[];
}

/** QCD and QCC: of each subband (LL, then HL, LH, HH of each resolution) the exponent and the mantissa of its step. */
export interface Quantisation {
  readonly guardBits: number;
  readonly exact: boolean;
  readonly exponents: readonly number[];
  readonly mantissas: readonly number[];
  /** One step for LL, from which the others follow. */
  readonly derived: boolean;
}

export interface TileStream {
  readonly index: number;
  coding: CodingStyle;
  quantisation: Quantisation;
  readonly packets: Uint8Array[];
}

export interface Codestream {
  readonly picture: Picture;
  readonly tiles: readonly TileStream[];
}

const MARKER = {
  SOC: 0xff4f,
  SOT: 0xff90,
  SOD: 0xff93,
  EOC: 0xffd9,
  SIZ: 0xff51,
  COD: 0xff52,
  COC: 0xff53,
  QCD: 0xff5c,
  QCC: 0xff5d,
} as const;

const REFUSED = new Map([
  [0xff5e, "a region of interest (RGN)"],
  [0xff5f, "a change of progression (POC)"],
  [0xff60, "packed packet headers (PPM)"],
  [0xff61, "packed packet headers (PPT)"],
]);

/** A marker segment, read by the offsets of annex A: 0 is the marker, 2 its length. */
class Segment {
  constructor(
    private readonly bytes: Uint8Array,
    readonly start: number,
    readonly end: number,
  ) {}
  u8(at: number): number {
    if (this.start + at + 1 > this.end)
      throw new Jpeg2000Error(`the marker segment at byte ${this.start} is cut short`);
    return this.bytes[this.start + at];
  }
  u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }
  u32(at: number): number {
    return this.u16(at) * 65536 + this.u16(at + 2);
  }
  get length(): number {
    return this.end - this.start;
  }
}

/** The picture alone, from the first two marker segments: for who must know the size before anything is decoded. */
export function readPicture(bytes: Uint8Array): Picture {
  const head = new Segment(bytes, 0, bytes.length);
  if (bytes.length < 4 || head.u16(0) !== MARKER.SOC || head.u16(2) !== MARKER.SIZ)
    throw new Jpeg2000Error("the data are not a JPEG 2000 codestream");
  const siz = new Segment(bytes, 2, bytes.length);
  const components = siz.u16(38);
  if (components !== 1) throw new Jpeg2000Error(`the JPEG 2000 picture has ${components} components; fields have one`);
  const picture = {
    x1: siz.u32(6),
    y1: siz.u32(10),
    x0: siz.u32(14),
    y0: siz.u32(18),
    tileWidth: siz.u32(22),
    tileHeight: siz.u32(26),
    tileX0: siz.u32(30),
    tileY0: siz.u32(34),
    depth: (siz.u8(40) & 0x7f) + 1,
    signed: siz.u8(40) >= 0x80,
  };
  const { x0, y0, x1, y1, tileWidth, tileHeight, tileX0, tileY0 } = picture;
  const sane =
    x1 > x0 &&
    y1 > y0 &&
    tileWidth > 0 &&
    tileHeight > 0 &&
    tileX0 <= x0 &&
    tileY0 <= y0 &&
    tileX0 + tileWidth > x0 &&
    tileY0 + tileHeight > y0;
  if (!sane) throw new Jpeg2000Error("the JPEG 2000 picture has no size, or its tiles do not cover it");
  if (siz.u8(41) !== 1 || siz.u8(42) !== 1)
    throw new Jpeg2000Error("the JPEG 2000 picture is subsampled; fields are not");
  return picture;
}

/** All marker segments. Throws Jpeg2000Error where they break the standard or use what is not read. */
export function readCodestream(bytes: Uint8Array): Codestream {
  const picture = readPicture(bytes);
  const main: Partial<Pick<TileStream, "coding" | "quantisation">> = {};
  const tiles = new Map<number, TileStream>();
  let at = 2;
  let tile: TileStream | undefined;
  let tileEnd = bytes.length;
  for (;;) {
    const marker = new Segment(bytes, at, bytes.length).u16(0);
    if (marker === MARKER.EOC) break;
    if (marker === MARKER.SOD) {
      if (!tile) throw new Jpeg2000Error(`packets at byte ${at} belong to no tile`);
      tile.packets.push(bytes.subarray(at + 2, tileEnd));
      at = tileEnd;
      tile = undefined;
      if (at >= bytes.length) break;
      continue;
    }
    const refused = REFUSED.get(marker);
    if (refused) throw new Jpeg2000Error(`the JPEG 2000 picture has ${refused}, which is not read`);
    if (marker < 0xff00) throw new Jpeg2000Error(`there is no marker at byte ${at} of the JPEG 2000 codestream`);
    const length = new Segment(bytes, at, bytes.length).u16(2);
    const segment = new Segment(bytes, at, at + 2 + length);
    if (length < 2 || segment.end > bytes.length)
      throw new Jpeg2000Error(`the marker segment at byte ${at} of the JPEG 2000 codestream is cut short`);
    const target = tile ?? main;
    if (marker === MARKER.SOT) {
      tile = beginTile(segment, main, tiles);
      const size = segment.u32(6);
      // Zero stands for the rest of the codestream.
      tileEnd = size === 0 ? endOfPackets(bytes) : at + size;
      if (tileEnd > bytes.length || tileEnd < segment.end)
        throw new Jpeg2000Error(`the tile at byte ${at} of the JPEG 2000 codestream is cut short`);
    } else if (marker === MARKER.COD) target.coding = readCoding(segment);
    else if (marker === MARKER.COC) target.coding = readComponentCoding(segment, target.coding ?? main.coding);
    else if (marker === MARKER.QCD) target.quantisation = readQuantisation(segment, 4);
    else if (marker === MARKER.QCC) target.quantisation = readQuantisation(segment, 5);
    at = segment.end;
  }
  if (tiles.size === 0) throw new Jpeg2000Error("the JPEG 2000 picture has no tiles");
  return { picture, tiles: [...tiles.values()] };
}

const endOfPackets = (bytes: Uint8Array): number => {
  const n = bytes.length;
  return n >= 2 && bytes[n - 2] === 0xff && bytes[n - 1] === 0xd9 ? n - 2 : n;
};

function beginTile(
  segment: Segment,
  main: Partial<Pick<TileStream, "coding" | "quantisation">>,
  tiles: Map<number, TileStream>,
): TileStream {
  const index = segment.u16(4);
  const begun = tiles.get(index);
  if (begun) return begun;
  const { coding, quantisation } = main;
  if (!coding || !quantisation)
    throw new Jpeg2000Error("the JPEG 2000 codestream does not say how it is coded (COD, QCD) before its first tile");
  const tile = { index, coding, quantisation, packets: [] };
  tiles.set(index, tile);
  return tile;
}

/** A.6.1. */
function readCoding(segment: Segment): CodingStyle {
  const style = segment.u8(4);
  const progression = segment.u8(5);
  if (progression > 4) throw new Jpeg2000Error(`progression order ${progression} is not known`);
  const layers = segment.u16(6);
  if (layers === 0) throw new Jpeg2000Error("the JPEG 2000 picture has no layers");
  return {
    startMarkers: (style & 2) !== 0,
    endMarkers: (style & 4) !== 0,
    progression: progression as Progression,
    layers,
    ...readLevels(segment, 9, (style & 1) !== 0),
  };
}

/** A.6.2: of one component, with the tile's own order and layers. */
function readComponentCoding(segment: Segment, coding: CodingStyle | undefined): CodingStyle {
  if (!coding) throw new Jpeg2000Error("a COC marker segment stands before COD");
  if (segment.u8(4) !== 0) return coding;
  return { ...coding, ...readLevels(segment, 6, (segment.u8(5) & 1) !== 0) };
}

/** Table A.15: levels, code-blocks, wavelet, precincts. */
function readLevels(segment: Segment, at: number, ownPrecincts: boolean) {
  const levels = segment.u8(at);
  const blockWidth = (segment.u8(at + 1) & 15) + 2;
  const blockHeight = (segment.u8(at + 2) & 15) + 2;
  const blockStyle = segment.u8(at + 3);
  const wavelet = segment.u8(at + 4);
  if (levels > 32) throw new Jpeg2000Error(`${levels} levels of wavelets are more than the standard's 32`);
  if (blockWidth > 10 || blockHeight > 10 || blockWidth + blockHeight > 12)
    throw new Jpeg2000Error(
      `code-blocks of 2^${blockWidth} x 2^${blockHeight} are larger than the standard lets them be`,
    );
  if (wavelet > 1) throw new Jpeg2000Error(`wavelet ${wavelet} is not one of the standard's first part`);
  if ((blockStyle & ~63) !== 0)
    throw new Jpeg2000Error("the code-blocks are of a style that the standard's first part lacks");
  const precincts = Array.from({ length: levels + 1 }, (_, r) => {
    const byte = ownPrecincts ? segment.u8(at + 5 + r) : 0xff;
    return { x: byte & 15, y: byte >> 4 };
  });
  if (precincts.some(({ x, y }, r) => r > 0 && (x === 0 || y === 0)))
    throw new Jpeg2000Error("a precinct of one sample lies above the lowest resolution");
  return { levels, blockWidth, blockHeight, blockStyle, reversible: wavelet === 1, precincts };
}

/** A.6.4. */
function readQuantisation(segment: Segment, at: number): Quantisation {
  const style = segment.u8(at) & 31;
  const guardBits = segment.u8(at) >> 5;
  if (style > 2) throw new Jpeg2000Error(`quantisation ${style} is not known`);
  const width = style === 0 ? 1 : 2;
  const count = style === 1 ? 1 : Math.floor((segment.length - at - 1) / width);
  const words = Array.from({ length: count }, (_, i) =>
    style === 0 ? segment.u8(at + 1 + i) << 8 : segment.u16(at + 1 + 2 * i),
  );
  return {
    guardBits,
    exact: style === 0,
    exponents: words.map((word) => word >> 11),
    mantissas: words.map((word) => word & 0x7ff),
    derived: style === 1,
  };
}
