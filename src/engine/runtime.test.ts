import { expect, it } from "vitest";
import { exportOnnx } from "../graph/export.js";
import { Graph } from "../graph/graph.js";
import { add } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import { openInline, openRuntime } from "./runtime.node.js";

it.each([
  ["on this thread", openInline],
  ["in a worker", openRuntime],
])("keeps arrays and zeros beside a session that writes over them, %s", async (_, open) => {
  const runtime = await open({ threads: 1 });
  const graph = new Graph();
  const sum = graph.input("sum", "float32", [3]);
  graph.output("next", add(sum, graph.input("x", "float32", [3])));
  const session = await runtime.load(exportOnnx(graph));
  const x = float32([3], [1, 2, 3]);
  const [kept, total] = [await runtime.keep(x), await runtime.zeros([3])];
  x.data.fill(9); // the caller's own again
  for (let i = 0; i < 2; i++) expect(await session.run({ x: kept, sum: total }, { into: { next: total } })).toEqual({});
  expect([...(await runtime.read(total)).data]).toEqual([2, 4, 6]);
  await expect(runtime.write(total, float32([2], [1, 2]))).rejects.toThrow(
    "an array of float32 [2] does not fit one of float32 [3]",
  );
  await runtime.close();
});

it("leaves no copies behind of results that are written to where they are wanted", async () => {
  const runtime = await openInline({ threads: 1 });
  const shape = [1 << 22];
  const graph = new Graph();
  graph.output("y", add(graph.input("x", "float32", shape), 1));
  const session = await runtime.load(exportOnnx(graph));
  const [x, y] = [await runtime.zeros(shape), await runtime.zeros(shape)];
  const held = () => process.memoryUsage().arrayBuffers;
  const grown: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = held();
    await session.run({ x }, { into: { y } });
    await new Promise(setImmediate);
    grown.push(held() - before);
  }
  // A copy is of 16 MiB; V8 collects some of them at moments of its own
  expect(Math.max(...grown)).toBeLessThan(8 << 20);
  expect((await runtime.read(y)).data[0]).toBe(1);
});
