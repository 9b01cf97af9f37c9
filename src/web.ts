/**
 * Foehn in a browser: graphs, derivatives and training over onnxruntime-web, which your page's project installs beside foehn.
 *
 *     import { createTrainer, Graph, openWeb } from "foehn/web";
 *     const runtime = await openWeb({ files: "/ort/" }); // where the page serves onnxruntime-web's .wasm and .mjs files
 */
export * from "./compute.js";
export { openWeb, type WebRuntimeOptions } from "./engine/runtime.web.js";
export { DataError, FoehnError, GraphError, UsageError } from "./errors.js";
