/**
 * A runtime in the browser over onnxruntime-web. WebAssembly threads need a page that is cross-origin isolated, that is one
 * served with `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`; elsewhere one
 * thread computes.
 *
 *     const runtime = await openWeb({ files: "/ort/" });          // the folder of onnxruntime-web's .wasm and .mjs files
 */
import { UsageError } from "../errors.js";
import { ortRuntime, type OrtModule, type Runtime } from "./runtime.js";

export interface WebRuntimeOptions {
  /** `wasm`, or `webgpu` where the browser has it. */
  device?: "wasm" | "webgpu";
  /** At most the processor's; one where the page is not isolated. */
  threads?: number;
  /** Address of the folder that holds onnxruntime-web's files; beside the script where left out. */
  files?: string;
}

export async function openWeb(options: WebRuntimeOptions = {}): Promise<Runtime> {
  const { device = "wasm", files } = options;
  if (device === "webgpu" && !("gpu" in navigator))
    throw new UsageError("this browser has no WebGPU; use the device 'wasm'");
  const ort = device === "wasm" ? await import("onnxruntime-web/wasm") : await import("onnxruntime-web/webgpu");
  const most = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const threads = Math.min(options.threads ?? most, most);
  ort.env.wasm.numThreads = threads;
  if (files !== undefined) ort.env.wasm.wasmPaths = files;
  return ortRuntime(copyingOutputs(ort), { device, threads });
}

type Session = Awaited<ReturnType<OrtModule["InferenceSession"]["create"]>>;

/** The same module with outputs copied to where they are wanted: a module in WebAssembly cannot write to memory outside its own. */
const copyingOutputs = (ort: OrtModule): OrtModule => ({
  Tensor: ort.Tensor,
  InferenceSession: {
    async create(model, options): Promise<Session> {
      const session = await ort.InferenceSession.create(model, options);
      return {
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        inputMetadata: session.inputMetadata,
        release: () => session.release(),
        async run(feeds, fetches) {
          const free = Object.fromEntries(Object.keys(fetches).map((name) => [name, null]));
          const results = await session.run(feeds, free);
          for (const [name, target] of Object.entries(fetches))
            if (target) (target.data as Float32Array).set(results[name].data as Float32Array);
          return results;
        },
      };
    },
  },
});
