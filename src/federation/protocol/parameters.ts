/** A model's named arrays as one flat vector and back, in the order of a layout both ends know. */
import { DataError, FoehnError } from "../../errors.js";
import { type NdArray, ndarray, sizeOf } from "../../tensor/ndarray.js";
import { decodeSafetensors, encodeSafetensors } from "../../tensor/safetensors.js";
import type { Vector } from "../aggregate/rows.js";
import type { Memory } from "../strategy/strategy.js";

export type Parameters = ReadonlyMap<string, NdArray<"float32">>;

/** Names and shapes, in order. */
export type Layout = readonly { readonly name: string; readonly shape: readonly number[] }[];

export const layoutOf = (params: Parameters): Layout =>
  [...params].map(([name, { shape }]) => ({ name, shape: [...shape] }));

export const layoutLength = (layout: Layout): number => layout.reduce((total, { shape }) => total + sizeOf(shape), 0);

/** [from, to) of each array in the flat vector. */
export function layoutSegments(layout: Layout): [number, number][] {
  let at = 0;
  return layout.map(({ shape }) => [at, (at += sizeOf(shape))]);
}

/** All arrays behind one another; FoehnError names the first that does not fit the layout. */
export function flatten(params: Parameters, layout: Layout): Float32Array {
  const out = new Float32Array(layoutLength(layout));
  let at = 0;
  for (const { name, shape } of layout) {
    const array = params.get(name);
    if (!array || array.shape.join() !== shape.join())
      throw new FoehnError(
        `the model should have '${name}' of shape [${shape.join(", ")}], but ${array ? `has it as [${array.shape.join(", ")}]` : "lacks it"}; use the model of the hub`,
      );
    out.set(array.data, at);
    at += array.data.length;
  }
  return out;
}

/** As `flatten`, with the numbers of `base` where an array is absent. */
export function flattenOnto(params: Parameters, layout: Layout, base: Float32Array): Float32Array {
  if (layout.every(({ name }) => params.has(name))) return flatten(params, layout);
  return flatten(new Map([...unflatten(base, layout), ...params]), layout);
}

/** Views into the flat vector, by name. */
export function unflatten(vector: Float32Array, layout: Layout): Parameters {
  const segments = layoutSegments(layout);
  return new Map(
    layout.map(({ name, shape }, i) => [name, ndarray("float32", shape, vector.subarray(...segments[i]))] as const),
  );
}

/** Named vectors to bytes and back (safetensors), for what hub and sites keep. */
export const encodeMemory = (memory: ReadonlyMap<string, Vector>): Uint8Array =>
  encodeSafetensors(
    [...memory].map(([name, data]) => {
      const dtype = data instanceof Float64Array ? "float64" : "float32";
      return [name, { dtype, shape: [data.length], data }] as const;
    }),
  );

export function decodeMemory(bytes: Uint8Array, source: string): Memory {
  const memory: Memory = new Map();
  for (const [name, { data, dtype }] of decodeSafetensors(bytes, source).tensors) {
    if (dtype !== "float32" && dtype !== "float64")
      throw new DataError(source, `'${name}' has type ${dtype}, not float32 or float64; it was not written by Foehn`);
    memory.set(name, data as Vector);
  }
  return memory;
}

/** [from, to) of the arrays whose names begin with one of `prefixes`. */
export const personalSegments = (layout: Layout, prefixes: readonly string[]): [number, number][] =>
  layoutSegments(layout).filter((_, i) => prefixes.some((prefix) => layout[i].name.startsWith(prefix)));

/** `vector` with the numbers of the segments taken from `other`. */
export function withSegments(
  vector: Float32Array,
  segments: readonly (readonly [number, number])[],
  other: Float32Array,
): Float32Array {
  const out = vector.slice();
  for (const [from, to] of segments) out.set(other.subarray(from, to), from);
  return out;
}
