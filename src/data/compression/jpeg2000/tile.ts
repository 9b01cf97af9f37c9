/**
 * How a tile is divided (ISO/IEC 15444-1, annex B): resolutions, their subbands, precincts, and code-blocks, each on its own
 * reference grid. There is one component and it is not subsampled, so a tile is its own tile-component.
 */
import { type CodingStyle, LRCP, type Picture, type Quantisation, RLCP, RPCL, type TileStream } from "./codestream.js";
import type { Segment } from "./code-block.js";
import { Jpeg2000Error } from "./error.js";
import { TagTree } from "./tag-tree.js";
import type { Extent } from "./wavelet.js";

export interface Band extends Extent {
  /** For the contexts: 0 LL and LH, 1 HL, 2 HH. */
  readonly kind: number;
  /** Where its samples lie in the tile's memory, from the top left. */
  readonly left: number;
  readonly top: number;
  /** M_b: bit planes of its magnitudes at most (equation E-2). */
  readonly planes: number;
  /** Delta_b: what one unit stands for (E-3); 1 where exact. */
  readonly step: number;
}

export interface Block extends Extent {
  readonly band: Band;
  /** Column and row among those of its precinct. */
  readonly column: number;
  readonly row: number;
  included: boolean;
  planes: number;
  lengthBits: number;
  passes: number;
  readonly segments: Segment[];
}

/** The code-blocks of one precinct in one subband. */
export interface Field {
  readonly inclusion: TagTree;
  readonly emptyPlanes: TagTree;
  readonly blocks: readonly Block[];
}

export interface Resolution extends Extent {
  readonly bands: readonly Band[];
  readonly precinctsWide: number;
  readonly precinctsHigh: number;
  /** By number; made when its first packet is not empty. */
  readonly precincts: Map<number, readonly Field[]>;
}

export interface Tile extends Extent {
  readonly stream: TileStream;
  readonly resolutions: readonly Resolution[];
}

const ceilShift = (x: number, bits: number): number => Math.ceil(x / 2 ** bits);

export function divide(picture: Picture, stream: TileStream): Tile {
  const { tileX0, tileY0, tileWidth, tileHeight } = picture;
  const across = Math.ceil((picture.x1 - tileX0) / tileWidth);
  const down = Math.ceil((picture.y1 - tileY0) / tileHeight);
  if (stream.index >= across * down)
    throw new Jpeg2000Error(`tile ${stream.index} of the JPEG 2000 picture lies outside its ${across} x ${down}`);
  const [p, q] = [stream.index % across, Math.floor(stream.index / across)];
  const x0 = Math.max(tileX0 + p * tileWidth, picture.x0);
  const y0 = Math.max(tileY0 + q * tileHeight, picture.y0);
  const x1 = Math.min(tileX0 + (p + 1) * tileWidth, picture.x1);
  const y1 = Math.min(tileY0 + (q + 1) * tileHeight, picture.y1);
  const { levels } = stream.coding;
  const resolutions: Resolution[] = [];
  for (let r = 0; r <= levels; r++) {
    const shift = levels - r;
    const extent = {
      x0: ceilShift(x0, shift),
      y0: ceilShift(y0, shift),
      x1: ceilShift(x1, shift),
      y1: ceilShift(y1, shift),
    };
    const { x: px, y: py } = stream.coding.precincts[r];
    const count = (from: number, to: number, bits: number): number =>
      to > from ? ceilShift(to, bits) - Math.floor(from / 2 ** bits) : 0;
    const wide = count(extent.x0, extent.x1, px);
    const high = count(extent.y0, extent.y1, py);
    resolutions.push({
      ...extent,
      bands: bandsOf({ x0, y0, x1, y1 }, r, stream, picture.depth, resolutions[r - 1]),
      precinctsWide: wide && high ? wide : 0,
      precinctsHigh: wide && high ? high : 0,
      precincts: new Map(),
    });
  }
  return { x0, y0, x1, y1, stream, resolutions };
}

/** B.5 and table B.1. */
function bandsOf(tile: Extent, r: number, stream: TileStream, depth: number, below: Extent | undefined): Band[] {
  const { coding, quantisation } = stream;
  const level = r === 0 ? coding.levels : coding.levels - r + 1;
  const kinds = r === 0 ? [[0, 0]] : [[1, 0], [0, 1], [1, 1]]; // prettier-ignore
  return kinds.map(([right, down], b) => {
    const half = level === 0 ? 0 : 2 ** (level - 1);
    const place = (x: number, high: number): number => Math.ceil((x - half * high) / 2 ** level);
    const gain = right + down;
    return {
      x0: place(tile.x0, right),
      y0: place(tile.y0, down),
      x1: place(tile.x1, right),
      y1: place(tile.y1, down),
      kind: gain === 2 ? 2 : right,
      left: right && below ? below.x1 - below.x0 : 0,
      top: down && below ? below.y1 - below.y0 : 0,
      ...stepOf(quantisation, coding, r === 0 ? 0 : 3 * r - 2 + b, level, depth + gain),
    };
  });
}

