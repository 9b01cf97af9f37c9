/**
 * Power by total wavenumber of spherical harmonics: scales on the sphere, alike at the equator and near the poles.
 *
 * P_l = Σ_m |f_lm|^2, f_lm the coefficients of orthonormal harmonics found by quadrature with exact row areas. On equiangular rows
 * that is accurate to about a per cent for l well below half the number of rows, and is refused beyond.
 */
import { latitudeWeights } from "../../earth/weights.js";
import { UsageError } from "../../errors.js";
import { fourier } from "./fourier.js";

/** P_l for l = 0 .. highest of a global field [latitude, longitude]; Σ_l P_l is the field's mean square over the sphere. */
export function sphericalSpectrum(
  field: ArrayLike<number>,
  latitudes: ArrayLike<number>,
  options: { highest?: number } = {},
): Float64Array {
  const rows = latitudes.length;
  const columns = field.length / rows;
  const limit = Math.min(Math.floor(rows / 2), Math.floor(columns / 2) - 1);
  const { highest = limit } = options;
  if (highest > limit)
    throw new UsageError(
      `a grid of ${rows} x ${columns} resolves total wavenumbers up to ${limit}, not ${highest}; ask for fewer or verify on a finer grid`,
    );
  const weights = latitudeWeights(latitudes, "exact");
  const lines = Array.from({ length: rows }, (_, i) => {
    const re = new Float64Array(columns);
    const im = new Float64Array(columns);
    for (let j = 0; j < columns; j++) re[j] = field[i * columns + j] / columns;
    fourier(re, im);
    return { re, im };
  });
  const power = new Float64Array(highest + 1);
  for (let m = 0; m <= highest; m++) {
    const re = new Float64Array(highest + 1);
    const im = new Float64Array(highest + 1);
    for (let i = 0; i < rows; i++) {
      const p = legendre(m, highest, Math.sin((latitudes[i] * Math.PI) / 180));
      for (let l = m; l <= highest; l++) {
        re[l] += (weights[i] / rows) * p[l] * lines[i].re[m];
        im[l] += (weights[i] / rows) * p[l] * lines[i].im[m];
      }
    }
    for (let l = m; l <= highest; l++) power[l] += (m === 0 ? 1 : 2) * (re[l] ** 2 + im[l] ** 2);
  }
  return power;
}

/** Associated Legendre functions of order m, normalised to a mean square of 1 over the sphere with exp(i m lambda); by degree. */
function legendre(m: number, highest: number, x: number): Float64Array {
  const p = new Float64Array(highest + 1);
  const epsilon = (l: number) => Math.sqrt((l * l - m * m) / (4 * l * l - 1));
  let sectoral = 1;
  const cosine = Math.sqrt(1 - x * x);
  for (let k = 1; k <= m; k++) sectoral *= Math.sqrt((2 * k + 1) / (2 * k)) * cosine;
  p[m] = sectoral;
  for (let l = m + 1; l <= highest; l++)
    p[l] = (x * p[l - 1] - (l - 1 > m ? epsilon(l - 1) * p[l - 2] : 0)) / epsilon(l);
  return p;
}
