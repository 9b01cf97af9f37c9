/**
 * The primitive equations on sigma levels, spectral in the horizontal (Bourke 1974; Hoskins and Simmons 1975), with the vertical
 * differences of Simmons and Burridge (1981), semi-implicit leapfrog and the filter of Robert, Asselin and Williams.
 *
 * One step, in the order of the code:
 *  1. spectrum -> winds and the gradient of ln p_s -> grid;
 *  2. at every column the nonlinear tendencies (`dynamics`), then the physics, which looks at the values one step earlier;
 *  3. grid -> spectrum, divergence and curl of the vectors;
 *  4. the gravity waves implicitly, diffusion and drag implicitly, the time filter.
 *
 *     const model = primitiveModel({ truncation: 21, halfLevels: defaultHalfLevels(5), step: 2700 });
 *     model.step();
 */
import { type StateColumns, stateColumns, type TendencyColumns, tendencyColumns } from "./columns.js";
import { dynamics } from "./dynamics.js";
import { BlowUpError } from "./stability.js";
import { type SigmaLevels, sigmaLevels } from "./levels.js";
import {
  analyseField,
  DEFAULT_FILTER,
  type Diffusion,
  diffusionRates,
  synthesiseField,
  type TimeFilter,
  timeFilter,
  usualDiffusion,
} from "./leapfrog.js";
import { divergenceAndCurl, gradient, type Operators, operators, windFromVorticity } from "./operators.js";
import { EARTH, type Planet } from "./planet.js";
import { semiImplicit } from "./semi-implicit.js";
import { type SphericalTransform, sphericalTransform } from "./transform.js";

/** What a physics looks at and adds to, at every grid point. */
export interface PhysicsContext {
  readonly transform: SphericalTransform;
  readonly levels: SigmaLevels;
  readonly planet: Planet;
  readonly columns: StateColumns;
  readonly tendencies: TendencyColumns;
  /** Grid of the step before (dissipation is stable only looked at from there). */
  readonly grid: Float64Array;
  /** Tendency grid; winds' tendencies go in as du/dt / cos(phi). */
  readonly out: Float64Array;
  /** Seconds from `grid` to the state that `out` leads to. */
  readonly leap: number;
  /** Seconds by which the clock moves: what slow states of the physics itself (the ground) advance by. */
  readonly elapsed: number;
  /** Model time at `grid`, seconds since the start of the run. */
  readonly time: number;
}
export type Physics = (context: PhysicsContext) => void;

export interface PrimitiveOptions {
  readonly truncation: number;
  readonly halfLevels: readonly number[];
  /** Seconds. */
  readonly step: number;
  readonly moist?: boolean;
  readonly planet?: Planet;
  /** K, of the isothermal state about which gravity waves are implicit. */
  readonly referenceTemperature?: number;
  readonly diffusion?: Diffusion;
  readonly filter?: TimeFilter;
  /** Surface geopotential, J/kg, as a one-field grid [latitude][longitude]; smoothed by the truncation. */
  readonly surfaceGeopotential?: Float64Array;
  readonly physics?: Physics;
  /** Rayleigh friction per level, 1/s, taken implicitly. */
  readonly drag?: Float64Array;
  /** Gives the kinetic energy that diffusion and drag take back as heat, evenly over each level; off by default, as in the dry tests. */
  readonly heatFromFriction?: boolean;
  /** Keeps the mean surface pressure of the start; on by default. */
  readonly conserveMass?: boolean;
}

export interface PrimitiveModel {
  readonly transform: SphericalTransform;
  readonly operators: Operators;
  readonly levels: SigmaLevels;
  readonly planet: Planet;
  readonly columns: StateColumns;
  readonly stepSeconds: number;
  /** Steps done, and the time they stand for in seconds. */
  readonly steps: number;
  readonly time: number;
  /** The state spectrum [row][re, im][state columns]; change it only before the first step, or through `restore`. */
  readonly now: Float64Array;
  /** The surface geopotential as the truncation has it, [latitude][longitude], J/kg. */
  readonly surfaceGeopotential: Float64Array;
  /** Grid of the present state. */
  grid(): Float64Array;
  step(): void;
  /** Largest wind speed (m/s) met in the last step. */
  readonly fastest: number;
  /** Everything that goes on from here bit for bit. */
  save(): PrimitiveState;
  restore(state: PrimitiveState): void;
  /** Seconds spent in transforms and altogether since the start. */
  readonly timing: { transforms: number; total: number };
}

export interface PrimitiveState {
  readonly steps: number;
  readonly mass: number;
  readonly now: Float64Array;
  readonly before: Float64Array;
  readonly gridBefore: Float64Array;
}

