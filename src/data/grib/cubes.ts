/**
 * Fields of a file gathered into variables: all fields of one parameter, on one kind of level, computed in one way over
 * time and on one grid are one cube over member, time, lead time and level. The rules, in the order they apply:
 *
 * 1. Where two such groups share a short name, the larger (the earlier of equals) keeps it; the others get a suffix that
 *    says how they differ: `t_surface`, `tp_max`, `2t_grid2`.
 * 2. `time` is the reference time and `lead_time` the hours to the field's time or the end of its interval; where all
 *    leads are 0 there is no `lead_time`. Where reference times and leads fill less than their cube but each time of
 *    validity comes once (analyses chained with short forecasts), `time` is the time of validity and `lead_time` goes.
 * 3. `member` and `level` are dimensions where there are several, `level` also on isobaric and model levels.
 * 4. Fields for the same place in a cube with intervals of several kinds (since the start, the last 3 hours), or of an
 *    ensemble and of a single run, are separate cubes. A field that repeats another's place is left out and said. A place without a field reads as NaN.
 */
import type { GribField } from "./field.js";
import type { Grid } from "./grid.js";
import { hasValue, type Level } from "./levels.js";
import { type Parameter, parameterOfField } from "./parameters.js";

const HOUR = 3_600_000;

/** A dimension of a cube before it has a name in the dataset; `values` ascend. */
export interface CubeAxis {
  readonly dim: string;
  readonly values: readonly number[];
}

export interface Cube {
  readonly name: string;
  readonly parameter: Parameter;
  readonly axes: readonly CubeAxis[];
  /** Row-major over the axes; undefined where no field is. */
  readonly fields: readonly (GribField | undefined)[];
  /** Any of the fields: they share all that is not an axis. */
  readonly sample: GribField;
  /** Is `time` the time of validity of forecasts rather than their reference time? */
  readonly validTime: boolean;
}

/** Keys of `extra` that number fields along a dimension; the others tell parameters apart. */
const EXTRA_AXES = ["direction", "frequency", "percentile"];
/** Levels that stay a dimension even where there is one. */
const ALWAYS_LEVEL = new Set(["isobaricInhPa", "hybrid"]);

interface Group {
  readonly fields: GribField[];
  readonly parameter: Parameter;
  /** In what groups of one name may differ: suffixes for rule 1. */
  readonly traits: Readonly<Record<string, string>>;
}

/** Gathers fields; `problems` gets a sentence for each thing a reader should know. */
export function gatherCubes(fields: readonly GribField[], problems: string[]): Cube[] {
  const groups = new Map<string, Group>();
  const gridNumber = gridNumbers();
  for (const field of fields) {
    const parameter = parameterOfField(field);
    const constant = Object.entries(field.extra).filter(([key]) => !EXTRA_AXES.includes(key));
    const traits = {
      level: verticalOf(field.level).type,
      step: field.step.type,
      extra: constant.map(([key, value]) => `${key}${value}`).join("_"),
      grid: `grid${gridNumber(field.grid)}`,
    };
    const key = [parameter.shortName, ...Object.values(traits)].join("|");
    const group = groups.get(key);
    if (group) group.fields.push(field);
    else groups.set(key, { fields: [field], parameter, traits });
  }
  const separate = [...groups.values()].flatMap(splitRepeated);
  return nameGroups(separate, problems).map(([name, group]) => toCube(name, group, problems));
}

/** Rule 4: where two fields would have one place, by kind of interval and by whether they are of an ensemble. */
function splitRepeated(group: Group): Group[] {
  const places = new Set(group.fields.map((field) => JSON.stringify([field.time, field.step.end, ...placeOf(field)])));
  if (places.size === group.fields.length) return [group];
  const kinds = new Map<string, Group>();
  for (const field of group.fields) {
    const traits = { interval: intervalKind(field), run: field.ensemble ? "ensemble" : "single" };
    const kind = Object.values(traits).join("|");
    const same = kinds.get(kind);
    if (same) same.fields.push(field);
    else kinds.set(kind, { ...group, fields: [field], traits: { ...group.traits, ...traits } });
  }
  return [...kinds.values()];
}

const intervalKind = ({ step: { start, end } }: GribField): string =>
  start === end ? "" : start === 0 ? "run" : `${(end - start) / HOUR}h`;

/** What places a field in its cube, times apart. */
const placeOf = (field: GribField): number[] => [
  field.ensemble?.member ?? 0,
  levelOf(field),
  ...EXTRA_AXES.map((key) => field.extra[key] ?? 0),
];

const levelOf = ({ level }: GribField): number => (hasValue(level) ? verticalOf(level).value : 0);

/** Where a field lies along `level`: pressures all in hPa, a layer where its middle is (layers may share a top). */
export function verticalOf({ type, units, value, bottom }: Level): { type: string; units: string; value: number } {
  if (type === "isobaricInPa") return { type: "isobaricInhPa", units: "hPa", value: value / 100 };
  return { type, units, value: bottom === undefined ? value : (value + bottom) / 2 };
}

