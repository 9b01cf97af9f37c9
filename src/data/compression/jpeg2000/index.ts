/**
 * JPEG 2000 codestreams of one component (ISO/IEC 15444-1) of any depth up to 28 bits: what GRIB packs fields in. Decoders
 * made for pictures give 8 or 16 bits.
 *
 *     const { width, height, samples } = decodeJpeg2000(bytes);
 */
import { BlockDecoder } from "./code-block.js";
import { readCodestream } from "./codestream.js";
import { Jpeg2000Error } from "./error.js";
import { readPackets } from "./packets.js";
import { divide, type Tile } from "./tile.js";
import { inverseWavelet } from "./wavelet.js";

export { readPicture } from "./codestream.js";
export { Jpeg2000Error } from "./error.js";

export interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly signed: boolean;
  /** Integers, [height][width]. */
  readonly samples: Int32Array;
}

/** Deeper samples would not leave room for the wavelet's gain in 32 bits. */
export const MAX_DEPTH = 28;

/**
 * Decodes a codestream. Throws Jpeg2000Error where it is damaged, cut off, of more than one component or deeper than
 * MAX_DEPTH, and before anything is allocated where it has more than `most` samples.
 */
export function decodeJpeg2000(bytes: Uint8Array, most = 2 ** 28): Decoded {
  const { picture, tiles } = readCodestream(bytes);
  const { depth, signed } = picture;
  const width = picture.x1 - picture.x0;
  const height = picture.y1 - picture.y0;
  if (depth > MAX_DEPTH)
    throw new Jpeg2000Error(`JPEG 2000 samples of ${depth} bits are not read; up to ${MAX_DEPTH} are`);
  if (width * height > most)
    throw new Jpeg2000Error(
      `the JPEG 2000 picture has ${width} x ${height} samples, more than the ${most} there may be`,
    );
  const samples = new Int32Array(width * height);
  const decoder = new BlockDecoder();
  let covered = 0;
  for (const stream of tiles) {
    const tile = divide(picture, stream);
    const data = tileSamples(tile, decoder);
    const stride = tile.x1 - tile.x0;
    covered += stride * (tile.y1 - tile.y0);
    // Samples are stored about zero (G.1), and what the last rounding pushes out of their range is put back.
    const [lowest, highest, shift] = signed
      ? [-(2 ** (depth - 1)), 2 ** (depth - 1) - 1, 0]
      : [0, 2 ** depth - 1, 2 ** (depth - 1)];
    for (let y = tile.y0; y < tile.y1; y++) {
      let to = (y - picture.y0) * width + tile.x0 - picture.x0;
      let from = (y - tile.y0) * stride;
      for (const end = from + stride; from < end; from++, to++) {
        const value = Math.round(data[from]) + shift;
        samples[to] = value < lowest ? lowest : value > highest ? highest : value;
      }
    }
  }
  if (covered !== width * height) throw new Jpeg2000Error("tiles of the JPEG 2000 picture are missing");
  return { width, height, depth, signed, samples };
}

/** The samples of a tile about zero, [height][width]. */
function tileSamples(tile: Tile, decoder: BlockDecoder): Int32Array | Float64Array {
  const { resolutions, stream } = tile;
  const { reversible, blockStyle } = stream.coding;
  readPackets(tile);
  const stride = tile.x1 - tile.x0;
  const size = stride * (tile.y1 - tile.y0);
  const data = reversible ? new Int32Array(size) : new Float64Array(size);
  for (const { precincts } of resolutions)
    for (const fields of precincts.values())
      for (const { blocks } of fields)
        for (const { band, x0, y0, x1, y1, planes, segments } of blocks) {
          if (segments.length === 0) continue;
          const [width, height] = [x1 - x0, y1 - y0];
          decoder.decode({ width, height, planes, segments }, band.kind, blockStyle);
          const { values } = decoder;
          const factor = band.step / 2;
          for (let j = 0; j < height; j++) {
            const from = j * width;
            const to = (y0 - band.y0 + band.top + j) * stride + x0 - band.x0 + band.left;
            if (reversible) for (let i = 0; i < width; i++) data[to + i] = (values[from + i] / 2) | 0;
            else for (let i = 0; i < width; i++) data[to + i] = values[from + i] * factor;
          }
        }
  inverseWavelet(data, stride, resolutions, reversible);
  return data;
}
