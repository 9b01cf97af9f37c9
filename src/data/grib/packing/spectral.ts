/**
 * Spherical harmonics: coefficients as (real, imaginary) pairs in the order of edition 1, table 9 (m from 0 to J, n from m
 * to J). Simple packing keeps the mean apart; complex packing keeps a triangle of large coefficients as floats and packs
 * the rest scaled by (n(n+1))^P, which flattens the spectrum. WMO Manual on Codes, notes to templates 5.50 and 5.51.
 */
import { unpackScaled } from "../bits.js";
import type { Packing } from "../field.js";
import { GribError, octets } from "../octets.js";

export function unpackSpectralSimple(
  bytes: Uint8Array,
  packing: Extract<Packing, { kind: "spectral-simple" }>,
  out: Float64Array,
): void {
  out[0] = packing.mean;
  unpackScaled(bytes, packing.bits, out.subarray(1), packing.scaling);
}

/** `truncation` is the J of the grid; `bytes` begin with the unpacked subset. */
export function unpackSpectralComplex(
  bytes: Uint8Array,
  packing: Extract<Packing, { kind: "spectral-complex" }>,
  truncation: number,
  out: Float64Array,
): void {
  const { subset, floats, laplacian, bits, scaling } = packing;
  if (subset > truncation)
    throw new GribError(`the unpacked subset of truncation ${subset} is larger than the field's ${truncation}`);
  const size = floats === "ieee64" ? 8 : 4;
  const kept = (subset + 1) * (subset + 2);
  const total = (truncation + 1) * (truncation + 2);
  const head = octets(bytes, "the unpacked subset");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < kept * size) throw new GribError(`the unpacked subset of ${kept} values is cut short`);
  const readFloat = {
    ibm32: (i: number) => head.ibm32(4 * i + 1),
    ieee32: (i: number) => head.ieee32(4 * i + 1),
    ieee64: (i: number) => view.getFloat64(8 * i),
  }[floats];
  const packed = new Float64Array(total - kept);
  unpackScaled(bytes.subarray(kept * size), bits, packed, scaling);
  let [next, nextFloat, nextPacked] = [0, 0, 0];
  for (let m = 0; m <= truncation; m++)
    for (let n = m; n <= truncation; n++) {
      const unpacked = n <= subset;
      // Edition 1 writes the last row of the unpacked subset scaled too: a slip of the first encoder that all keep to.
      const scaledRow = !unpacked || (floats === "ibm32" && n === subset && n > 0);
      const factor = scaledRow ? (n * (n + 1)) ** -laplacian : 1;
      for (let part = 0; part < 2; part++)
        out[next++] = (unpacked ? readFloat(nextFloat++) : packed[nextPacked++]) * factor;
      // The imaginary part of a zonal coefficient does not exist; packing may leave noise in it.
      if (m === 0) out[next - 1] = 0;
    }
}