export function primitiveModel(options: PrimitiveOptions): PrimitiveModel {
  const {
    truncation,
    halfLevels,
    step: stepSeconds,
    moist = false,
    planet = EARTH,
    referenceTemperature = 300,
    diffusion = usualDiffusion(truncation),
    filter = DEFAULT_FILTER,
    physics,
    conserveMass = true,
    heatFromFriction = false,
  } = options;
  const transform = sphericalTransform(truncation);
  const levels = sigmaLevels(halfLevels);
  const L = levels.count;
  const columns = stateColumns(L, moist);
  const tendencies = tendencyColumns(L, moist);
  const ops = operators(transform, planet.radius);
  const implicit = semiImplicit(levels, planet, { referenceTemperature, truncation });
  const { rows, points } = transform;
  const width = columns.grid;

  const drag = options.drag ?? new Float64Array(L);
  const damping = diffusionRates(transform, diffusion);
  const surface = analyseField(transform, options.surfaceGeopotential ?? new Float64Array(transform.points));
  const surfaceGeopotential = synthesiseField(transform, surface);

  let now = new Float64Array(rows * 2 * columns.state);
  let before = new Float64Array(now.length);
  let after = new Float64Array(now.length);
  const wide = new Float64Array(rows * 2 * width);
  let grid = new Float64Array(points * width);
  let gridBefore = new Float64Array(points * width);
  let gridIsNow = false;
  const tendencyGrid = new Float64Array(points * tendencies.count);
  const analysed = new Float64Array(rows * 2 * tendencies.count);
  const work = new Float64Array(rows * 2 * (4 * L + (moist ? L : 0)));

  let steps = 0;
  let mass = 0;
  let fastest = 0;
  const timing = { transforms: 0, total: 0 };

  /** 1. Winds and gradients, then everything to the grid. */
  const toGrid = (): Float64Array => {
    if (gridIsNow) return grid;
    for (let r = 0; r < 2 * rows; r++) {
      const from = r * columns.state;
      const to = r * width;
      for (let c = 0; c < columns.state; c++) wide[to + c] = now[from + c];
    }
    const slot = (at: number) => ({ spectrum: wide, columns: width, at });
    windFromVorticity(ops, slot(columns.vorticity), slot(columns.divergence), slot(columns.u), slot(columns.v), L);
    gradient(ops, slot(columns.logPressure), slot(columns.pressureEast), slot(columns.pressureNorth), 1);
    const start = performance.now();
    transform.synthesise(wide, grid, width);
    timing.transforms += (performance.now() - start) / 1000;
    gridIsNow = true;
    return grid;
  };

  /** Mean of p_s, Pa. */
  const meanPressure = (): number => {
    const { nlat, nlon, weights } = transform;
    let sum = 0;
    for (let j = 0; j < nlat; j++) {
      let ring = 0;
      for (let i = 0; i < nlon; i++) ring += Math.exp(grid[(j * nlon + i) * width + columns.logPressure]);
      sum += (weights[j] * ring) / (2 * nlon);
    }
    return sum;
  };

  /** Steps 2 to 4 over `leap` seconds from `from` (with the tendencies of `now`) into `after`. */
  const advance = (from: Float64Array, fromGrid: Float64Array, leap: number, elapsed: number): void => {
    const speed = dynamics(
      { transform, levels, planet, columns, tendencies, referenceTemperature },
      grid,
      tendencyGrid,
    );
    if (!(speed.fastest < 1000)) throw new BlowUpError({ ...speed, steps, stepSeconds, truncation, planet });
    fastest = speed.fastest;
    physics?.({
      transform,
      levels,
      planet,
      columns,
      tendencies,
      grid: fromGrid,
      out: tendencyGrid,
      leap,
      elapsed,
      time: Math.max(0, steps - 1) * stepSeconds,
    });
    const start = performance.now();
    transform.analyse(tendencyGrid, analysed, tendencies.count);
    timing.transforms += (performance.now() - start) / 1000;
    solve(from, leap);
  };

  /** 3 and 4. */
  const solve = (from: Float64Array, leap: number): void => {
    const xi = leap / 2;
    const W = work.length / (2 * rows);
    const slot = (at: number) => ({ spectrum: analysed, columns: tendencies.count, at });
    const made = (at: number) => ({ spectrum: work, columns: W, at });
    divergenceAndCurl(ops, slot(tendencies.forceEast), slot(tendencies.forceNorth), made(0), made(L), L);
    divergenceAndCurl(ops, slot(tendencies.heatFluxEast), slot(tendencies.heatFluxNorth), made(2 * L), undefined, L);
    if (moist)
      divergenceAndCurl(
        ops,
        slot(tendencies.moistureFluxEast),
        slot(tendencies.moistureFluxNorth),
        made(4 * L),
        undefined,
        L,
      );
    const inverse = implicit.inverse(leap);
    const { hydrostatic, conversion } = implicit;
    const RTr = planet.gasConstant * referenceTemperature;
    const { state: S, vorticity, divergence, temperature, humidity, logPressure } = columns;
    const { n: ns, m: ms } = transform;
    const friction = new Float64Array(L);
    const forcedT = new Float64Array(L);
    const rhs = new Float64Array(L);
    for (let r = 0; r < rows; r++) {
      const n = ns[r];
      if (n > truncation) continue;
      const laplacian = ops.laplacian[r];
      const matrix = n * L * L;
      for (let part = 0; part < 2; part++) {
        const at = (2 * r + part) * S;
        const tend = (2 * r + part) * tendencies.count;
        const w = (2 * r + part) * W;
        // pi- + xi N_pi, T- + xi N_T
        const forcedPi = from[at + logPressure] + xi * analysed[tend + tendencies.logPressure];
        for (let k = 0; k < L; k++)
          forcedT[k] =
            from[at + temperature + k] + xi * (analysed[tend + tendencies.heating + k] - work[w + 2 * L + k]);
        for (let k = 0; k < L; k++) {
          let phi = RTr * forcedPi;
          for (let j = 0; j < L; j++) phi += hydrostatic[k * L + j] * forcedT[j];
          const nD = work[w + k] - laplacian * (analysed[tend + tendencies.energy + k] + surface[2 * r + part]);
          rhs[k] = from[at + divergence + k] + xi * (nD - laplacian * phi);
        }
        // D* = inverse . rhs, and what follows from it
        const share = (ms[r] === 0 ? -0.5 : -1) * ops.inverseLaplacian[r];
        let outflow = 0;
        const decay = damping[r] * leap;
        for (let k = 0; k < L; k++) {
          let mean = 0;
          for (let j = 0; j < L; j++) mean += inverse[matrix + k * L + j] * rhs[j];
          forcedT[k] = mean;
          outflow += mean * levels.thickness[k];
          const slow = 1 / (1 + decay + drag[k] * leap);
          const d = 2 * mean - from[at + divergence + k];
          const zeta = from[at + vorticity + k] + leap * work[w + L + k];
          after[at + divergence + k] = d * slow;
          after[at + vorticity + k] = zeta * slow;
          // Kinetic energy per mass is the sum over m >= 0 of (zeta^2 + D^2) / -laplacian, m = 0 counting half.
          if (n > 0) friction[k] += share * (d * d + zeta * zeta) * (1 - slow * slow);
        }
        const diffused = 1 / (1 + decay);
        for (let k = 0; k < L; k++) {
          let heating = analysed[tend + tendencies.heating + k] - work[w + 2 * L + k];
          for (let j = 0; j < L; j++) heating += conversion[k * L + j] * forcedT[j];
          after[at + temperature + k] = (from[at + temperature + k] + leap * heating) * diffused;
          if (moist) {
            const moistening = analysed[tend + tendencies.moistening + k] - work[w + 4 * L + k];
            after[at + humidity + k] = (from[at + humidity + k] + leap * moistening) * diffused;
          }
        }
        after[at + logPressure] = from[at + logPressure] + leap * (analysed[tend + tendencies.logPressure] - outflow);
      }
    }
    if (heatFromFriction) for (let k = 0; k < L; k++) after[temperature + k] += friction[k] / planet.specificHeat;
  };

  return {
    transform,
    operators: ops,
    levels,
    planet,
    columns,
    stepSeconds,
    surfaceGeopotential,
    timing,
    get steps() {
      return steps;
    },
    get time() {
      return steps * stepSeconds;
    },
    get now() {
      return now;
    },
    get fastest() {
      return fastest;
    },
    grid: toGrid,
    step() {
      const start = performance.now();
      toGrid();
      if (steps === 0) {
        // A half step forward, then a leap of one step over it.
        mass = meanPressure();
        const first = now;
        const firstGrid = grid;
        advance(first, firstGrid, stepSeconds / 2, 0);
        now = after;
        after = new Float64Array(first.length);
        grid = gridBefore;
        gridIsNow = false;
        toGrid();
        advance(first, firstGrid, stepSeconds, stepSeconds);
        gridBefore = firstGrid;
        before = first;
        [now, after] = [after, now];
      } else {
        const lost = conserveMass ? Math.log(mass / meanPressure()) : 0;
        advance(before, gridBefore, 2 * stepSeconds, stepSeconds);
        // On both time levels: a correction of one alone would swing between odd and even steps.
        now[columns.logPressure] += lost;
        after[columns.logPressure] += lost;
        timeFilter(filter, before, now, after);
        [before, now, after] = [now, after, before];
        [grid, gridBefore] = [gridBefore, grid];
      }
      gridIsNow = false;
      steps++;
      timing.total += (performance.now() - start) / 1000;
    },
    save: () => ({ steps, mass, now: now.slice(), before: before.slice(), gridBefore: gridBefore.slice() }),
    restore(state) {
      steps = state.steps;
      mass = state.mass;
      now.set(state.now);
      before.set(state.before);
      gridBefore.set(state.gridBefore);
      gridIsNow = false;
    },
  };
}
