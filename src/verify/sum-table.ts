/** Where verification keeps its sums while it reads. */
import { type Row, W } from "./scores/sums.js";

/** Sums by channel, lead, region and forecaster (0 the forecast itself, then the baselines): a row for each start. */
export class SumTable {
  readonly #rows = new Map<number, Row[]>();
  readonly #startOf = new Map<number, number[]>();

  constructor(
    readonly channels: number,
    readonly leads: number,
    readonly regions: number,
    readonly forecasters: readonly string[],
  ) {}

  #key = (c: number, l: number, r: number) => (c * this.leads + l) * this.regions + r;

  /** Rows of all forecasters at one start; a start where one of them has no cell is left out for all. */
  add(c: number, l: number, r: number, start: number, rows: readonly Row[]): void {
    if (rows.some((row) => row[W] === 0)) return;
    const key = this.#key(c, l, r);
    let list = this.#rows.get(key);
    if (!list) {
      this.#rows.set(key, (list = []));
      this.#startOf.set(key, []);
    }
    list.push(...rows);
    this.#startOf.get(key)!.push(start);
  }

  /** By forecaster, a row for each start. */
  samples(c: number, l: number, r: number): Row[][] {
    const list = this.#rows.get(this.#key(c, l, r)) ?? [];
    const width = this.forecasters.length;
    return this.forecasters.map((_, f) => list.filter((_row, i) => i % width === f));
  }

  /** Which starts the rows of `samples` belong to, as positions in the pairing's list. */
  startsOf(c: number, l: number, r: number): readonly number[] {
    return this.#startOf.get(this.#key(c, l, r)) ?? [];
  }
}
