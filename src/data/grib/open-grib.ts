/**
 * A GRIB file as a `Dataset`: headers are read once, values only when asked for, message by message.
 *
 *     const source = await openFileSource("gfs.grib2");       // ../byte-source.node.ts; or memorySource(bytes)
 *     const dataset = await openGrib(source, "gfs.grib2");
 *     const t850 = await variable(dataset, "t").read({ time: 0, level: 3 });
 *
 * Variables have ECMWF's short names; `cubes.ts` has the rules by which fields become variables. What does not fit or
 * could not be read is listed, a sentence each, in the dataset's attribute `problems`.
 */
import { DataError } from "../../errors.js";
import { type NdArray, sizeOf, toNumbers } from "../../tensor/ndarray.js";
import {
  type Attributes,
  type Dataset,
  memoryDataset,
  type MemoryVariable,
  resolveSelection,
  select,
  type Selection,
  type Variable,
} from "../dataset.js";
import { coordinatesKind, type GridCoordinates, gridCoordinates } from "./coordinates.js";
import { type Cube, type CubeAxis, gatherCubes, verticalOf } from "./cubes.js";
import { decodeField, gridOrder, MAX_POINTS } from "./decode.js";
import type { GribField, Packing } from "./field.js";
import { fingerprint, type Grid, gridShape } from "./grid.js";
import { GribError } from "./octets.js";
import { describe, indexGrib } from "./scan.js";
import type { ByteSource } from "../byte-source.js";

export interface OpenGribOptions {
  /** A field of more points is refused rather than allocated. */
  readonly maxPoints?: number;
  /** Called by `close`, to close the source with the dataset. */
  readonly onClose?: () => Promise<void>;
}

/**
 * Opens a GRIB source of either edition. Throws DataError where no message can be read; single damaged messages are left
 * out and listed in `attrs.problems`.
 */
export async function openGrib(source: ByteSource, path: string, options: OpenGribOptions = {}): Promise<Dataset> {
  const { maxPoints = MAX_POINTS, onClose = async () => {} } = options;
  const index = await indexGrib(source, path);
  if (!index.fields.length) throw new DataError(path, index.problems[0]?.message ?? "there is no GRIB message in it");
  const problems = index.problems.map(({ message }) => message);
  const cubes = gatherCubes(index.fields, problems);
  const coordinates: Coordinates = { path, axes: {}, lazy: [] };
  const nameOf = namer();
  const horizontal = new Map<string, Horizontal>();
  const read = fieldReader(source, path, maxPoints);
  const variables = cubes.map((cube): Variable => {
    const { grid } = cube.sample;
    let place = horizontal.get(grid.key);
    if (!place) {
      place = placeGrid(grid, maxPoints, nameOf, coordinates, problems);
      horizontal.set(grid.key, place);
    }
    const outer = cube.axes.map((axis) => {
      const made = axisVariable(cube, axis);
      const name = nameOf(axis.dim, JSON.stringify([axis.values, made.attrs]));
      coordinates.axes[name] ??= { ...made, dims: [name] };
      return name;
    });
    return cubeVariable(cube, outer, place, read, path);
  });
  const held = memoryDataset(coordinates.axes, { source: path });
  const editions = [...new Set(index.fields.map(({ edition }) => edition))].sort();
  const centres = [...new Set(index.fields.map(({ centre }) => centre))];
  const dims: Record<string, number> = { ...held.dims };
  for (const { dims: names, shape } of variables) names.forEach((dim, i) => (dims[dim] = shape[i]));
  return {
    source: path,
    format: editions.map((edition) => `grib${edition}`).join("+"),
    dims,
    variables: new Map([
      ...[...variables, ...coordinates.lazy].map((v): [string, Variable] => [v.name, v]),
      ...held.variables,
    ]),
    attrs: { Conventions: "CF-1.10", GRIB_centre: centres, ...(problems.length && { problems }) },
    close: onClose,
  };
}

type Namer = (kind: string, identity: string) => string;

/** Names dimensions: the same identity gets the same name, others of that kind get a number. */
function namer(): Namer {
  const known = new Map<string, Map<string, number>>();
  return (kind, identity) => {
    const numbers = known.get(kind) ?? new Map<string, number>();
    known.set(kind, numbers);
    if (!numbers.has(identity)) numbers.set(identity, numbers.size + 1);
    const number = numbers.get(identity)!;
    return number === 1 ? kind : `${kind}_${number}`;
  };
}

/** Dimensions of a grid in the dataset, and the coordinates that vary over several of them. */
interface Horizontal {
  readonly dims: readonly string[];
  readonly shape: readonly number[];
  readonly attrs: Attributes;
}

const LATITUDE: Attributes = { units: "degrees_north", standard_name: "latitude" };
const LONGITUDE: Attributes = { units: "degrees_east", standard_name: "longitude" };
const float64 = (data: Float64Array, shape: readonly number[] = [data.length]): NdArray => ({
  dtype: "float64",
  shape,
  data,
});

/** No axis of a grid is longer; a longer one is a damaged header. */
const MAX_AXIS = 2 ** 22;

