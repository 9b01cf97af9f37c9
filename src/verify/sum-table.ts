/** Where verification keeps its sums while it reads: a row for every start, in tables that may lie in a scratch file. */
import type { RowMaker, Rows } from "../tensor/rows.js";
import { type Row, W } from "./scores/sums.js";

/** Sums by channel, lead, region and forecaster (0 the forecast itself, then the baselines): a row for each start. */
export class SumTable {
  readonly #tables: readonly Rows<Float64Array>[];
  /** By channel, lead and region: 1 for the starts that have rows. */
  readonly #there: Uint8Array[];

  /** @param widths of a row, by channel */
  constructor(
    readonly widths: readonly number[],
    readonly leads: number,
    readonly regions: number,
    readonly starts: number,
    readonly forecasters: readonly string[],
    maker: RowMaker,
  ) {
    this.#tables = widths.map((width) => maker.float64(leads * regions * starts, width * forecasters.length));
    this.#there = widths.map(() => new Uint8Array(leads * regions * starts));
  }

  #at = (l: number, r: number, start = 0) => (l * this.regions + r) * this.starts + start;

  /** Rows of all forecasters at one start; a start where one of them has no cell is left out for all. */
  add(c: number, l: number, r: number, start: number, rows: readonly Row[]): void {
    if (rows.some((row) => row[W] === 0)) return;
    const index = this.#at(l, r, start);
    rows.forEach((row, f) => this.#tables[c].set(index, row, f * this.widths[c]));
    this.#there[c][index] = 1;
  }

  /** By forecaster, a row for each start. */
  samples(c: number, l: number, r: number): Row[][] {
    const width = this.widths[c];
    const kept = this.startsOf(c, l, r).map((start) => this.#tables[c].get(this.#at(l, r, start)));
    return this.forecasters.map((_, f) => kept.map((row) => row.subarray(f * width, (f + 1) * width)));
  }

  /** Which starts the rows of `samples` belong to, as positions in the pairing's list. */
  startsOf(c: number, l: number, r: number): number[] {
    const from = this.#at(l, r);
    const there = this.#there[c].subarray(from, from + this.starts);
    return Array.from(there.keys()).filter((start) => there[start] === 1);
  }
}
