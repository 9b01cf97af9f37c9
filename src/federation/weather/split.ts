/**
 * A site's record in training, validation and test parts. A year cut once would train on spring and test on autumn; cut in
 * blocks, every season is in every part. Between parts lies a gap as long as any sample reaches, so that no target of one part
 * is seen by another.
 */
import { DataError } from "../../errors.js";

export type Part = "train" | "validation" | "test";
export const PARTS = ["train", "validation", "test"] as const;

/** For each time index its part, or -1 in a gap. */
export type Parts = Int8Array;

/** `count` times cut into `blocks` stretches, each into the shares of its parts, `gap` times left out before each part. */
export function splitParts(
  count: number,
  { train, validation, blocks, gap }: { train: number; validation: number; blocks: number; gap: number },
): Parts {
  const parts = new Int8Array(count).fill(-1);
  const cuts = [0, train, train + validation, 1];
  for (let b = 0; b < blocks; b++)
    for (let part = 0; part < 3; part++) {
      const at = (share: number) => Math.round(((b + share) / blocks) * count);
      const first = b === 0 && part === 0;
      parts.fill(part, Math.min(at(cuts[part]) + (first ? 0 : gap), at(cuts[part + 1])), at(cuts[part + 1]));
    }
  return parts;
}

/** Starts whose newest state and target `lead` steps ahead lie in one stretch of the part; `usable` may refuse more. */
export function startsOf(parts: Parts, part: Part, lead: number, usable: (start: number) => boolean): Int32Array {
  const wanted = PARTS.indexOf(part);
  const starts: number[] = [];
  for (let t = 0; t + lead < parts.length; t++) {
    if (parts[t] !== wanted || parts[t + lead] !== wanted || !usable(t)) continue;
    let whole = true;
    for (let k = 1; k < lead && whole; k++) whole = parts[t + k] === wanted;
    if (whole) starts.push(t);
  }
  return Int32Array.from(starts);
}

/** Throws where a part is too short to be of use. */
export function refuseEmpty(counts: Record<Part, number>, source: string): void {
  for (const part of PARTS)
    if (counts[part] < 8)
      throw new DataError(
        source,
        `only ${counts[part]} samples fall into its ${part} part; give a longer record, shorter leads and lags, or fewer split.blocks`,
      );
}
