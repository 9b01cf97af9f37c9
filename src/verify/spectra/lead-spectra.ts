/**
 * Mean spectra of forecast and truth at a few leads: of spherical harmonics on grids of the whole sphere, of waves along rows on
 * others.
 */
import type { States } from "../../tasks/series.js";
import type { Pairing } from "../pairing.js";
import { sphericalAnalysis } from "./spherical.js";
import { circleLength, EARTH_RADIUS, effectiveWavenumber, meanSpectrum } from "./zonal.js";

export interface LeadSpectra {
  readonly channel: number;
  /** Position of the lead. */
  readonly lead: number;
  /** What the waves are counted by: `total wavenumber`, `zonal wavenumber`, `half waves along a row`. */
  readonly axis: string;
  /** Of the power behind a variable's units squared: none, or metres. */
  readonly units: "" | "m";
  /** Of an ensemble, its first member: a mean is smooth by its nature. */
  add(forecast: ArrayLike<number>, truth: ArrayLike<number>): void;
  /** How many starts are in the mean. */
  count(): number;
  /** Mean power by wavenumber over starts. */
  forecast(): Float64Array;
  truth(): Float64Array;
  /** The wavelength in km below which the forecast has less than half the truth's power. */
  resolution(): { km: number; /** Whether that is the grid's own: the power is kept to the end. */ whole: boolean };
}

/** Whether a grid's last column is followed by its first. */
export function goesAround({ longitudes, scattered }: Pick<States, "longitudes" | "scattered">): boolean {
  const step = longitudes[1] - longitudes[0];
  return !scattered && Math.abs(Math.abs(step) * longitudes.length - 360) < 0.01;
}

/** How a field of a grid is taken apart. */
interface Analysis extends Pick<LeadSpectra, "axis" | "units"> {
  readonly power: (field: ArrayLike<number>) => Float64Array;
  /** Of wavenumber 1, km. */
  readonly longest: number;
  /** Multiplications a field, roughly. */
  readonly cost: number;
}

function analysisOf(grid: Pick<States, "latitudes" | "longitudes" | "scattered">): Analysis | undefined {
  const { latitudes, longitudes, scattered } = grid;
  const columns = longitudes.length;
  if (scattered || columns < 16) return undefined;
  const cost = 30 * latitudes.length * columns;
  if (!goesAround(grid)) {
    const part = (Math.abs(longitudes[1] - longitudes[0]) * columns) / 360;
    const middle = (latitudes[0] + latitudes[latitudes.length - 1]) / 2;
    const longest = (2 * part * circleLength(middle)) / 1000;
    const power = (field: ArrayLike<number>) => meanSpectrum(field, latitudes, { part });
    return { axis: "half waves along a row", units: "m", power, longest, cost: 2 * cost };
  }
  const sphere = sphericalAnalysis(latitudes, columns);
  if (sphere)
    return {
      axis: "total wavenumber",
      units: "",
      power: (field) => sphere.power(field),
      longest: (2 * Math.PI * EARTH_RADIUS) / 1000,
      cost: cost + sphere.cost,
    };
  // Of the parallel of 45 degrees, which stands for the middle latitudes.
  const power = (field: ArrayLike<number>) => meanSpectrum(field, latitudes);
  return { axis: "zonal wavenumber", units: "m", power, longest: circleLength(45) / 1000, cost };
}

/** Multiplications that all spectra together may take: on large grids fewer starts are in the mean. */
const MOST_WORK = 2e10;

/** None at stations or on grids of fewer than 16 columns. */
export function leadSpectra({ truth, channels, starts }: Pairing, leads: readonly number[]): LeadSpectra[] {
  const analysis = analysisOf(truth);
  if (!analysis) return [];
  const { power, longest, cost, axis, units } = analysis;
  const every = Math.ceil((2 * cost * starts.length * channels.length * leads.length) / MOST_WORK);
  return channels.flatMap((_, channel) =>
    leads.map((lead) => {
      const sums: [Float64Array?, Float64Array?] = [];
      let [seen, count] = [0, 0];
      const mean = (k: 0 | 1) => (sums[k] ?? new Float64Array()).map((sum) => sum / count);
      return {
        ...{ channel, lead, axis, units },
        add(forecast, observed) {
          if (seen++ % every !== 0) return;
          const both = [power(forecast), power(observed)];
          if (both.some((spectrum) => Number.isNaN(spectrum[0]))) return; // a field with gaps has no spectrum
          both.forEach(
            (spectrum, k) => (sums[k] = sums[k] ? sums[k].map((sum, wave) => sum + spectrum[wave]) : spectrum),
          );
          count++;
        },
        count: () => count,
        forecast: () => mean(0),
        truth: () => mean(1),
        resolution() {
          const [forecast, observed] = [mean(0), mean(1)];
          const wave = effectiveWavenumber(forecast, observed);
          return { km: longest / (wave ?? observed.length - 1), whole: wave === undefined };
        },
      };
    }),
  );
}
