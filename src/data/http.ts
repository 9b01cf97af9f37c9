/**
 * Data over HTTP: whole objects and byte ranges, with a time limit, retries that wait longer each time, and a check that
 * what came is as long as was said. Works wherever `fetch` is.
 */
import { DataError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import type { ZarrStore } from "./zarr.js";

export interface HttpOptions {
  /** Milliseconds a request may take. */
  readonly timeout?: number;
  /** How often a failed request is tried again. */
  readonly retries?: number;
  /** Milliseconds before the first retry; doubled each time. */
  readonly wait?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers worth another try. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
const ABSENT = new Set([403, 404, 410]);

/** One object or range of it; undefined where there is none. */
export async function fetchBytes(
  url: string,
  options: HttpOptions & { range?: string; method?: "GET" | "HEAD" } = {},
): Promise<{ bytes: Uint8Array; headers: Headers } | undefined> {
  const { timeout = 30_000, retries = 4, wait = 250, headers = {}, range, method = "GET" } = options;
  let reason: unknown;
  for (let attempt = 0; attempt <= retries; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, wait * 2 ** (attempt - 1)));
    try {
      const response = await fetch(url, {
        method,
        headers: { ...headers, ...(range ? { Range: range } : {}) },
        signal: AbortSignal.timeout(timeout),
      });
      if (ABSENT.has(response.status)) return undefined;
      if (response.ok) {
        const bytes = new Uint8Array(await response.arrayBuffer());
        const said = response.headers.get("content-length");
        const isPlain = !response.headers.get("content-encoding");
        if (method === "GET" && isPlain && said !== null && Number(said) !== bytes.length)
          throw new Error(`${bytes.length} of ${said} bytes came`);
        if (range && response.status !== 206) throw new UnrangedError();
        return { bytes, headers: response.headers };
      }
      reason = `the server answers ${response.status} ${response.statusText}`;
      if (!PASSING.has(response.status)) break;
    } catch (error) {
      if (error instanceof UnrangedError)
        throw new DataError(url, "the server does not give byte ranges; download the file and open the copy");
      reason = error;
    }
  }
  const text =
    reason instanceof Error
      ? reason.name === "TimeoutError"
        ? `no answer within ${timeout} ms`
        : reason.message
      : String(reason);
  throw new DataError(url, `it cannot be fetched: ${text}; check the address and the network`, { cause: reason });
}

class UnrangedError extends Error {}

/** A Zarr hierarchy below an address. */
export function httpStore(root: string, options: HttpOptions = {}): ZarrStore {
  const base = root.replace(/\/+$/, "");
  return {
    get: async (key) => (await fetchBytes(base + encodeURI(key), options))?.bytes,
    async getRange(key, range) {
      const bytes = "offset" in range ? `${range.offset}-${range.offset + range.length - 1}` : `-${range.suffixLength}`;
      return (await fetchBytes(base + encodeURI(key), { ...options, range: `bytes=${bytes}` }))?.bytes;
    },
  };
}

/** A file at an address, read by ranges. */
export async function httpSource(url: string, options: HttpOptions = {}): Promise<ByteSource> {
  const head = await fetchBytes(url, { ...options, method: "HEAD" });
  if (!head) throw new DataError(url, "there is no such file on the server; check the address");
  const size = Number(head.headers.get("content-length"));
  if (!Number.isSafeInteger(size) || size <= 0)
    throw new DataError(url, "the server does not say how long the file is; download it and open the copy");
  return {
    size,
    async read(offset, length) {
      const end = Math.min(size, offset + length);
      if (end <= offset) return new Uint8Array(0);
      const answer = await fetchBytes(url, { ...options, range: `bytes=${offset}-${end - 1}` });
      if (!answer) throw new DataError(url, "the file vanished from the server while it was read; open it again");
      return answer.bytes;
    },
  };
}
