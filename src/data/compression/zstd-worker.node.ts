/** A thread that decodes zstd for `zstd.node.ts`; results are handed over, not copied. */
import { parentPort } from "node:worker_threads";
import type { ZstdReply, ZstdRequest } from "./zstd.node.js";
import { decodeInline } from "./zstd.js";

parentPort!.on("message", ({ id, bytes, bound }: ZstdRequest) => {
  decodeInline(bytes, bound).then(
    (out) => parentPort!.postMessage({ id, out } satisfies ZstdReply, [out.buffer as ArrayBuffer]),
    (error: Error) => parentPort!.postMessage({ id, error: error.message } satisfies ZstdReply),
  );
});
