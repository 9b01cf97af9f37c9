/**
 * Run-length packing with level values, data template 7.200 (JMA's radar products): a number up to `maxLevel` is a level,
 * larger ones after it are the digits of how often it repeats, lowest first, to the base 2^bits - 1 - maxLevel. Level 0 is
 * missing. WMO Manual on Codes, FM 92-XIV, note to template 7.200.
 */
import { readUint } from "../bits.js";
import type { Packing } from "../field.js";
import { GribError } from "../octets.js";

export function unpackRunLength(
  bytes: Uint8Array,
  packing: Extract<Packing, { kind: "run-length" }>,
  out: Float64Array,
): void {
  const count = out.length;
  const { bits, maxLevel, levels } = packing;
  const base = 2 ** bits - 1 - maxLevel;
  if (bits < 1 || bits > 32 || base < 1)
    throw new GribError(`run lengths in ${bits} bits above level ${maxLevel} do not exist`);
  const numbers = Math.floor((bytes.length * 8) / bits);
  let next = 0;
  for (let i = 0; i < numbers && next < count;) {
    const level = readUint(bytes, i++ * bits, bits);
    if (level > maxLevel) throw new GribError(`a run length stands where a level is due, at number ${i} of the data`);
    let run = 1;
    for (let weight = 1; i < numbers; weight *= base) {
      const digit = readUint(bytes, i * bits, bits) - maxLevel - 1;
      if (digit < 0) break;
      run += digit * weight;
      if (next + run > count) throw new GribError(`the runs hold more than the ${count} values packed`);
      i++;
    }
    out.fill(level === 0 ? NaN : (levels[level - 1] ?? NaN), next, next + run);
    next += run;
  }
  if (next < count) throw new GribError(`the runs hold ${next} values instead of ${count}`);
}
