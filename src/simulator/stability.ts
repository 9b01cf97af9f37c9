/** When a run leaves the numbers behind: the error that says where, and how large a step may be before it does. */
import { FoehnError } from "../errors.js";
import type { Saved } from "./atmosphere.js";
import { DAY, type Planet } from "./planet.js";

export interface BlowUp {
  readonly fastest: number;
  readonly level: number;
  readonly steps: number;
  readonly stepSeconds: number;
  readonly truncation: number;
  readonly planet: Planet;
}

/** u dt / (a / T): how many of the smallest resolved lengths (as a radius of T) a wind crosses in a step; leapfrog wants < 1. */
export const courantNumber = (speed: number, stepSeconds: number, truncation: number, planet: Planet): number =>
  (speed * stepSeconds * truncation) / planet.radius;

/** A wind that is faster than sound or no number at all; the last good state is in the run that threw it. */
export class BlowUpError extends FoehnError {
  constructor(readonly at: BlowUp) {
    const { fastest, level, steps, stepSeconds, truncation, planet } = at;
    const courant = courantNumber(fastest, stepSeconds, truncation, planet);
    super(
      `the atmosphere blew up in step ${steps + 1} (day ${((steps * stepSeconds) / DAY).toFixed(2)}) at level ${level + 1}: ` +
        `wind ${Number.isFinite(fastest) ? `${fastest.toFixed(0)} m/s, CFL number ${courant.toFixed(2)}` : "is not a number"}; ` +
        `take a step shorter than ${stepSeconds} s or stronger diffusion`,
    );
  }

  /** The last sound state, where the run kept one: restart from it with a shorter step. */
  lastGood?: Saved;

  withState(state: Saved): this {
    this.lastGood = state;
    return this;
  }
}
