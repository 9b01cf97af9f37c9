/** Section 5 of edition 2, the data representation section: templates 5.x as a `Packing`. */
import { type Scaling, scalingOf } from "./bits.js";
import type { Packing } from "./field.js";
import type { Grid } from "./grid.js";
import { GribError, type Octets } from "./octets.js";
import { readSpatialDifferencing } from "./packing/second-order.js";

export interface Representation {
  /** How many values are packed. */
  readonly count: number;
  readonly packing: Packing;
}

export function readRepresentation(section: Octets, grid: Grid | undefined): Representation {
  if (!grid) throw new GribError("section 5 comes before the grid");
  const packing = readPacking(section);
  const spectral = packing.kind === "spectral-simple" || packing.kind === "spectral-complex";
  if (packing.kind !== "refused" && spectral !== (grid.kind === "spectral"))
    throw new GribError("the data representation and the grid disagree on whether the field is spectral");
  const count = section.u32(6);
  if (!spectral && count > grid.points)
    throw new GribError(`${count} values are packed for a grid of ${grid.points} points`);
  return { count, packing };
}

function readPacking(section: Octets): Packing {
  const template = section.u16(10);
  /** Octets 12 to 20 of every packing with a linear scale. */
  const linear = (): { scaling: Scaling; bits: number } => ({
    scaling: scalingOf(section.ieee32(12), section.s16(16), section.s16(18)),
    bits: section.u8(20),
  });
  switch (template) {
    case 0:
      return { kind: "simple", ...linear() };
    case 2:
    case 3:
      return {
        kind: "complex",
        ...linear(),
        missing: section.u8(23),
        groups: section.u32(32),
        widthReference: section.u8(36),
        widthBits: section.u8(37),
        lengthReference: section.u32(38),
        lengthIncrement: section.u8(42),
        lastLength: section.u32(43),
        lengthBits: section.u8(47),
        order: template === 3 ? section.u8(48) : 0,
        orderOctets: template === 3 ? section.u8(49) : 0,
      };
    case 4: {
      const precision = section.u8(12);
      if (precision === 1 || precision === 2) return { kind: "ieee", bits: precision === 1 ? 32 : 64 };
      return { kind: "refused", reason: `IEEE floats of precision ${precision} (code table 5.7) are not read` };
    }
    case 40:
    case 40000:
      return { kind: "jpeg2000", ...linear() };
    case 41:
    case 40010:
      return { kind: "png", ...linear() };
    case 42:
      return {
        kind: "ccsds",
        ...linear(),
        flags: section.u8(22),
        blockSize: section.u8(23),
        interval: section.u16(24),
      };
    case 50:
      return { kind: "spectral-simple", ...linear(), mean: section.ieee32(21) };
    case 51: {
      const [j, k, m] = [section.u16(25), section.u16(27), section.u16(29)];
      if (j !== k || j !== m)
        return { kind: "refused", reason: `an unpacked spectral subset J=${j}, K=${k}, M=${m} is not triangular` };
      const precision = section.u8(35);
      if (precision !== 1 && precision !== 2)
        return { kind: "refused", reason: `IEEE floats of precision ${precision} (code table 5.7) are not read` };
      const floats = precision === 1 ? "ieee32" : "ieee64";
      return { kind: "spectral-complex", ...linear(), laplacian: section.s32(21) / 1e6, subset: j, floats };
    }
    case 61:
      return { kind: "log", ...linear(), bias: section.ieee32(21) };
    case 200: {
      const maxLevel = section.u16(13);
      const factor = 10 ** -section.s8(17);
      const count = section.u16(15);
      const levels = Array.from({ length: count }, (_, i) => section.u16(18 + 2 * i) * factor);
      return { kind: "run-length", bits: section.u8(12), maxLevel, levels };
    }
    case 50001:
    case 50002: {
      const bits = section.u8(20);
      const boustrophedonic = template === 50002 && (section.u8(32) & 0x80) !== 0;
      if (boustrophedonic)
        return {
          kind: "refused",
          reason: "second-order packing with rows in alternating order (template 5.50002) is not read",
        };
      if (bits === 0) return { kind: "simple", ...linear() };
      const at = template === 50002 ? 33 : 32;
      const order = section.u8(at);
      return {
        kind: "second-order-2",
        ...linear(),
        firstOrderBits: section.u8(21),
        groups: section.u32(22),
        widthBits: section.u8(30),
        lengthBits: section.u8(31),
        order,
        spd: order ? readSpatialDifferencing(section.bytes.subarray(at + 1), section.u8(at + 1), order) : [],
      };
    }
    default:
      return { kind: "refused", reason: `data representation template 5.${template} is not read` };
  }
}