/** Numbers grids from 1; grids that two editions describe in the same numbers are one. */
function gridNumbers(): (grid: Grid) => number {
  const byKey = new Map<string, number>();
  const byGeometry = new Map<string, number>();
  return (grid) => {
    let number = byKey.get(grid.key);
    if (number === undefined) {
      const geometry = JSON.stringify({ ...grid, key: "" }, (_, part: unknown) =>
        part && typeof part === "object" && !Array.isArray(part)
          ? Object.fromEntries(Object.entries(part).sort())
          : part,
      );
      number = byGeometry.get(geometry) ?? byGeometry.size + 1;
      byGeometry.set(geometry, number);
      byKey.set(grid.key, number);
    }
    return number;
  };
}

/** Rule 1. */
function nameGroups(groups: readonly Group[], problems: string[]): [string, Group][] {
  const bySize = [...groups].sort((a, b) => b.fields.length - a.fields.length); // stable: the file's order among equals
  const first = new Map<string, Group>();
  const names = new Map<string, Group>();
  for (const group of bySize) {
    const { shortName } = group.parameter;
    const largest = first.get(shortName);
    if (!largest) first.set(shortName, group);
    const suffixes = largest
      ? Object.entries(group.traits).filter(([trait, value]) => value && largest.traits[trait] !== value)
      : [];
    const base = [shortName, ...suffixes.map(([, value]) => value)].join("_");
    let name = base;
    for (let n = 2; names.has(name); n++) name = `${base}_${n}`;
    names.set(name, group);
    if (largest)
      problems.push(
        `'${shortName}' comes in groups that do not fit one variable; ${group.fields.length} fields are '${name}'`,
      );
  }
  return [...names];
}

const ascending = (values: Iterable<number>): number[] => [...new Set(values)].sort((a, b) => a - b);

function toCube(name: string, { fields, parameter }: Group, problems: string[]): Cube {
  const sample = fields[0];
  const places = fields.map(placeOf);
  const times = timePlaces(fields, places);
  const columns: { dim: string; of: number[]; keep: (values: number[]) => boolean }[] = [
    { dim: "member", of: places.map((place) => place[0]), keep: (values) => values.length > 1 },
    { dim: "time", of: times.time, keep: () => true },
    { dim: "lead_time", of: times.lead, keep: (values) => values.length > 1 || values[0] !== 0 },
    {
      dim: "level",
      of: places.map((place) => place[1]),
      keep: (values) => values.length > 1 || ALWAYS_LEVEL.has(verticalOf(sample.level).type),
    },
    ...EXTRA_AXES.map((dim, i) => ({
      dim,
      of: places.map((place) => place[2 + i]),
      keep: (values: number[]) => values.length > 1,
    })),
  ];
  const kept = columns
    .map((column) => ({ ...column, values: ascending(column.of) }))
    .filter((column) => column.keep(column.values));
  const size = kept.reduce((product, { values }) => product * values.length, 1);
  if (size > 100 * fields.length + 10_000) {
    // A cube this hollow is no cube: its fields stay in the order of the file along `time`.
    problems.push(
      `'${name}' has ${fields.length} fields scattered over ${size} places; they are numbered along 'message'`,
    );
    const axes = [{ dim: "message", values: fields.map((_, i) => i) }];
    return { name, parameter, axes, fields, sample, validTime: times.valid };
  }
  const index = kept.map(({ values }) => new Map(values.map((value, i) => [value, i])));
  const cells = new Array<GribField | undefined>(size).fill(undefined);
  let repeated = 0;
  fields.forEach((field, i) => {
    const at = kept.reduce((sum, { of, values }, axis) => sum * values.length + index[axis].get(of[i])!, 0);
    if (cells[at]) repeated++;
    else cells[at] = field;
  });
  const empty = size - fields.length + repeated;
  if (repeated) problems.push(`${repeated} fields of '${name}' repeat the place of another; the first of each is kept`);
  if (empty) problems.push(`'${name}' lacks ${empty} of ${size} fields; they read as missing`);
  const axes = kept.map(({ dim, values }) => ({ dim, values }));
  return { name, parameter, axes, fields: cells, sample, validTime: times.valid };
}

/** Rule 2: of each field its `time` in milliseconds and its lead in hours. */
function timePlaces(
  fields: readonly GribField[],
  places: readonly number[][],
): { time: number[]; lead: number[]; valid: boolean } {
  const time = fields.map((field) => field.time);
  const lead = fields.map((field) => field.step.end / HOUR);
  const pairs = new Set(fields.map((_, i) => `${time[i]}|${lead[i]}`));
  if (pairs.size < new Set(time).size * new Set(lead).size) {
    const validity = fields.map((field) => field.time + field.step.end);
    const unique = new Set(fields.map((_, i) => [validity[i], ...places[i]].join()));
    if (unique.size === fields.length) return { time: validity, lead: fields.map(() => 0), valid: true };
  }
  return { time, lead, valid: false };
}
