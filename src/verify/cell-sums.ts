/** Errors by cell over all starts, of every forecaster, at some leads: what maps, stations' summaries and cell scores are made from. */
import type { RowMaker, Rows } from "../tensor/rows.js";

/** Places of a row, each [cell]: how many, Σe, Σe², Σ|e|, Σf. */
const [N, E, EE, AE, F] = [0, 1, 2, 3, 4];
const PLACES = 5;

/** What one forecaster did at one lead, by cell; NaN where there is nothing to compare. */
export interface CellErrors {
  readonly channel: number;
  /** Position of the lead. */
  readonly lead: number;
  /** 0 the forecast itself, then the baselines. */
  readonly forecaster: number;
  count(): Float32Array;
  /** Mean of forecast - truth. */
  bias(): Float32Array;
  rmse(): Float32Array;
  mae(): Float32Array;
  /** Mean fields over the starts. */
  meanForecast(): Float32Array;
  meanTruth(): Float32Array;
}

export class CellSums {
  readonly #rows: Rows;
  readonly #leads: readonly number[];

  /** @param leads positions of the leads that are kept */
  constructor(
    readonly channels: number,
    leads: readonly number[],
    readonly forecasters: number,
    readonly cells: number,
    maker: RowMaker,
  ) {
    this.#leads = leads;
    this.#rows = maker.float32(channels * leads.length * forecasters, PLACES * cells);
  }

  get leads(): readonly number[] {
    return this.#leads;
  }

  #at = (channel: number, lead: number, forecaster: number) =>
    (channel * this.#leads.length + this.#leads.indexOf(lead)) * this.forecasters + forecaster;

  keeps(lead: number): boolean {
    return this.#leads.includes(lead);
  }

  add(channel: number, lead: number, forecaster: number, forecast: ArrayLike<number>, truth: ArrayLike<number>): void {
    const row = this.#at(channel, lead, forecaster);
    const sums = this.#rows.get(row);
    const cells = this.cells;
    for (let i = 0; i < cells; i++) {
      const f = forecast[i];
      const e = f - truth[i];
      if (e !== e) continue;
      sums[i]++;
      sums[cells + i] += e;
      sums[2 * cells + i] += e * e;
      sums[3 * cells + i] += Math.abs(e);
      sums[4 * cells + i] += f;
    }
    this.#rows.set(row, sums);
  }

  /** The sums themselves, for saving. */
  raw = (channel: number, lead: number, forecaster: number): Float32Array =>
    this.#rows.get(this.#at(channel, lead, forecaster));

  restore(channel: number, lead: number, forecaster: number, sums: Float32Array): void {
    this.#rows.set(this.#at(channel, lead, forecaster), sums);
  }

  of(channel: number, lead: number, forecaster = 0): CellErrors {
    const sums = () => this.#rows.get(this.#at(channel, lead, forecaster));
    const cells = this.cells;
    const mean = (place: number, then: (x: number) => number = (x) => x) => {
      const all = sums();
      return Float32Array.from({ length: cells }, (_, i) => then(all[place * cells + i] / all[N * cells + i]));
    };
    return {
      channel,
      lead,
      forecaster,
      count: () => sums().slice(0, cells),
      bias: () => mean(E),
      rmse: () => mean(EE, Math.sqrt),
      mae: () => mean(AE),
      meanForecast: () => mean(F),
      meanTruth: () => {
        const bias = mean(E);
        return mean(F).map((f, i) => f - bias[i]);
      },
    };
  }
}
