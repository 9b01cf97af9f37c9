/**
 * The messages of GRIB files on servers that an index picks out, as one source of bytes: a message is fetched when it is
 * first looked into, and the last ones are kept.
 */
import { DataError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import { parseSidecar, type SidecarEntry } from "./grib/sidecar.js";
import { type ByteCache, fetchBytes, type HttpOptions, httpSource } from "./http.js";

interface Segment {
  readonly url: string;
  readonly offset: number;
  readonly length: number;
  /** Where it begins in the source. */
  readonly start: number;
}

/** Messages kept in memory. */
const KEPT_BYTES = 64 * 2 ** 20;

/** The chosen messages of all files, one after another. */
export async function remoteMessages(
  files: readonly { readonly url: string; readonly index: string }[],
  chosen: (entry: SidecarEntry) => boolean,
  options: HttpOptions = {},
): Promise<ByteSource> {
  const segments: Segment[] = [];
  let size = 0;
  const seen = new Set<string>();
  for (const { url, index } of files) {
    const answer = await fetchBytes(index, { ...options, cache: undefined });
    if (!answer) throw new DataError(index, "there is no such index on the server; check the run and the step");
    const entries = parseSidecar(new TextDecoder().decode(answer.bytes), index);
    for (const { parameter, level } of entries) seen.add(`${parameter}:${level}`);
    const taken = new Set<number>();
    for (const entry of entries.filter(chosen)) {
      if (taken.has(entry.offset)) continue;
      taken.add(entry.offset);
      // the last message of an inventory runs to the end of the file
      const length = entry.length ?? (await httpSource(url, options)).size - entry.offset;
      segments.push({ url, offset: entry.offset, length, start: size });
      size += length;
    }
  }
  if (segments.length === 0)
    throw new DataError(
      files[0]?.index ?? "the index",
      `no message is what was asked for; there are ${[...seen].slice(0, 12).join(", ")}${seen.size > 12 ? ` and ${seen.size - 12} more` : ""}`,
    );
  const kept = new Map<Segment, Promise<Uint8Array>>();
  let keptBytes = 0;

  function fetchSegment(segment: Segment): Promise<Uint8Array> {
    const found = kept.get(segment);
    if (found) {
      kept.delete(segment);
      kept.set(segment, found);
      return found;
    }
    const loading = load(segment, options);
    kept.set(segment, loading);
    loading.catch(() => kept.delete(segment));
    keptBytes += segment.length;
    for (const oldest of kept.keys()) {
      if (keptBytes <= KEPT_BYTES || oldest === segment) break;
      kept.delete(oldest);
      keptBytes -= oldest.length;
    }
    return loading;
  }

  return {
    size,
    async read(offset, length) {
      const end = Math.min(size, offset + length);
      if (end <= offset) return new Uint8Array(0);
      let first = 0;
      let last = segments.length - 1;
      while (first < last) {
        const middle = (first + last + 1) >> 1;
        if (segments[middle].start <= offset) first = middle;
        else last = middle - 1;
      }
      const out = new Uint8Array(end - offset);
      for (let s = first; s < segments.length && segments[s].start < end; s++) {
        const { start } = segments[s];
        const bytes = await fetchSegment(segments[s]);
        const from = Math.max(offset, start);
        out.set(bytes.subarray(from - start, Math.min(end, start + bytes.length) - start), from - offset);
      }
      return out;
    },
  };
}

async function load({ url, offset, length }: Segment, options: HttpOptions): Promise<Uint8Array> {
  const cache: ByteCache | undefined = options.cache;
  const range = `bytes=${offset}-${offset + length - 1}`;
  const key = `${url} ${range}`;
  const known = await cache?.get(key);
  if (known) return known;
  const answer = await fetchBytes(url, { ...options, range });
  if (!answer)
    throw new DataError(url, "the file is not on the server, though its index is; check the run and the step");
  if (answer.bytes.length !== length || String.fromCharCode(...answer.bytes.subarray(0, 4)) !== "GRIB")
    throw new DataError(
      url,
      `at offset ${offset} there is no message of ${length} bytes; the index is of another file`,
    );
  await cache?.put(key, answer.bytes).catch(() => {});
  return answer.bytes;
}