/** Names the dimensions of a grid and puts its latitudes and longitudes among the coordinates. */
function placeGrid(
  grid: Grid,
  maxPoints: number,
  nameOf: Namer,
  coordinates: Coordinates,
  problems: string[],
): Horizontal {
  const rows = gridShape(grid);
  const kind = coordinatesKind(grid);
  if (kind === "axes")
    try {
      if (Math.max(...rows!) > MAX_AXIS) throw new GribError(`an axis is longer than ${MAX_AXIS}`);
      const { latitude, longitude } = gridCoordinates(grid, { maxPoints });
      const dims = [nameOf("latitude", bytesKey(latitude)), nameOf("longitude", bytesKey(longitude))];
      coordinates.axes[dims[0]] = { dims: [dims[0]], data: float64(latitude), attrs: LATITUDE };
      coordinates.axes[dims[1]] = { dims: [dims[1]], data: float64(longitude), attrs: LONGITUDE };
      return { dims, shape: [latitude.length, longitude.length], attrs: {} };
    } catch (error) {
      problems.push(`fields on grid '${grid.type}' have no latitudes and longitudes: ${describe(error)}`);
    }
  const kinds = rows ? ["y", "x"] : [grid.kind === "spectral" ? "coefficient" : "values"];
  const dims = kinds.map((dim) => nameOf(dim, grid.key));
  const shape = rows ?? [grid.points];
  if (grid.kind === "other")
    problems.push(`fields on grid '${grid.type}' have no latitudes and longitudes: ${grid.reason}`);
  if (kind !== "points") return { dims, shape, attrs: {} };
  // Computed when first read: they are as large as a field.
  let points: GridCoordinates | undefined;
  const lazily = (part: "latitude" | "longitude", attrs: Attributes): Variable => {
    const of = { name: nameOf(part, grid.key), dims, shape };
    return {
      ...of,
      dtype: "float64",
      attrs,
      read: async (selection = {}) => {
        const axes = resolveSelection(of, selection, coordinates.path);
        try {
          points ??= gridCoordinates(grid, { maxPoints });
        } catch (cause) {
          throw new DataError(coordinates.path, `'${of.name}' cannot be computed: ${describe(cause)}`, { cause });
        }
        return select(float64(points[part], shape), axes);
      },
    };
  };
  const made = [lazily("latitude", LATITUDE), lazily("longitude", LONGITUDE)];
  coordinates.lazy.push(...made);
  return { dims, shape, attrs: { coordinates: made.map(({ name }) => name).join(" ") } };
}

/** What is collected while variables are made. */
interface Coordinates {
  readonly path: string;
  readonly axes: Record<string, MemoryVariable>;
  readonly lazy: Variable[];
}

