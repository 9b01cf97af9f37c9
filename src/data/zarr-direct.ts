/**
 * The short way for chunks that lie plainly: little-endian numbers in rows, as they are or compressed by zstd or Blosc alone. They are
 * decoded where the reader wants them, with no array between; zarrita takes every other chunk.
 */
import { decodeBlosc } from "./compression/blosc.js";
import { decodeZstd } from "./compression/zstd.js";

/** Decodes a chunk into `into`, which it fills to the last byte; false where the chunk must go the long way. */
export type DirectChunks = (coordinates: readonly number[], into: Uint8Array) => Promise<boolean>;

type Codec = "none" | "zstd" | "blosc";

const DECODERS: Readonly<Record<Codec, (bytes: Uint8Array, into: Uint8Array) => Promise<Uint8Array>>> = {
  none: async (bytes) => bytes,
  zstd: decodeZstd,
  blosc: decodeBlosc,
};
const codecOf = (name: unknown): Codec | undefined => (name === "zstd" || name === "blosc" ? name : undefined);

type Json = Readonly<Record<string, unknown>>;

/** The short way into an array with these metadata; undefined where its chunks are not as plain as that. */
export function directChunks(
  meta: Json,
  format: 2 | 3,
  get: (key: string) => Promise<Uint8Array | undefined>,
): DirectChunks | undefined {
  const codec = format === 2 ? codecV2(meta) : codecV3(meta);
  const keyOf = format === 2 ? keysV2(meta) : keysV3(meta);
  if (codec === undefined || !keyOf) return undefined;
  return async (coordinates, into) => {
    const bytes = await get(keyOf(coordinates));
    // absent chunks are the fill value, damaged ones an error: the long way knows both
    if (!bytes) return false;
    const out = await DECODERS[codec](bytes, into).catch(() => undefined);
    if (out?.length !== into.length) return false;
    if (out.buffer !== into.buffer) into.set(out);
    return true;
  };
}

/** Types whose bytes are the numbers': little-endian, or of one byte. */
const PLAIN_V2 = /^(<[iuf][248]|\|[iu]1)$/;
const PLAIN_V3 = /^(u?int(8|16|32|64)|float(32|64))$/;

function codecV2({ dtype, order, filters, compressor }: Json): Codec | undefined {
  const plain = typeof dtype === "string" && PLAIN_V2.test(dtype) && order === "C";
  if (!plain || (Array.isArray(filters) && filters.length > 0)) return undefined;
  if (!compressor) return "none";
  return codecOf((compressor as Json)["id"]);
}

function codecV3({ data_type: type, codecs }: Json): Codec | undefined {
  if (typeof type !== "string" || !PLAIN_V3.test(type) || !Array.isArray(codecs)) return undefined;
  const [first, second, ...more] = codecs as { name?: unknown; configuration?: Json }[];
  const little = first?.name === "bytes" && (first.configuration?.["endian"] ?? "little") === "little";
  if (!little || more.length > 0) return undefined;
  if (!second) return "none";
  return codecOf(second.name);
}

type Keys = (coordinates: readonly number[]) => string;

const keysV2 = (meta: Json): Keys => {
  const separator = typeof meta["dimension_separator"] === "string" ? meta["dimension_separator"] : ".";
  return (coordinates) => coordinates.join(separator) || "0";
};

function keysV3({ chunk_key_encoding: encoding }: Json): Keys | undefined {
  const { name, configuration } = (encoding ?? {}) as { name?: unknown; configuration?: Json };
  const separator = configuration?.["separator"];
  if (separator !== undefined && typeof separator !== "string") return undefined;
  if (name === "default") return (coordinates) => ["c", ...coordinates].join(separator ?? "/");
  return name === "v2" ? (coordinates) => coordinates.join(separator ?? ".") || "0" : undefined;
}
