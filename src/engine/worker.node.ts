/** The compute thread: an inline runtime that answers the requests of `openRuntime`, one at a time and in order. */
import { parentPort, workerData } from "node:worker_threads";
import type { NdArray } from "../tensor/ndarray.js";
import type { Resident, Session } from "./runtime.js";
import { openInline, type Request, type RuntimeOptions } from "./runtime.node.js";

const runtime = await openInline(workerData as RuntimeOptions);
const sessions: Session[] = [];
const residents: (Resident | undefined)[] = [];

async function answer(request: Request): Promise<unknown> {
  switch (request.kind) {
    case "load": {
      const session = await runtime.load(request.model, { threads: request.threads });
      const { inputs, outputs, shapes } = session;
      return { session: sessions.push(session) - 1, inputs, outputs, shapes };
    }
    case "run": {
      const feeds = Object.fromEntries(
        Object.entries(request.feeds).map(([name, value]) => [
          name,
          typeof value === "number" ? residents[value]! : value,
        ]),
      );
      const into = Object.fromEntries(Object.entries(request.into).map(([name, value]) => [name, residents[value]!]));
      return sessions[request.session].run(feeds, { into });
    }
    case "keep":
      return residents.push(await runtime.keep(request.array, { given: true })) - 1; // what came is a copy
    case "zeros":
      return residents.push(await runtime.zeros(request.shape)) - 1;
    case "read":
      return runtime.read(residents[request.resident]!);
    case "write":
      return runtime.write(residents[request.resident]!, request.array);
    case "clear":
      return runtime.clear(residents[request.resident]!);
    case "release":
      residents[request.resident] = undefined; // the last that holds it
      return;
    case "closeSession":
      return sessions[request.session].close();
  }
}

let last: Promise<void> = Promise.resolve();
parentPort!.on("message", ({ id, request }: { id: number; request: Request }) => {
  last = last.then(async () => {
    try {
      const value = await answer(request);
      // What was read is a copy that nobody else has: it is handed over, not copied again
      const handed = request.kind === "read" ? [(value as NdArray).data.buffer as ArrayBuffer] : [];
      parentPort!.postMessage({ id, value }, handed);
    } catch (error) {
      parentPort!.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
});
