/** What part of a graph's time the runtime spends in products (matrix products and convolutions), by its own profiler. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import * as ort from "onnxruntime-node";
import { gradientGraph } from "../src/engine/step-graphs.js";
import type { Tensor } from "../src/graph/graph.js";
import { noise } from "./timing.js";

const PRODUCTS = /^(Fused)?(MatMul|Gemm|Conv|ConvTranspose)$/;

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** Their part, 0 to 1, of the kernels' time in the gradient graph of a training step, over some runs on one thread, all inputs noise. */
export async function productsPart(loss: Tensor, runs = 6): Promise<number> {
  const { graph } = loss;
  const onnx = gradientGraph(loss, graph.parameters);
  const folder = await mkdtemp(path.join(tmpdir(), "foehn-profile-"));
  try {
    const session = await ort.InferenceSession.create(onnx, {
      intraOpNumThreads: 1,
      enableProfiling: true,
      profileFilePrefix: path.join(folder, "profile"),
    });
    const tensors = Object.fromEntries(
      [...graph.inputs, ...graph.parameters].map(({ name, shape }, i) => [
        name,
        new ort.Tensor("float32", noise(shape, i).data as Float32Array, [...shape]),
      ]),
    );
    for (let i = 0; i < runs; i++) await session.run(tensors);
    session.endProfiling();
    await session.release();
    const [name] = await readdir(folder);
    const events = JSON.parse(await readFile(path.join(folder, name), "utf8")) as ProfileEvent[];
    const kernels = events.filter((e) => e.cat === "Node" && e.name.endsWith("_kernel_time"));
    const total = (some: readonly ProfileEvent[]): number => some.reduce((sum, e) => sum + e.dur, 0);
    return total(kernels.filter((e) => PRODUCTS.test(e.args?.op_name ?? ""))) / total(kernels);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
