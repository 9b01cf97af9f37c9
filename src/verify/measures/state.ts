/**
 * Scores of several variables together: wind as a vector, the balances between height, wind and temperature, the budgets of mass,
 * water and energy. A group has rows of its own beside the variables'; place 0 is Σw. Balances and budgets are told relative to the
 * truth's own, since neither is zero in nature; of an ensemble they are its first member's.
 */
import type { Channel, States } from "../../tasks/series.js";
import { identify, type Quantity, toCanonical } from "../../earth/variables.js";
import { ageostrophicSums, budget, type Budget, hydrostaticImbalance } from "../scores/physics.js";
import type { Score } from "../scores/sums.js";
import { windDirectionError, windVectorMse } from "../scores/wind.js";
import type { Field } from "./measure.js";

/** The fields of a state by channel. */
export type StateOf = (channel: number) => Field;

export interface Group {
  /** `wind@500`, `balance@500`, `budget`. */
  readonly variable: string;
  readonly level: number | null;
  readonly label: string;
  readonly units: string;
  readonly width: number;
  readonly scores: readonly Score[];
  /** Whether it wants the members' mean (wind), or one member (balances). */
  readonly of: "mean" | "member";
  add(places: Float64Array, forecast: StateOf, truth: StateOf, weights: Float64Array): void;
}

interface Known {
  readonly channel: number;
  readonly quantity: Quantity;
  readonly level: number | null;
  /** To canonical units. */
  readonly convert: (field: Field) => Float64Array;
}

/** The groups that the channels allow. None at stations but wind. */
export function groupsOf(channels: readonly Channel[], truth: States): Group[] {
  const known = channels.flatMap(({ variable: v, levelValue }, channel): Known[] => {
    const quantity = identify(v);
    const units = v.attrs["units"] ?? truth.units[channel];
    if (!quantity || typeof units !== "string" || units === "") return [];
    const { scale, offset } = toCanonical(quantity, units);
    const convert = (field: Field) => Float64Array.from(field, (x) => scale * x + offset);
    return [{ channel, quantity, level: levelValue ?? null, convert }];
  });
  const find = (name: string, level: number | null) => known.find((k) => k.quantity.name === name && k.level === level);
  const levels = [...new Set(known.map((k) => k.level))];
  const winds = levels.flatMap((level): Group[] => {
    const [u, v] = ["u", "v"].map((c) =>
      find(level === null ? `10m_${c}_component_of_wind` : `${c}_component_of_wind`, level),
    );
    return u && v ? [windGroup(u, v, level)] : [];
  });
  if (truth.scattered) return winds;
  const pressures = levels.filter((level): level is number => level !== null).sort((a, b) => b - a);
  const height = (level: number) => find("geopotential_height", level) ?? find("geopotential", level);
  const balances = pressures.flatMap((level): Group[] => {
    const [z, u, v] = [height(level), find("u_component_of_wind", level), find("v_component_of_wind", level)];
    return z && u && v && truth.latitudes.some((latitude) => Math.abs(latitude) >= 20)
      ? [geostrophicGroup(z, u, v, truth)]
      : [];
  });
  const layers = pressures.filter((level) => height(level) && find("temperature", level));
  const hydrostatic =
    layers.length > 1
      ? [
          hydrostaticGroup(
            layers.map((l) => height(l)!),
            layers.map((l) => find("temperature", l)!),
            layers,
          ),
        ]
      : [];
  const full = ["temperature", "specific_humidity", "u_component_of_wind", "v_component_of_wind"];
  const columns = pressures.filter((level) => full.every((name) => find(name, level))).reverse();
  const surface = find("surface_pressure", null);
  const budgets =
    surface && columns.length > 2
      ? [
          budgetGroup(
            surface,
            full.map((name) => columns.map((l) => find(name, l)!)),
            columns,
          ),
        ]
      : [];
  return [...winds, ...balances, ...hydrostatic, ...budgets];
}

const score = (name: string, formula: string, rest: Pick<Score, "units" | "better" | "source" | "value">): Score => ({
  name,
  formula,
  over: "all",
  ...rest,
});

const WIND_SCORES: readonly Score[] = [
  score("wind-rmse", "sqrt(mean_t <(f_u - o_u)^2 + (f_v - o_v)^2>)", {
    units: "field",
    better: "low",
    source: "WeatherBench 2 `WindVectorRMSE`",
    value: (s) => Math.sqrt(s[1] / s[0]),
  }),
  score("wind-direction", "mean |turn| where both blow at 2 m/s or more, degrees", {
    units: "1",
    better: "low",
    source: "COST Action 732, Model evaluation guidance",
    value: (s) => s[2] / s[3],
  }),
  score("wind-speed-bias", "mean_t <|f| - |o|>", {
    units: "field",
    better: 0,
    source: "WeatherBench 2 `Bias` of speed",
    value: (s) => s[4] / s[0],
  }),
];

function windGroup(u: Known, v: Known, level: number | null): Group {
  return {
    variable: "wind",
    level,
    label: level === null ? "Wind at 10 m as a vector" : `Wind at ${level} as a vector`,
    units: "m s-1",
    width: 5,
    of: "mean",
    scores: WIND_SCORES,
    add(places, forecast, truth, weights) {
      const [f, o] = [forecast, truth].map((of) => ({ u: u.convert(of(u.channel)), v: v.convert(of(v.channel)) }));
      const there = weights.map((w, i) =>
        f.u[i] + f.v[i] + o.u[i] + o.v[i] === f.u[i] + f.v[i] + o.u[i] + o.v[i] ? w : 0,
      );
      const area = there.reduce((a, b) => a + b, 0);
      if (area === 0) return;
      places[0] += area;
      places[1] += area * windVectorMse(f, o, there);
      const brisk = there.map((w, i) => (Math.min(Math.hypot(f.u[i], f.v[i]), Math.hypot(o.u[i], o.v[i])) < 2 ? 0 : w));
      const windy = brisk.reduce((a, b) => a + b, 0);
      if (windy > 0) places[2] += windy * windDirectionError(f, o, brisk);
      places[3] += windy;
      for (let i = 0; i < there.length; i++)
        if (there[i] > 0) places[4] += there[i] * (Math.hypot(f.u[i], f.v[i]) - Math.hypot(o.u[i], o.v[i]));
    },
  };
}

