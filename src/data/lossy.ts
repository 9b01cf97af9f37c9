/**
 * Smaller files for a stated loss.
 *
 * - Bit rounding: the mantissa is rounded to so many bits, to nearest, ties to even (Klöwer et al. 2021, Nature
 *   Computational Science 1, "round-to-nearest"); the rest is zeros, which compress away. |error| <= 2^-(bits+1) |value|.
 * - Linear quantisation: integers with CF's scale_factor and add_offset, the step chosen from a bound of the absolute
 *   error; every reader of CF decodes them. |error| <= bound.
 *
 *     const { dataset: smaller, reports } = await lossy(dataset, { t2m: { error: 0.01 }, q: { bits: 9 } });
 *     await writeZarr(smaller, "small.zarr");
 *     reports[0].worst; // of what was written, after it was
 */
import { DataError, UsageError } from "../errors.js";
import { type NdArray, toNumbers, TYPED_ARRAYS } from "../tensor/ndarray.js";
import { asArray } from "./blocks.js";
import { type Dataset, variable, type Variable } from "./dataset.js";
import { chunkShape, pieces } from "./template.js";
import { mappedVariable, withVariables } from "./views.js";

/** Mantissa bits to keep (of 23 or 52), or the largest absolute error, in the variable's units. */
export type Loss = { readonly bits: number } | { readonly error: number };

export interface LossReport {
  readonly variable: string;
  /** What is promised: a share of each value, or an amount in the variable's units. */
  readonly bound: { readonly kind: "relative" | "absolute"; readonly value: number };
  /** The largest error of the values written so far, as the bound counts it. */
  worst: number;
  /** How the values lie: `float32` with bits, or an integer type. */
  readonly stored: string;
}

const MANTISSA = { float32: 23, float64: 52 } as const;
const PIECE_VALUES = 2 ** 21;

/** The dataset with some variables made lossy; their reports fill as they are read. */
export async function lossy(
  dataset: Dataset,
  losses: Readonly<Record<string, Loss>>,
): Promise<{ dataset: Dataset; reports: LossReport[] }> {
  const reports: LossReport[] = [];
  const changed = new Map<string, Variable>();
  for (const [name, loss] of Object.entries(losses)) {
    const v = variable(dataset, name);
    if (v.readStrings || !(v.dtype === "float32" || v.dtype === "float64"))
      throw new DataError(
        dataset.source,
        `'${name}' is ${v.readStrings ? "text" : v.dtype}; only floating-point variables are rounded`,
      );
    const [other, report] = "bits" in loss ? bitRounded(v, loss.bits) : await quantised(v, loss.error, dataset.source);
    changed.set(name, other);
    reports.push(report);
  }
  const variables = [...dataset.variables.values()].map((v) => changed.get(v.name) ?? v);
  return { dataset: withVariables(dataset, variables), reports };
}

/** Values with all but `bits` of their mantissas zero; NaN and infinities stay. */
export function roundBits<T extends Float32Array | Float64Array>(values: T, bits: number): T {
  const out = values.slice() as T;
  if (out instanceof Float32Array) {
    const words = new Uint32Array(out.buffer);
    const drop = 23 - bits;
    if (drop <= 0) return out;
    const half = 2 ** (drop - 1) - 1;
    const mask = ~(2 ** drop - 1);
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      if ((word & 0x7f800000) === 0x7f800000) continue;
      // to nearest, ties to even: half less one, and one more where the last bit kept is 1
      words[i] = (word + half + ((word >>> drop) & 1)) & mask;
    }
    return out;
  }
  const words = new BigUint64Array(out.buffer);
  const drop = BigInt(52 - bits);
  if (drop <= 0n) return out;
  const half = (1n << (drop - 1n)) - 1n;
  const mask = ~((1n << drop) - 1n);
  for (let i = 0; i < words.length; i++)
    if (Number.isFinite(out[i])) words[i] = BigInt.asUintN(64, (words[i] + half + ((words[i] >> drop) & 1n)) & mask);
  return out;
}

