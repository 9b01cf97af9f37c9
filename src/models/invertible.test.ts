import { describe, expect, it } from "vitest";
import { initialise, scope } from "../engine/parameters.js";
import { openInline } from "../engine/runtime.node.js";
import { exportOnnx } from "../graph/export.js";
import { gradients } from "../graph/grad.js";
import { Graph } from "../graph/graph.js";
import { add, mul, reduceMean, square } from "../graph/ops.js";
import { float32, type NdArray, sizeOf } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { type Blocks, type InvertibleConfig, rescaleDown, rescaleUp, splitBlocks } from "./invertible.js";

const noise = (shape: readonly number[], seed: number): NdArray<"float32"> => {
  const rng = random(seed);
  return float32(
    [...shape],
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
};
/** Blocks whose first row of cells is a little larger. */
const blocksOf = (rows: number, columns: number, high: number): Blocks => ({
  rows,
  columns,
  shares: Float32Array.from({ length: rows * columns * high }, (_, k) => {
    const cell = Math.floor(k / high);
    const first = 1.1 / (1.1 + (rows - 1));
    return (cell < columns ? first : (1 - first) / Math.max(1, rows - 1)) / columns;
  }),
});
const config: InvertibleConfig = { width: 6, blocks: 2, exact: false, precision: 0 };

describe.each([
  ["2 x 2", 2, 2, false],
  ["4 x 4", 4, 4, false],
  ["2 x 5, the coarse field exact", 2, 5, true],
] as const)("blocks of %s", (_, rows, columns, exact) => {
  const [high, wide] = [3, 4];
  const blocks = blocksOf(rows, columns, high);
  const shape = [2, 1, rows * high, columns * wide];
  const build = () => {
    const graph = new Graph("rescale");
    const p = scope(graph);
    const fine = graph.input("fine", "float32", shape);
    const parts = rescaleDown(p, fine, blocks, { ...config, exact });
    const back = rescaleUp(p, parts, blocks, { ...config, exact });
    const mean = splitBlocks(fine, blocks).coarse;
    const parameters = new Map(
      [...initialise(p, { seed: 1 })].map(([name, a], i) => {
        const away = noise(a.shape, i).data;
        return [name, { ...a, data: a.data.map((v, k) => v + 0.1 * away[k]) }];
      }),
    );
    return { graph, p, parts, back, mean, parameters };
  };
  it("are split and joined to what they were", async () => {
    const runtime = await openInline({ threads: 1 });
    const { graph, parts, back, mean, parameters } = build();
    const outputs = new Map([
      ["coarse", parts.coarse],
      ["back", back],
      ["mean", mean],
    ]);
    const session = await runtime.load(exportOnnx(graph, { outputs, parameters }));
    const fine = noise(shape, 5);
    const made = await session.run({ fine });
    const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])));
    expect(largest(made.back.data as Float32Array, fine.data)).toBeLessThan(1e-5);
    const change = largest(made.coarse.data as Float32Array, made.mean.data as Float32Array);
    if (exact) expect(change).toBe(0);
    else expect(change).toBeGreaterThan(0.1);
    // The first block's mean by its cells' areas
    let sum = 0;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        sum += fine.data[i * columns * wide + j] * blocks.shares[(i * columns + j) * high];
    expect(made.mean.data[0]).toBeCloseTo(sum, 5);
    await runtime.close();
  });
  it("have the gradient that finite differences find along a random direction, both ways at once", async () => {
    const runtime = await openInline({ threads: 1 });
    const { graph, p, parts, parameters } = build();
    const up = rescaleUp(p, { coarse: parts.coarse, details: mul(parts.details, 0.5) }, blocks, { ...config, exact });
    const loss = add(reduceMean(square(up)), reduceMean(square(parts.details)));
    const grads = gradients(loss, graph.parameters);
    const outputs = new Map([["loss", loss], ...graph.parameters.map((q, i) => [`g/${q.name}`, grads[i]] as const)]);
    const session = await runtime.load(exportOnnx(graph, { outputs }));
    const directions = new Map([...parameters].map(([name, a], i) => [name, noise(a.shape, 100 + i).data]));
    const at = (step: number) =>
      session.run({
        fine: noise(shape, 5),
        ...Object.fromEntries(
          [...parameters].map(([name, a]) => [
            name,
            { ...a, data: a.data.map((v, k) => v + step * directions.get(name)![k]) },
          ]),
        ),
      });
    const here = await at(0);
    let slope = 0;
    for (const [name, direction] of directions)
      (here[`g/${name}`].data as Float32Array).forEach((g, k) => (slope += g * direction[k]));
    const step = 2e-4;
    const difference = (Number((await at(step)).loss.data[0]) - Number((await at(-step)).loss.data[0])) / (2 * step);
    expect(Math.abs(difference - slope)).toBeLessThan(0.02 * Math.abs(slope) + 0.02);
    await runtime.close();
  });
});
