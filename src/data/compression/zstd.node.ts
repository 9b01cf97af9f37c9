/**
 * Zstd as fast as this machine allows: the system's library where there is one (`zstd-system.node.ts`), else Node's own
 * decoder (from 22.15 on), else WebAssembly, on threads of its own once much is decoded (a thread's start costs as much as
 * decoding some megabytes).
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import zlib from "node:zlib";
import { decodeInline, placed, setZstdDecoder, type ZstdDecoder } from "./zstd.js";
import { systemZstd } from "./zstd-system.node.js";

type NativeZstd = (
  bytes: Uint8Array,
  options: { maxOutputLength: number; chunkSize: number },
  done: (error: Error | null, out: Uint8Array) => void,
) => void;

const nodeZstd = (zlib as unknown as { zstdDecompress?: NativeZstd }).zstdDecompress;

/** Decoded bytes before threads are started. */
const WARM_BYTES = 24 * 2 ** 20;
/** Chunks smaller than this stay on the calling thread: handing over costs more than decoding. */
const SMALL_BYTES = 128 * 2 ** 10;
const MOST_THREADS = 4;

/** Tests run the sources, whose worker is the built file. */
const workerFile = new URL(
  import.meta.url
    .replace("/src/data/compression/", "/dist/data/compression/")
    .replace(/zstd\.node\.(ts|js)$/, "zstd-worker.node.js"),
);

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve: (out: Uint8Array) => void; reject: (error: Error) => void }>;
}
let threads: Thread[] = [];
let sent = 0;
let decoded = 0;

export interface ZstdRequest {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly bound: number;
}
export interface ZstdReply {
  readonly id: number;
  readonly out?: Uint8Array;
  readonly error?: string;
}

function start(): Thread {
  const thread: Thread = { worker: new Worker(workerFile), waiting: new Map() };
  const fail = (error: Error): void => {
    threads = threads.filter((other) => other !== thread);
    for (const { reject } of thread.waiting.values()) reject(error);
    thread.waiting.clear();
  };
  thread.worker.on("message", ({ id, out, error }: ZstdReply) => {
    const request = thread.waiting.get(id);
    thread.waiting.delete(id);
    if (thread.waiting.size === 0) thread.worker.unref();
    if (out) request?.resolve(out);
    else request?.reject(new Error(error));
  });
  thread.worker.on("error", fail);
  thread.worker.on("exit", () => fail(new Error("the decoding thread ended")));
  thread.worker.unref();
  return thread;
}

function decodeOnThread(bytes: Uint8Array, bound: number): Promise<Uint8Array> {
  const most = Math.min(MOST_THREADS, availableParallelism());
  if (threads.length < most && threads.every(({ waiting }) => waiting.size > 0)) threads.push(start());
  const thread = threads.reduce((least, each) => (each.waiting.size < least.waiting.size ? each : least));
  return new Promise((resolve, reject) => {
    const id = sent++;
    thread.waiting.set(id, { resolve, reject });
    // a thread at work keeps the process alive, an idle one does not
    thread.worker.ref();
    thread.worker.postMessage({ id, bytes, bound } satisfies ZstdRequest);
  });
}

/** Node's own, in one piece: pieces of 16 KiB, its default, take three times as long. */
const decodeNative =
  (decompress: NativeZstd): ZstdDecoder =>
  (bytes, bound, into) =>
    new Promise((resolve, reject) => {
      const most = Math.max(64, bound);
      decompress(bytes, { maxOutputLength: most, chunkSize: most }, (error, out) =>
        error ? reject(error) : resolve(placed(out, into)),
      );
    });

/** WebAssembly, on threads once much is decoded. */
const decodeWasm: ZstdDecoder = async (bytes, bound, into) => {
  decoded += bound;
  return decoded < WARM_BYTES || bound < SMALL_BYTES || availableParallelism() < 2
    ? decodeInline(bytes, bound, into)
    : placed(await decodeOnThread(bytes, bound), into);
};

/** What this machine has, the fastest first. */
export const zstdDecoders: readonly { readonly name: string; readonly decode: ZstdDecoder }[] = [
  { name: "the system's library", decode: systemZstd() },
  { name: "Node's own", decode: nodeZstd && decodeNative(nodeZstd) },
  { name: "WebAssembly", decode: decodeWasm },
].flatMap(({ name, decode }) => (decode ? [{ name, decode }] : []));

setZstdDecoder(zstdDecoders[0].decode);
