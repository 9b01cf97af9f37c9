/**
 * Values packed as a picture: JPEG 2000 (data template 7.40) and PNG (7.41). Both give the packed integers in the order
 * of the grid. Before a decoder runs, the picture's own header must promise exactly the values the message says. JPEG 2000
 * of up to 16 bits is OpenJPEG's to decode; its build gives no more, and deeper pictures are decoded by our own decoder.
 */
import type load from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import { decodeJpeg2000, Jpeg2000Error, readPicture } from "../../compression/jpeg2000/index.js";
import { scaleIntegers, type Scaling, unpackScaled } from "../bits.js";
import type { Packing } from "../field.js";
import { GribError } from "../octets.js";
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
  const { x0, y0, x1, y1, depth, signed } = told(() => readPicture(bytes));
  const [width, height] = [x1 - x0, y1 - y0];
  if (width * height !== count)
    throw new GribError(`the JPEG 2000 picture has ${width} x ${height} samples, but ${count} values are packed`);
  if (signed) throw new GribError("the JPEG 2000 picture has signed samples; packed values have no sign");
  if (depth > OPENJPEG_BITS) out.set(told(() => decodeJpeg2000(bytes, count)).samples);
  else await decodeWithOpenJpeg(bytes, out);
  scaleIntegers(out, packing.scaling);
}

/** The deepest samples that OpenJPEG's build gives. */
const OPENJPEG_BITS = 16;

/** Runs the decoder; its errors become the message's. */
function told<T>(decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof Jpeg2000Error) throw new GribError(cause.message, { cause });
    throw cause;
  }
}

async function decodeWithOpenJpeg(bytes: Uint8Array, out: Float64Array): Promise<void> {
  const count = out.length;
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
  } catch (cause) {
    if (cause instanceof GribError) throw cause;
    throw new GribError("the JPEG 2000 picture cannot be decoded; it is damaged", { cause });
  } finally {
    decoder.delete();
  }
}