/** A ratio of root mean squares, places [Σw, forecast's, truth's]. */
const asTheTruth = (name: string, formula: string, source: string): Score =>
  score(name, formula, { units: "1", better: 1, source, value: (s) => Math.sqrt(s[1] / s[2]) });

const GEOSTROPHIC_SCORES: readonly Score[] = [
  asTheTruth(
    "imbalance:geostrophic",
    "rms of the wind less the geostrophic wind, forecast over truth, beyond 20 degrees (1: as in nature)",
    "Holton, An Introduction to Dynamic Meteorology, 3.2; Bonavita 2024, GRL 51",
  ),
];
const HYDROSTATIC_SCORES: readonly Score[] = [
  asTheTruth(
    "imbalance:hydrostatic",
    "rms of thickness - R T / g ln(p1 / p2), forecast over truth (1: as in nature)",
    "Holton, An Introduction to Dynamic Meteorology, 1.4; ChaosBench (Nathaniel et al. 2024)",
  ),
];

function geostrophicGroup(z: Known, u: Known, v: Known, grid: States): Group {
  const sums = (of: StateOf, weights: Float64Array) => {
    const height = z.convert(of(z.channel));
    if (z.quantity.name === "geopotential") height.forEach((x, i) => (height[i] = x / 9.80665));
    return ageostrophicSums(height, u.convert(of(u.channel)), v.convert(of(v.channel)), grid, weights);
  };
  return {
    variable: "balance",
    level: z.level,
    label: `Geostrophic balance at ${z.level}`,
    units: "1",
    width: 3,
    of: "member",
    scores: GEOSTROPHIC_SCORES,
    add(places, forecast, truth, weights) {
      const [f, o] = [sums(forecast, weights), sums(truth, weights)];
      if (f.total === 0 || o.total === 0) return;
      places[0] += f.total;
      places[1] += f.sum;
      places[2] += (o.sum / o.total) * f.total;
    },
  };
}

function hydrostaticGroup(z: readonly Known[], t: readonly Known[], pressures: readonly number[]): Group {
  const square = (of: StateOf, weights: Float64Array) => {
    const heights = z.map((k) => {
      const height = k.convert(of(k.channel));
      return k.quantity.name === "geopotential" ? height.map((x) => x / 9.80665) : height;
    });
    return (
      hydrostaticImbalance(
        heights,
        t.map((k) => k.convert(of(k.channel))),
        pressures,
        weights,
      ) ** 2
    );
  };
  return {
    variable: "balance",
    level: null,
    label: `Hydrostatic balance between ${pressures[0]} and ${pressures[pressures.length - 1]}`,
    units: "1",
    width: 3,
    of: "member",
    scores: HYDROSTATIC_SCORES,
    add(places, forecast, truth, weights) {
      const [f, o] = [square(forecast, weights), square(truth, weights)];
      if (f + o !== f + o) return;
      [1, f, o].forEach((x, k) => (places[k] += x));
    },
  };
}

const BUDGETS = [
  ["dryMass", "budget:dry-mass", "kg m-2"],
  ["vapour", "budget:vapour", "kg m-2"],
  ["energy", "budget:energy", "J m-2"],
] as const;

const BUDGET_SCORES: readonly Score[] = BUDGETS.map(([, name, units], k) =>
  score(name, `mean over the area and starts of the column total, forecast minus truth, ${units}`, {
    units: "1",
    better: 0,
    source: "Trenberth 1991, J. Climate 4; levels by the trapezoidal rule",
    value: (s) => s[1 + k] / s[0],
  }),
);

/** The scores of a group by its name (`wind@500`), and how wide its rows are. */
export function scoresOfGroup(name: string): { scores: readonly Score[]; width: number } {
  if (name.startsWith("wind")) return { scores: WIND_SCORES, width: 5 };
  if (name.startsWith("budget")) return { scores: BUDGET_SCORES, width: 1 + BUDGETS.length };
  return { scores: name.includes("@") ? GEOSTROPHIC_SCORES : HYDROSTATIC_SCORES, width: 3 };
}

function budgetGroup(surface: Known, columns: readonly Known[][], levels: readonly number[]): Group {
  // Level values below 1200 are hPa: no atmosphere has so little air that they could be Pa.
  const pressures = levels.map((p) => (Math.max(...levels) < 1200 ? 100 * p : p));
  const of = (state: StateOf, weights: Float64Array): Budget => {
    const [temperature, humidity, u, v] = columns.map((column) => column.map((k) => k.convert(state(k.channel))));
    const surfacePressure = surface.convert(state(surface.channel));
    return budget({ temperature, humidity, u, v, surfacePressure }, pressures, weights);
  };
  return {
    variable: "budget",
    level: null,
    label: "Budgets of dry air, water vapour and energy",
    units: "",
    width: 1 + BUDGETS.length,
    of: "member",
    scores: BUDGET_SCORES,
    add(places, forecast, truth, weights) {
      const [f, o] = [of(forecast, weights), of(truth, weights)];
      if (f.energy + o.energy !== f.energy + o.energy) return;
      places[0]++;
      BUDGETS.forEach(([key], k) => (places[1 + k] += f[key] - o[key]));
    },
  };
}
