/** Mean zonal spectra of forecast and truth at a few leads, for grids that go around the globe. */
import type { States } from "../../tasks/series.js";
import type { Pairing } from "../pairing.js";
import { meanSpectrum } from "./zonal.js";

export interface LeadSpectra {
  readonly channel: number;
  /** Position of the lead. */
  readonly lead: number;
  /** Of an ensemble, its first member: a mean is smooth by its nature. */
  add(forecast: ArrayLike<number>, truth: ArrayLike<number>): void;
  /** Mean power by wavenumber over starts. */
  forecast(): Float64Array;
  truth(): Float64Array;
}

/** Whether a grid's last column is followed by its first. */
export function goesAround({ longitudes, scattered }: Pick<States, "longitudes" | "scattered">): boolean {
  const step = longitudes[1] - longitudes[0];
  return !scattered && Math.abs(Math.abs(step) * longitudes.length - 360) < 0.01;
}

/** None for a regional grid or stations. */
export function leadSpectra({ truth, channels }: Pairing, leads: readonly number[]): LeadSpectra[] {
  const { latitudes, longitudes } = truth;
  if (!goesAround(truth) || longitudes.length < 16) return [];
  return channels.flatMap((_, channel) =>
    leads.map((lead) => {
      const sums = [0, 1].map(() => new Float64Array(Math.floor(longitudes.length / 2) + 1));
      let count = 0;
      return {
        channel,
        lead,
        add(forecast, observed) {
          const both = [forecast, observed].map((field) => meanSpectrum(field, latitudes));
          if (both.some((spectrum) => Number.isNaN(spectrum[0]))) return; // a field with gaps has no spectrum
          both.forEach((spectrum, k) => spectrum.forEach((power, wave) => (sums[k][wave] += power)));
          count++;
        },
        forecast: () => sums[0].map((power) => power / count),
        truth: () => sums[1].map((power) => power / count),
      };
    }),
  );
}
