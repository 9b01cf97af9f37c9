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
  /** Keeps chunks of data and ranges of files; metadata are always asked for anew. */
  readonly cache?: ByteCache;
}

/** What is kept of the network's answers; `get` gives only what is whole. */
export interface ByteCache {
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, bytes: Uint8Array): Promise<void>;
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
  let asked = 0;
  for (let attempt = 0; attempt <= retries; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, Math.max(asked, wait * 2 ** (attempt - 1))));
    asked = 0;
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
        if (range) checkRange(range, response.headers.get("content-range"), bytes.length);
        return { bytes, headers: response.headers };
      }
      reason = `the server answers ${response.status} ${response.statusText}`;
      // a server may say how many seconds to wait; half a minute at most is waited
      asked = Math.min(30_000, 1000 * (Number(response.headers.get("retry-after")) || 0));
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

/** A partial answer holds what was asked for, up to the end of the file; else it is asked for again. */
function checkRange(range: string, said: string | null, length: number): void {
  const wanted = /^bytes=(\d+)-(\d+)$/.exec(range);
  const given = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(said ?? "");
  if (!wanted || !given) return;
  const end = given[3] === "*" ? Infinity : Number(given[3]) - 1;
  const expected = Math.min(Number(wanted[2]), end) - Number(wanted[1]) + 1;
  if (given[1] !== wanted[1] || length !== expected)
    throw new Error(`${length} bytes from ${given[1]} came where ${expected} from ${wanted[1]} were asked for`);
}

/** Through the cache where there is one; what is not there is not remembered. */
async function cached(
  cache: ByteCache | undefined,
  key: string,
  load: () => Promise<Uint8Array | undefined>,
): Promise<Uint8Array | undefined> {
  const kept = await cache?.get(key);
  if (kept) return kept;
  const bytes = await load();
  // a cache that cannot be written (a full disk) is no reason to fail
  if (bytes) await cache?.put(key, bytes).catch(() => {});
  return bytes;
}

const METADATA = /(?:^|\/)(?:zarr\.json|\.z(?:metadata|array|attrs|group))$/;

/** A Zarr hierarchy below an address. */
export function httpStore(root: string, options: HttpOptions = {}): ZarrStore {
  const base = root.replace(/\/+$/, "");
  return {
    get: (key) => {
      const url = base + encodeURI(key);
      const cache = METADATA.test(key) ? undefined : options.cache;
      return cached(cache, url, async () => (await fetchBytes(url, options))?.bytes);
    },
    async getRange(key, range) {
      const bytes = "offset" in range ? `${range.offset}-${range.offset + range.length - 1}` : `-${range.suffixLength}`;
      const url = base + encodeURI(key);
      const load = async (): Promise<Uint8Array | undefined> =>
        (await fetchBytes(url, { ...options, range: `bytes=${bytes}` }))?.bytes;
      return cached(options.cache, `${url} ${bytes}`, load);
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
  // a file that changed is another file
  const version = head.headers.get("etag") ?? head.headers.get("last-modified") ?? String(size);
  return {
    size,
    async read(offset, length) {
      const end = Math.min(size, offset + length);
      if (end <= offset) return new Uint8Array(0);
      const range = `bytes=${offset}-${end - 1}`;
      const bytes = await cached(options.cache, `${url} ${version} ${range}`, async () => {
        return (await fetchBytes(url, { ...options, range }))?.bytes;
      });
      if (!bytes) throw new DataError(url, "the file vanished from the server while it was read; open it again");
      return bytes;
    },
  };
}
