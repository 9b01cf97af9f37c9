/** Scores of patterns: fractions over windows, structure-amplitude-location, objects, neighbours' differences. */
import { fieldObjects } from "../scores/objects.js";
import { eventFractions, fss } from "../scores/fss.js";
import { sal } from "../scores/sal.js";
import { variogramScore } from "../scores/variogram.js";
import { aboveWords, type Family, type Field, type FieldCase } from "./measure.js";
import { eventKey } from "./events.js";

const inGrid = (name: string): string => `'${name}' needs a grid, and these are stations; leave it out`;

/** Fields with cells outside the region or without a value on either side set to `empty`. */
function inRegion({ truth, weights }: FieldCase, field: Field, empty: number): Float64Array {
  return Float64Array.from(field, (x, i) => (weights[i] === 0 || truth[i] !== truth[i] ? empty : x));
}

/** `fss>1@9`: in windows of 9 x 9 cells. An ensemble's fraction is the mean of its members'. */
export const fssFamily: Family = {
  names: ["fss"],
  form: "fss>1@9 (window in cells)",
  title: ({ event, at = 1 }) => `Fractions skill score above ${aboveWords(event!)} in ${at} x ${at} cells`,
  make({ name, event, at: window = 1 }, { columns, wraps, scattered, limitOf }) {
    if (scattered) return inGrid(name);
    if (!event) return `'${name}' needs a threshold and a window: write fss>1@9`;
    if (!(window >= 1) || window % 2 === 0) return `'${name}' has a window of ${window} cells; it must be odd`;
    const limit = limitOf(event);
    const options = { window, columns, wrap: wraps };
    // The regions of one field ask for the same fractions.
    const known = new WeakMap<Field, Float64Array>();
    const fractionsOf = (field: Field) => {
      let found = known.get(field);
      if (!found) known.set(field, (found = eventFractions(field, limit, options)));
      return found;
    };
    return {
      measure: {
        key: `fss${eventKey(event)}@${window}`,
        width: 3,
        add(places, { members, truth, weights }) {
          const po = fractionsOf(truth);
          const all = members.map(fractionsOf);
          for (let i = 0; i < weights.length; i++) {
            if (weights[i] === 0) continue;
            let pf = 0;
            for (const of of all) pf += of[i] / all.length;
            const d = pf - po[i];
            if (d !== d) continue;
            places[0] += weights[i] * d * d;
            places[1] += weights[i] * pf * pf;
            places[2] += weights[i] * po[i] * po[i];
          }
        },
      },
      score: (at) => ({
        name,
        formula: "1 - <(pf - po)^2> / (<pf^2> + <po^2>), p the share of a window above the threshold",
        units: "1",
        better: "high",
        source: "Roberts and Lean 2008, MWR 136, eq. 6",
        over: "all",
        value: (row) => fss({ difference: row[at], forecast: row[at + 1], truth: row[at + 2] }),
      }),
    };
  },
};

const SAL = {
  "sal:structure": ["structure", "SAL structure (above 0: objects too large or too flat)"],
  "sal:amplitude": ["amplitude", "SAL amplitude (above 0: too much)"],
  "sal:location": ["location", "SAL location (0 to 2: misplaced)"],
} as const;

/** Mean over starts with something in both fields; of an ensemble its first member, since a mean is smooth by nature. */
export const salFamily: Family = {
  names: Object.keys(SAL),
  form: "sal:structure, sal:amplitude, sal:location",
  title: ({ base }) => SAL[base as keyof typeof SAL][1],
  make({ name, base }, { quantity, columns, scattered }) {
    if (scattered) return inGrid(name);
    if (!quantity?.water) return `'${name}' is a score of precipitation`;
    const part = Object.keys(SAL).indexOf(base);
    return {
      measure: {
        key: "sal",
        width: 4,
        add(places, field) {
          const [f, o] = [field.members[0], field.truth].map((of) => inRegion(field, of, 0));
          const { structure, amplitude, location } = sal(f, o, columns);
          const sum = structure + amplitude + location;
          if (sum !== sum) return; // nothing fell in one of them
          [structure, amplitude, location, 1].forEach((x, k) => (places[k] += x));
        },
      },
      score: (at) => ({
        name,
        formula: "mean over starts of the component",
        units: "1",
        better: base === "sal:location" ? "low" : 0,
        source: "Wernli, Paulat, Hagen and Frei 2008, MWR 136",
        over: "all",
        value: (row) => row[at + part] / row[at + 3],
      }),
    };
  },
};

/** `objects>1`: how many connected areas above, over how many there are in truth. */
export const objectFamily: Family = {
  names: ["objects"],
  form: "objects>1",
  title: ({ event }) => `Objects above ${aboveWords(event!)}, forecast over observed`,
  make({ name, event }, { columns, scattered, limitOf }) {
    if (scattered) return inGrid(name);
    if (!event) return `'${name}' needs a threshold: write objects>1`;
    const limit = limitOf(event);
    const excess = (field: Float64Array) =>
      typeof limit === "number" ? field : field.map((x, i) => (x > limit[i] ? 1 : 0));
    const count = (field: Float64Array) =>
      fieldObjects(excess(field), columns, typeof limit === "number" ? limit : 0.5).length;
    return {
      measure: {
        key: `objects${eventKey(event)}`,
        width: 2,
        add(places, field) {
          places[0] += count(inRegion(field, field.members[0], NaN));
          places[1] += count(inRegion(field, field.truth, NaN));
        },
      },
      score: (at) => ({
        name,
        formula: "connected areas above the threshold in the forecast / in the truth",
        units: "1",
        better: 1,
        source: "counts as in Davis, Brown and Bullock 2006, MWR 134",
        over: "all",
        value: (row) => row[at] / row[at + 1],
      }),
    };
  },
};

export const variogramFamily: Family = {
  names: ["variogram"],
  form: "variogram",
  title: () => "Variogram score (do members know how neighbours differ?)",
  make({ name }, { columns, scattered }) {
    if (scattered) return inGrid(name);
    return {
      measure: {
        key: "variogram",
        width: 2,
        add(places, field) {
          const score = variogramScore(field.members, inRegion(field, field.truth, NaN), columns);
          if (score !== score) return;
          places[0] += score;
          places[1]++;
        },
      },
      score: (at) => ({
        name,
        formula: "mean over neighbours (|o_a - o_b|^0.5 - mean_m |x_a - x_b|^0.5)^2",
        units: "field",
        better: "low",
        source: "Scheuerer and Hamill 2015, MWR 143, eq. 4",
        over: "all",
        probabilistic: true,
        value: (row) => row[at] / row[at + 1],
      }),
    };
  },
};
