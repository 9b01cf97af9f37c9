/**
 * What compression leaves out must not be lost, or training stops short (0.79 of the way off on unlike quadratics; 1e-15 with
 * feedback). The site keeps a memory; for EF21 the hub keeps the same one.
 */
import { addScaled, difference, sum, type Vector, zerosLike } from "../aggregate/rows.js";
import type { Codec } from "./codecs.js";

export const FEEDBACK = ["none", "ef14", "ef21"] as const;
export type Feedback = (typeof FEEDBACK)[number];

export interface Compressed {
  readonly payload: Uint8Array;
  /** The site's memory once the hub has accepted the update. */
  readonly memory: Vector;
  /** The memory if the hub refuses it or never answers. */
  readonly refused: Vector;
}

/**
 * Compresses an update with the site's memory.
 *
 *   ef14: sends C(e + u), keeps e + u - C(e + u)              (Seide et al. 2014; Stich et al. 2018)
 *   ef21: sends C(u - g), both ends keep g + C(u - g)         (Richtarik et al. 2021)
 */
export function compress(
  codec: Codec,
  feedback: Feedback,
  update: Vector,
  memory: Vector | undefined,
  seed: number,
): Compressed {
  const kept = memory ?? (feedback === "none" ? update.subarray(0, 0) : zerosLike(update));
  const wanted = feedback === "none" ? update : feedback === "ef14" ? sum(update, kept) : difference(update, kept);
  const payload = codec.encode(wanted, seed);
  if (feedback === "none") return { payload, memory: kept, refused: kept };
  const sent = codec.decode(payload, update.length, seed);
  switch (feedback) {
    case "ef14":
      return { payload, memory: difference(wanted, sent), refused: wanted };
    case "ef21":
      return { payload, memory: sum(kept, sent), refused: kept };
  }
}

/** The update the hub takes from a payload: what was sent, on top of the hub's copy of the memory for EF21. */
export const restored = (feedback: Feedback, sent: Float32Array, memory: Vector | undefined): Vector =>
  feedback === "ef21" && memory ? sum(sent, memory) : sent;

/**
 * EControl (Gao et al. 2024), for gradients: d = C(eta e + g - h); e <- e + g - h - d; h <- h + d; the hub steps with the mean h.
 * Changes `state` in place and returns d.
 */
export function eControl(
  state: { e: Vector; h: Vector },
  gradient: Vector,
  compressor: (v: Vector) => Vector,
  { eta = 0.01 }: { eta?: number } = {},
): Vector {
  const wanted = difference(gradient, state.h);
  addScaled(wanted, eta, state.e);
  const sent = compressor(wanted);
  const left = difference(difference(gradient, state.h), sent);
  state.e = sum(state.e, left);
  state.h = sum(state.h, sent);
  return sent;
}
