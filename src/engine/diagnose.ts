/** Where a training step went wrong: the first tensor of the forward pass that is not finite, found by running it again with all shown. */
import { exportOnnx, liveNodes } from "../graph/export.js";
import { describeType, type Tensor } from "../graph/graph.js";
import type { Feeds, Runtime } from "./runtime.js";

/** A clause that names the micro-batch and the tensor, or the input that already held the value. */
export async function firstNonFinite(
  runtime: Runtime,
  loss: Tensor,
  microBatches: readonly Feeds[],
  parameters: Feeds,
): Promise<string> {
  const nodes = liveNodes(loss.graph, new Map([["loss", loss]]));
  const tensors = nodes.flatMap((n) => n.outputs.filter((t) => t.dtype === "float32").slice(0, 1));
  const byName = new Map(tensors.map((t) => [t.name, t]));
  const session = await runtime.load(exportOnnx(loss.graph, { outputs: byName }));
  try {
    for (const [i, batch] of microBatches.entries()) {
      const where = `micro-batch ${i + 1} of ${microBatches.length}`;
      for (const [name, feed] of Object.entries(batch))
        if ("data" in feed && feed.dtype === "float32" && hasNonFinite(feed.data as Float32Array))
          return `${where} has a value that is not finite in its input '${name}'`;
      const results = await session.run({ ...batch, ...parameters });
      for (const [name, tensor] of byName)
        if (hasNonFinite(results[name].data as Float32Array))
          return `in ${where} the first such tensor is '${name}' (${tensor.producer!.op}, ${describeType(tensor)})`;
    }
    return "every tensor of the forward pass is finite, so it arose in the derivative";
  } finally {
    await session.close();
  }
}

const hasNonFinite = (data: Float32Array): boolean => {
  for (const value of data) if (!Number.isFinite(value)) return true;
  return false;
};