const bytesKey = (values: Float64Array): string =>
  fingerprint(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

/** The coordinate of an outer dimension. */
function axisVariable({ sample, validTime }: Cube, { dim, values }: CubeAxis): { data: NdArray; attrs: Attributes } {
  const data = float64(Float64Array.from(values));
  switch (dim) {
    case "time":
      return {
        data,
        attrs: {
          units: "milliseconds since 1970-01-01T00:00:00Z",
          calendar: "proleptic_gregorian",
          standard_name: "time",
          ...(validTime && { long_name: "time of validity" }),
        },
      };
    case "lead_time":
      return { data, attrs: { units: "hours", standard_name: "forecast_period" } };
    case "level": {
      const { type, units } = verticalOf(sample.level);
      const pressure = type.startsWith("isobaric");
      return {
        data,
        attrs: { units, GRIB_typeOfLevel: type, ...(pressure && { standard_name: "air_pressure", positive: "down" }) },
      };
    }
    case "member":
      return { data, attrs: { units: "1", standard_name: "realization" } };
    default:
      return { data, attrs: { units: "1" } };
  }
}

/** CF cell methods of the statistical processes that have one. */
const CELL_METHODS: Readonly<Record<string, string>> = {
  accum: "time: sum",
  avg: "time: mean",
  avgfc: "time: mean",
  avgd: "time: mean",
  avgua: "time: mean",
  max: "time: maximum",
  min: "time: minimum",
  sd: "time: standard_deviation",
};

function cubeVariable(
  cube: Cube,
  outer: readonly string[],
  place: Horizontal,
  read: FieldReader,
  path: string,
): Variable {
  const { name, parameter, sample } = cube;
  const { level, step } = sample;
  const dims = [...outer, ...place.dims];
  const outerShape = cube.axes.map(({ values }) => values.length);
  const shape = [...outerShape, ...place.shape];
  const dtype = cube.fields.every((field) => !field || float32Holds(field.packing)) ? "float32" : "float64";
  const { paramId, units, standardName, name: longName } = parameter;
  const method = CELL_METHODS[step.type];
  const attrs: Attributes = {
    ...(longName && { long_name: longName }),
    ...(units && { units }),
    ...(standardName && { standard_name: standardName }),
    ...(method && { cell_methods: method }),
    ...(paramId !== undefined && { GRIB_paramId: paramId }),
    GRIB_shortName: parameter.shortName,
    GRIB_typeOfLevel: verticalOf(level).type,
    ...(!cube.axes.some(({ dim }) => dim === "level") && { GRIB_level: level.value }),
    GRIB_stepType: step.type,
    ...intervalOf(cube),
    ...(sample.ensemble && !cube.axes.some(({ dim }) => dim === "member") && { GRIB_number: sample.ensemble.member }),
    GRIB_gridType: sample.grid.type,
    ...place.attrs,
  };
  const variable = { name, dims, shape, dtype, attrs, chunks: [...outerShape.map(() => 1), ...place.shape] } as const;
  return {
    ...variable,
    async read(selection: Selection = {}): Promise<NdArray> {
      const axes = resolveSelection(variable, selection, path);
      const picked = axes.slice(0, outer.length);
      const inner = axes.slice(outer.length);
      const whole = inner.every(({ indices, keep }, i) => keep && isWhole(indices, place.shape[i]));
      const fieldSize = sizeOf(inner.map(({ indices }) => indices.length));
      const counts = picked.map(({ indices }) => indices.length);
      const total = sizeOf(counts);
      const data = dtype === "float32" ? new Float32Array(total * fieldSize) : new Float64Array(total * fieldSize);
      for (let cell = 0; cell < total; cell++) {
        // The cell's row-major number over the picked indices, to its number over the whole cube.
        let at = 0;
        for (let axis = 0, rest = cell, size = total; axis < counts.length; axis++) {
          size /= counts[axis];
          at = at * outerShape[axis] + picked[axis].indices[Math.floor(rest / size)];
          rest %= size;
        }
        const field = cube.fields[at];
        const begin = cell * fieldSize;
        if (!field) data.fill(NaN, begin, begin + fieldSize);
        else
          await read(field, (values) => {
            const all: NdArray<"float64"> = { dtype: "float64", shape: place.shape, data: values };
            data.set(whole ? values : toNumbers(select(all, inner)), begin);
          });
      }
      const kept = axes.filter(({ keep }) => keep).map(({ indices }) => indices.length);
      return { dtype, shape: kept, data };
    },
  };
}

/** What `GRIB_interval` says where intervals begin with the run, so that they grow with the lead time. */
export const FROM_REFERENCE_TIME = "from the reference time";

/** How long the interval is over which the fields were computed, where one answer holds for all. */
function intervalOf({ fields }: Cube): Attributes {
  const steps = fields.flatMap((field) => (field ? [field.step] : []));
  const hours = new Set(steps.map(({ start, end }) => (end - start) / 3_600_000));
  if (hours.size === 1) return hours.has(0) ? {} : { GRIB_interval_hours: [...hours][0] };
  return { GRIB_interval: steps.every(({ start }) => start === 0) ? FROM_REFERENCE_TIME : "of several lengths" };
}

function isWhole(indices: ArrayLike<number>, length: number): boolean {
  if (indices.length !== length) return false;
  for (let i = 0; i < length; i++) if (indices[i] !== i) return false;
  return true;
}

/** Hands a field's values, in rows, to `use`, which must copy what it wants to keep. */
type FieldReader = (field: GribField, use: (values: Float64Array) => void) => Promise<void>;

/**
 * Decodes one field at a time into one array that all share; the last field is kept there, for reads that take a field
 * piece by piece. Reads that overlap wait for each other.
 */
function fieldReader(source: ByteSource, path: string, maxPoints: number): FieldReader {
  let held: { field: GribField; values: Float64Array } | undefined;
  let scratch: Float64Array = new Float64Array(0);
  let before: Promise<unknown> = Promise.resolve();
  const load = async (field: GribField): Promise<Float64Array> => {
    if (held?.field === field) return held.values;
    held = undefined; // what it holds is written over
    try {
      const values = await decodeField(source, field, { maxPoints, into: scratch });
      if (values.buffer !== scratch.buffer) scratch = values;
      held = { field, values: gridOrder(values, field.grid) };
      return held.values;
    } catch (cause) {
      throw new DataError(path, `GRIB message at byte ${field.message.offset}: ${describe(cause)}`, { cause });
    }
  };
  return (field, use) => {
    const turn = before.then(async () => use(await load(field)));
    before = turn.catch(() => {});
    return turn;
  };
}

/** Does float32 keep every packed value to half a packing step? 2^24 steps from zero it does. */
function float32Holds(packing: Packing): boolean {
  switch (packing.kind) {
    case "ieee":
      return packing.bits === 32;
    case "run-length":
      return true;
    case "second-order-1": // its width stands in the data
    case "log":
    case "spectral-simple":
    case "spectral-complex":
    case "refused":
      return false;
    default: {
      const { reference, binary } = packing.scaling;
      // Of differences the width says little; that of the first values tells how large the values are.
      const bits =
        packing.kind === "complex" && packing.order ? Math.max(packing.bits, 8 * packing.orderOctets) : packing.bits;
      return bits === 0 || Math.abs(reference) / binary + 2 ** bits <= 2 ** 24;
    }
  }
}
