/**
 * Where each field lies among the columns of the primitive equations' arrays. A state spectrum is
 *
 *     zeta (L) | D (L) | T (L) | q (L, moist only) | pi = ln(p_s / Pa)
 *
 * a grid adds what the tendencies need, U = u cos(phi), V = v cos(phi), dpi/dlambda and (1 - mu^2) dpi/dmu, and a tendency grid
 * holds what is analysed: the vectors (F_u, F_v), (U T', V T'), (U q, V q) over cos^2(phi), the kinetic energy E, and the sources.
 */
export interface StateColumns {
  readonly levels: number;
  readonly moist: boolean;
  readonly vorticity: number;
  readonly divergence: number;
  readonly temperature: number;
  /** -1 in a dry model. */
  readonly humidity: number;
  readonly logPressure: number;
  /** Columns of a state spectrum. */
  readonly state: number;
  readonly u: number;
  readonly v: number;
  readonly pressureEast: number;
  readonly pressureNorth: number;
  /** Columns of a grid, even. */
  readonly grid: number;
}

export interface TendencyColumns {
  readonly forceEast: number;
  readonly forceNorth: number;
  readonly heatFluxEast: number;
  readonly heatFluxNorth: number;
  readonly moistureFluxEast: number;
  readonly moistureFluxNorth: number;
  readonly energy: number;
  readonly heating: number;
  readonly moistening: number;
  readonly logPressure: number;
  readonly count: number;
}

const even = (n: number): number => n + (n % 2);

export function stateColumns(levels: number, moist: boolean): StateColumns {
  const L = levels;
  const state = (moist ? 4 : 3) * L + 1;
  return {
    levels,
    moist,
    vorticity: 0,
    divergence: L,
    temperature: 2 * L,
    humidity: moist ? 3 * L : -1,
    logPressure: state - 1,
    state,
    u: state,
    v: state + L,
    pressureEast: state + 2 * L,
    pressureNorth: state + 2 * L + 1,
    grid: even(state + 2 * L + 2),
  };
}

export function tendencyColumns(levels: number, moist: boolean): TendencyColumns {
  const L = levels;
  const q = moist ? 1 : 0;
  return {
    forceEast: 0,
    forceNorth: L,
    heatFluxEast: 2 * L,
    heatFluxNorth: 3 * L,
    moistureFluxEast: moist ? 4 * L : -1,
    moistureFluxNorth: moist ? 5 * L : -1,
    energy: (4 + 2 * q) * L,
    heating: (5 + 2 * q) * L,
    moistening: moist ? 8 * L : -1,
    logPressure: (6 + 3 * q) * L,
    count: even((6 + 3 * q) * L + 1),
  };
}