/** E.1: the planes and the step of subband `b`, whose nominal range is 2^range. */
function stepOf(
  quantisation: Quantisation,
  { levels, reversible }: CodingStyle,
  b: number,
  level: number,
  range: number,
): { planes: number; step: number } {
  const { guardBits, exact, derived, exponents, mantissas } = quantisation;
  if (exact !== reversible)
    throw new Jpeg2000Error("the JPEG 2000 picture pairs a wavelet with the other's quantisation");
  const at = derived ? 0 : b;
  if (at >= exponents.length) throw new Jpeg2000Error(`no quantisation step is given for subband ${b}`);
  const exponent = derived ? exponents[0] - levels + level : exponents[at];
  return {
    planes: guardBits + exponent - 1,
    step: exact ? 1 : 2 ** (range - exponent) * (1 + mantissas[at] / 2048),
  };
}

/** The code-blocks of precinct `number` (B.6, B.7). */
export function fieldsOf(resolution: Resolution, r: number, number: number, coding: CodingStyle): readonly Field[] {
  const made = resolution.precincts.get(number);
  if (made) return made;
  const { x: px, y: py } = coding.precincts[r];
  const down = r > 0 ? 1 : 0;
  const column = Math.floor(resolution.x0 / 2 ** px) + (number % resolution.precinctsWide);
  const row = Math.floor(resolution.y0 / 2 ** py) + Math.floor(number / resolution.precinctsWide);
  const [wide, high] = [2 ** (px - down), 2 ** (py - down)];
  const blockWidth = 2 ** Math.min(coding.blockWidth, px - down);
  const blockHeight = 2 ** Math.min(coding.blockHeight, py - down);
  const fields = resolution.bands.flatMap((band): Field[] => {
    const x0 = Math.max(band.x0, column * wide);
    const y0 = Math.max(band.y0, row * high);
    const x1 = Math.min(band.x1, (column + 1) * wide);
    const y1 = Math.min(band.y1, (row + 1) * high);
    if (x1 <= x0 || y1 <= y0) return [];
    const firstColumn = Math.floor(x0 / blockWidth);
    const firstRow = Math.floor(y0 / blockHeight);
    const columns = Math.ceil(x1 / blockWidth) - firstColumn;
    const rows = Math.ceil(y1 / blockHeight) - firstRow;
    const blocks: Block[] = [];
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++)
        blocks.push({
          band,
          column: i,
          row: j,
          x0: Math.max(x0, (firstColumn + i) * blockWidth),
          y0: Math.max(y0, (firstRow + j) * blockHeight),
          x1: Math.min(x1, (firstColumn + i + 1) * blockWidth),
          y1: Math.min(y1, (firstRow + j + 1) * blockHeight),
          included: false,
          planes: 0,
          lengthBits: 3,
          passes: 0,
          segments: [],
        });
    return [{ inclusion: new TagTree(columns, rows), emptyPlanes: new TagTree(columns, rows), blocks }];
  });
  resolution.precincts.set(number, fields);
  return fields;
}

/** The packets of a tile in their order (B.12.1): layer, resolution and precinct of each. */
export function* packetOrder(tile: Tile): Generator<[layer: number, resolution: number, precinct: number]> {
  const { layers, levels, progression, precincts } = tile.stream.coding;
  const counts = tile.resolutions.map((resolution) => resolution.precinctsWide * resolution.precinctsHigh);
  if (progression === LRCP)
    for (let l = 0; l < layers; l++)
      for (let r = 0; r <= levels; r++) for (let k = 0; k < counts[r]; k++) yield [l, r, k];
  else if (progression === RLCP)
    for (let r = 0; r <= levels; r++)
      for (let l = 0; l < layers; l++) for (let k = 0; k < counts[r]; k++) yield [l, r, k];
  else if (progression === RPCL)
    for (let r = 0; r <= levels; r++)
      for (let k = 0; k < counts[r]; k++) for (let l = 0; l < layers; l++) yield [l, r, k];
  else {
    // By position: with one component PCRL and CPRL are the same.
    const places = tile.resolutions.flatMap((resolution, r) => {
      const start = (from: number, low: number, bits: number, n: number): number =>
        Math.max(from, (Math.floor(low / 2 ** bits) + n) * 2 ** (bits + levels - r));
      const { x, y } = precincts[r];
      return Array.from({ length: counts[r] }, (_, k) => ({
        y: start(tile.y0, resolution.y0, y, Math.floor(k / resolution.precinctsWide)),
        x: start(tile.x0, resolution.x0, x, k % resolution.precinctsWide),
        r,
        k,
      }));
    });
    places.sort((a, b) => a.y - b.y || a.x - b.x || a.r - b.r || a.k - b.k);
    for (const { r, k } of places) for (let l = 0; l < layers; l++) yield [l, r, k];
  }
}
