/**
 * Values packed as a picture: JPEG 2000 (data template 7.40) and PNG (7.41). Both give the packed integers in the order
 * of the grid. Before a decoder runs, the picture's own header must promise exactly the values the message says.
 */
import type load from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import { scaleIntegers, type Scaling, unpackScaled } from "../bits.js";
import type { Packing } from "../field.js";
import { GribError, octets } from "../octets.js";
import { decodePng } from "./png.js";

type Image = Extract<Packing, { kind: "jpeg2000" | "png" }>;

export async function unpackPng(bytes: Uint8Array, packing: Image, out: Float64Array): Promise<void> {
  if (packing.bits === 0) return fillConstant(out, packing.scaling);
  const { samples, bits } = await decodePng(bytes, out.length);
  unpackScaled(samples, bits, out, packing.scaling);
}

function fillConstant(out: Float64Array, { reference, decimal }: Scaling): void {
  out.fill(reference * decimal);
}

/** What OpenJPEG's build gives; `codec-openjpeg.d.ts` types it. */
type Codec = Awaited<ReturnType<typeof load>>;

let codec: Promise<Codec> | undefined;

/** OpenJPEG, loaded with the first JPEG 2000 field. */
const openJpeg = (): Promise<Codec> =>
  (codec ??= import("@cornerstonejs/codec-openjpeg/decodewasmjs").then((module) =>
    module.default({ print: () => {}, printErr: () => {} }),
  ));

export async function unpackJpeg2000(bytes: Uint8Array, packing: Image, out: Float64Array): Promise<void> {
  if (packing.bits === 0) return fillConstant(out, packing.scaling);
  const count = out.length;
  const { width, height, components, depth } = jpeg2000Size(bytes);
  if (components !== 1) throw new GribError(`the JPEG 2000 picture has ${components} components; fields have one`);
  if (width * height !== count)
    throw new GribError(`the JPEG 2000 picture has ${width} x ${height} samples, but ${count} values are packed`);
  if (depth > 16)
    throw new GribError(`JPEG 2000 samples of ${depth} bits are not read; the decoder is right up to 16 bits`);
  const { J2KDecoder } = await openJpeg();
  const decoder = new J2KDecoder();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const info = decoder.getFrameInfo();
    const decoded = decoder.getDecodedBuffer();
    const wide = info.bitsPerSample > 8;
    if (info.width * info.height !== count || decoded.length < count * (wide ? 2 : 1) || info.isSigned)
      throw new GribError("the JPEG 2000 picture decodes to another size than its header says");
    for (let i = 0; i < count; i++) out[i] = wide ? decoded[2 * i] | (decoded[2 * i + 1] << 8) : decoded[i];
    scaleIntegers(out, packing.scaling);
  } catch (cause) {
    if (cause instanceof GribError) throw cause;
    throw new GribError("the JPEG 2000 picture cannot be decoded; it is damaged", { cause });
  } finally {
    decoder.delete();
  }
}

/** The SIZ segment of a raw codestream (ISO/IEC 15444-1, A.5.1), which begins right after the SOC marker. */
function jpeg2000Size(bytes: Uint8Array): { width: number; height: number; components: number; depth: number } {
  const head = octets(bytes, "the JPEG 2000 codestream");
  if (head.u32(1) !== 0xff4fff51) throw new GribError("the data are not a JPEG 2000 codestream");
  return {
    width: head.u32(9) - head.u32(17),
    height: head.u32(13) - head.u32(21),
    components: head.u16(41),
    depth: (head.u8(43) & 0x7f) + 1,
  };
}