function bitRounded(v: Variable, bits: number): [Variable, LossReport] {
  const most = MANTISSA[v.dtype as "float32"];
  if (!Number.isInteger(bits) || bits < 1 || bits > most)
    throw new UsageError(`'${v.name}' keeps 1 to ${most} bits of its mantissa, not ${bits}`);
  const report: LossReport = {
    variable: v.name,
    bound: { kind: "relative", value: 2 ** -(bits + 1) },
    worst: 0,
    stored: `${v.dtype}, ${bits} bits of mantissa`,
  };
  const round = (array: NdArray): NdArray => {
    const given = array.data as Float32Array;
    const out = roundBits(given, bits);
    for (let i = 0; i < out.length; i++) {
      const share = Math.abs(out[i] - given[i]) / Math.abs(given[i]);
      if (share > report.worst) report.worst = share;
    }
    return asArray(array.dtype, array.shape, out);
  };
  return [mappedVariable(v, round), report];
}

/** The integers linear quantisation uses, with the code that stands for missing. */
const INTEGERS = [
  { dtype: "uint8", most: 254, missing: 255, low: 0 },
  { dtype: "int16", most: 65534, missing: -32768, low: -32767 },
  { dtype: "int32", most: 2 ** 32 - 2, missing: -(2 ** 31), low: -(2 ** 31) + 1 },
] as const;

async function quantised(v: Variable, error: number, source: string): Promise<[Variable, LossReport]> {
  if (!(error > 0)) throw new UsageError(`the error allowed of '${v.name}' is ${error}; it must be above 0`);
  const { min, max } = await rangeOf(v);
  if (min > max) throw new DataError(source, `every value of '${v.name}' is missing, so there is no range to quantise`);
  // readers decode 16 bits and fewer to float32, whose own rounding is part of the error
  const slack = Math.max(Math.abs(min), Math.abs(max)) * 2 ** -24;
  const step = 2 * (error - slack);
  if (step <= 0)
    throw new UsageError(
      `an error of ${error} is less than float32 has of values up to ${Math.max(Math.abs(min), Math.abs(max))} in '${v.name}'; allow more than ${slack.toPrecision(2)}`,
    );
  const levels = Math.ceil((max - min) / step);
  const kind = INTEGERS.find(({ most }) => levels <= most);
  if (!kind)
    throw new UsageError(`'${v.name}' would need ${levels} levels for an error of ${error}, more than 32 bits hold`);
  const { dtype, missing, low } = kind;
  const offset = min - low * step;
  const report: LossReport = {
    variable: v.name,
    bound: { kind: "absolute", value: error },
    worst: 0,
    stored: dtype,
  };
  const encode = (array: NdArray): NdArray => {
    const given = toNumbers(array);
    const out = new TYPED_ARRAYS[dtype](given.length);
    for (let i = 0; i < out.length; i++) {
      const x = given[i];
      if (!Number.isFinite(x)) {
        out[i] = missing;
        continue;
      }
      out[i] = Math.round((x - offset) / step);
      const miss = Math.abs(Math.fround(out[i] * step + offset) - x);
      if (miss > report.worst) report.worst = miss;
    }
    return asArray(dtype, array.shape, out);
  };
  const attrs = { ...v.attrs, scale_factor: step, add_offset: offset, _FillValue: missing };
  return [mappedVariable(v, encode, { dtype, attrs }), report];
}

/** The smallest and largest value, in one pass over pieces. */
async function rangeOf(v: Variable): Promise<{ min: number; max: number }> {
  const lengths = Object.fromEntries(v.dims.map((dim, axis) => [dim, v.shape[axis]]));
  let [min, max] = [Infinity, -Infinity];
  for (const piece of pieces(v, v.chunks ?? chunkShape(v, lengths), PIECE_VALUES)) {
    const values = toNumbers(await v.read(piece));
    for (let i = 0; i < values.length; i++) {
      const x = values[i];
      if (x < min && x !== -Infinity) min = x;
      if (x > max && x !== Infinity) max = x;
    }
  }
  return { min, max };
}
