/** Runtimes in Node: on this thread (tests, short work) or in a worker thread, so that the caller's event loop stays free. */
import { availableParallelism } from "node:os";
import { MessageChannel, Worker } from "node:worker_threads";
import { FoehnError, UsageError } from "../errors.js";
import type { NdArray, Shape } from "../tensor/ndarray.js";
import { isArray, type OrtModule, ortRuntime, type Resident, type Runtime, type Session } from "./runtime.js";

/** Devices by name that onnxruntime-node may have on some machine. */
export const DEVICES = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const;
export type Device = (typeof DEVICES)[number];

export interface RuntimeOptions {
  device?: string;
  /** Threads of one operator; every core where left out. */
  threads?: number;
}

/** What this machine's ONNX Runtime offers. */
export async function availableDevices(): Promise<string[]> {
  const ort = await import("onnxruntime-node");
  return ort.listSupportedBackends().map((backend) => backend.name);
}

async function checked(options: RuntimeOptions): Promise<{ device: string; threads: number }> {
  const { device = "cpu", threads = availableParallelism() } = options;
  const have = await availableDevices();
  if (!have.includes(device))
    throw new UsageError(
      `this machine's ONNX Runtime has no device '${device}'; it has ${have.join(", ")} (see 'foehn doctor')`,
    );
  return { device, threads };
}

/** A runtime on the calling thread. */
export async function openInline(options: RuntimeOptions = {}): Promise<Runtime> {
  const ort = await import("onnxruntime-node");
  return ortRuntime(withoutCopies(ort), await checked(options));
}

/**
 * The same module without the copies that onnxruntime-node 1.30 makes of outputs which it has already written where they are
 * wanted. Nobody asks for them, but as garbage they would take all gradients' memory several times over.
 */
const withoutCopies = (ort: OrtModule): OrtModule => ({
  Tensor: ort.Tensor,
  InferenceSession: {
    async create(model, options) {
      const session = await ort.InferenceSession.create(model, options);
      return {
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        inputMetadata: session.inputMetadata,
        release: () => session.release(),
        async run(feeds, fetches) {
          const results = await session.run(feeds, fetches);
          const copies: ArrayBuffer[] = [];
          for (const [name, target] of Object.entries(fetches)) {
            if (!target) continue;
            const { buffer } = results[name].data as Float32Array<ArrayBuffer>;
            if (buffer !== (target.data as Float32Array).buffer) copies.push(buffer);
          }
          discard(copies);
          return {
            ...results,
            ...Object.fromEntries(Object.entries(fetches).filter(([, target]) => target)),
          } as typeof results;
        },
      };
    },
  },
});

/** Frees memory now: what is sent to a closed port is owned by nobody. */
function discard(buffers: readonly ArrayBuffer[]): void {
  if (buffers.length === 0) return;
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(null, [...buffers]);
  port1.close();
}

/** What is asked of the worker (worker.node.ts); residents and sessions are known there by number. */
export type Request =
  | { kind: "load"; model: Uint8Array | string; threads?: number }
  | { kind: "run"; session: number; feeds: Record<string, NdArray | number>; into: Record<string, number> }
  | { kind: "keep"; array: NdArray }
  | { kind: "zeros"; shape: Shape }
  | { kind: "read"; resident: number }
  | { kind: "write"; resident: number; array: NdArray }
  | { kind: "clear" | "release"; resident: number }
  | { kind: "closeSession"; session: number };

/** Tests run the sources, whose worker is the built file. */
const workerFile = new URL(
  import.meta.url.replace("/src/engine/", "/dist/engine/").replace(/runtime\.node\.(ts|js)$/, "worker.node.js"),
);

/** A runtime in a worker thread of its own. */
export async function openRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { device, threads } = await checked(options);
  const worker = new Worker(workerFile, { workerData: { device, threads } });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let sent = 0;
  let failed: Error | undefined;
  const failAll = (error: Error): void => {
    failed = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on("message", ({ id, value, error }: { id: number; value: never; error?: string }) => {
    const caller = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref(); // an idle worker does not keep the process alive
    if (error === undefined) caller?.resolve(value);
    else caller?.reject(new FoehnError(error));
  });
  worker.on("error", failAll);
  worker.on("exit", (code) => failAll(new FoehnError(`the compute thread ended (code ${code})`)));
  worker.unref();
  const ask = <T>(request: Request): Promise<T> =>
    new Promise((resolve, reject) => {
      if (failed) {
        reject(failed);
        return;
      }
      const id = sent++;
      waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, request });
    });

  const peers: Promise<Runtime>[] = [];
  const numbers = new WeakMap<object, number>();
  const hold = ({ dtype, shape }: Resident, number: number): Resident => {
    const handle: Resident = { dtype, shape };
    numbers.set(handle, number);
    return handle;
  };
  const numberOf = (handle: Resident): number => {
    const number = numbers.get(handle);
    if (number === undefined) throw new FoehnError("this array is not kept by this runtime");
    return number;
  };
  return {
    device,
    threads,
    async load(model, { threads: perOperator } = {}) {
      const { session, inputs, outputs, shapes } = await ask<
        { session: number } & Pick<Session, "inputs" | "outputs" | "shapes">
      >({
        kind: "load",
        model,
        threads: perOperator,
      });
      const handle: Session = {
        inputs,
        outputs,
        shapes,
        run: (feeds, { into = {} } = {}) =>
          ask({
            kind: "run",
            session,
            feeds: Object.fromEntries(
              Object.entries(feeds).map(([name, value]) => [name, isArray(value) ? value : numberOf(value)]),
            ),
            into: Object.fromEntries(Object.entries(into).map(([name, value]) => [name, numberOf(value)])),
          }),
        close: () => ask({ kind: "closeSession", session }),
      };
      return handle;
    },
    async keep(array) {
      return hold(array, await ask<number>({ kind: "keep", array }));
    },
    async zeros(shape) {
      return hold({ dtype: "float32", shape }, await ask<number>({ kind: "zeros", shape }));
    },
    read: (handle) => ask({ kind: "read", resident: numberOf(handle) }),
    write: (handle, array) => ask({ kind: "write", resident: numberOf(handle), array }),
    clear: (handle) => ask({ kind: "clear", resident: numberOf(handle) }),
    release: (handle) => ask({ kind: "release", resident: numberOf(handle) }),
    async peers(count) {
      while (peers.length < count) peers.push(openRuntime(options));
      return Promise.all(peers.slice(0, count));
    },
    close: async () => {
      await Promise.allSettled(peers.map(async (peer) => (await peer).close()));
      worker.removeAllListeners("exit");
      failed = new FoehnError("the runtime is closed");
      await worker.terminate();
    },
  };
}
