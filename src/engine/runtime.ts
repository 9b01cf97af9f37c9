/**
 * Where graphs run. A `Runtime` is a provider on a thread (this one, a worker, a browser's); it keeps arrays beside its
 * sessions so that parameters do not travel at every step:
 *
 *     const runtime = await openRuntime({ device: "cpu" });       // runtime.node.ts
 *     const session = await runtime.load(exportOnnx(graph));
 *     const w = await runtime.keep(weights);
 *     const { y } = await session.run({ x, w });
 */
import { FoehnError } from "../errors.js";
import { type DType, type NdArray, type Shape, TYPED_ARRAYS, type TypedArray, zeros } from "../tensor/ndarray.js";

/** An array that lives where the runtime computes. */
export interface Resident {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export type Feed = NdArray | Resident;
export type Feeds = Readonly<Record<string, Feed>>;

export interface Session {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of each input; a dimension that the file leaves open is its name. */
  readonly shapes: Readonly<Record<string, readonly (number | string)[]>>;
  /** Runs the graph. Outputs named in `into` are written to those residents; the others come back as arrays. */
  run(feeds: Feeds, options?: { into?: Readonly<Record<string, Resident>> }): Promise<Record<string, NdArray>>;
  close(): Promise<void>;
}

export interface Runtime {
  /** `cpu`, `wasm`, `webgpu`, ... */
  readonly device: string;
  readonly threads: number;
  /**
   * Makes a session from the bytes of an ONNX file or, on Node, from its path (which a file with external data needs); its
   * operators run on `threads` threads, on all where left out.
   */
  load(model: Uint8Array | string, options?: { threads?: number }): Promise<Session>;
  /** Copies an array to where the runtime computes; no copy is made of one that is `given`, which the caller does not touch again. */
  keep(array: NdArray, options?: { given?: boolean }): Promise<Resident>;
  /** Keeps zeros, none of which travel. */
  zeros(shape: Shape): Promise<Resident>;
  /** A copy of a resident's numbers. */
  read(resident: Resident): Promise<NdArray>;
  write(resident: Resident, array: NdArray): Promise<void>;
  /** Writes zeros. */
  clear(resident: Resident): Promise<void>;
  /** Forgets an array; its memory is free once nothing runs on it. */
  release(resident: Resident): Promise<void>;
  /** That many further runtimes on the same device, which compute at the same time as this one and close with it; absent where there is one thread only. */
  peers?(count: number): Promise<readonly Runtime[]>;
  close(): Promise<void>;
}

/** What onnxruntime-node and onnxruntime-web have in common, as far as it is used here. */
export interface OrtModule {
  readonly Tensor: new (type: string, data: TypedArray, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(model: Uint8Array | string, options: Record<string, unknown>): Promise<OrtSession>;
  };
}
interface OrtTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}
interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly { readonly name: string; readonly shape?: readonly (number | string)[] }[];
  run(feeds: Record<string, OrtTensor>, fetches: Record<string, OrtTensor | null>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** A runtime on the calling thread over either ONNX Runtime package. `run()` blocks that thread. */
export function ortRuntime(ort: OrtModule, options: { device: string; threads: number; provider?: string }): Runtime {
  const { device, threads, provider = device } = options;
  const tensors = new WeakMap<object, OrtTensor>();
  const toOrt = (array: NdArray): OrtTensor => new ort.Tensor(array.dtype, array.data, array.shape);
  const fromOrt = ({ type, data, dims }: OrtTensor): NdArray => ({
    dtype: type as "float32",
    shape: [...dims],
    data: data as Float32Array,
  });
  const hold = (array: NdArray): Resident => {
    const handle: Resident = { dtype: array.dtype, shape: array.shape };
    tensors.set(handle, toOrt(array));
    return handle;
  };
  const feed = (value: Feed): OrtTensor => tensors.get(value) ?? toOrt(value as NdArray);
  const resident = (value: Resident): NdArray => {
    const tensor = tensors.get(value);
    if (!tensor) throw new FoehnError("this array is not kept by this runtime");
    return fromOrt(tensor);
  };
  return {
    device,
    threads,
    async load(model, { threads: perOperator = threads } = {}) {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: [provider],
        intraOpNumThreads: perOperator,
        interOpNumThreads: 1,
        graphOptimizationLevel: "all",
        executionMode: "sequential",
        enableMemPattern: false, // a plan of all buffers, held beside the arena of the first run: twice the memory, no faster
        // A waiting thread that spins takes its sibling's cycles where two share a core: a ViT step took 1.5 times as long
        extra: { session: { intra_op: { allow_spinning: "0" } } },
        logSeverityLevel: 3,
      }).catch((cause: unknown) => {
        throw new FoehnError(
          `ONNX Runtime (${device}) does not take the graph: ${String((cause as Error).message ?? cause)}`,
          { cause },
        );
      });
      return {
        inputs: session.inputNames,
        outputs: session.outputNames,
        shapes: Object.fromEntries(session.inputMetadata.map(({ name, shape }) => [name, shape ?? []])),
        async run(feeds, { into = {} } = {}) {
          const missing = session.inputNames.find((name) => !(name in feeds));
          if (missing !== undefined) throw new FoehnError(`the graph's input '${missing}' was not fed`);
          const fed = Object.fromEntries(session.inputNames.map((name) => [name, feed(feeds[name])]));
          const wanted = Object.fromEntries(
            session.outputNames.map((name) => [name, into[name] ? feed(into[name]) : null]),
          );
          const results = await session.run(fed, wanted);
          return Object.fromEntries(
            session.outputNames.filter((name) => !into[name]).map((name) => [name, fromOrt(results[name])]),
          );
        },
        close: () => session.release(),
      };
    },
    async keep(array, { given = false } = {}) {
      return hold(given ? array : { ...array, data: array.data.slice() });
    },
    zeros: async (shape) => hold(zeros("float32", shape)),
    read: async (handle) => {
      const array = resident(handle);
      return { ...array, data: array.data.slice() };
    },
    async write(handle, array) {
      const target = resident(handle);
      if (target.data.length !== array.data.length || target.dtype !== array.dtype)
        throw new FoehnError(
          `an array of ${array.dtype} [${array.shape.join(", ")}] does not fit one of ${target.dtype} [${target.shape.join(", ")}]`,
        );
      target.data.set(array.data as never);
    },
    clear: async (handle) => void resident(handle).data.fill(0 as never),
    release: async (handle) => void tensors.delete(handle),
    close: async () => {},
  };
}

/** True for an array that carries its own numbers. */
export const isArray = (value: Feed): value is NdArray =>
  "data" in value && value.data instanceof TYPED_ARRAYS[value.dtype];
