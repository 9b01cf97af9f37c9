import { describe, expect, it } from "vitest";
import { openInline } from "../../engine/runtime.node.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph } from "../../graph/graph.js";
import { float32 } from "../../tensor/ndarray.js";
import { gammaLogDensity, gammaQuantile, gammaShare, logGamma, logGammaOf } from "./gamma.js";

const relative = (ours: number, theirs: number) => Math.abs(ours / theirs - 1);

// scipy 1.17.1: special.gammaln, gammainc, gammaincinv
describe("the gamma distribution is scipy's", () => {
  const LOG_GAMMA = [
    [0.05, 2.968879201051731],
    [0.3, 1.0957979948180756],
    [1.5, -0.12078223763524522],
    [4, 1.791759469228055],
    [20, 39.339884187199495],
  ];
  const SHARES = [
    [0.3, 0.01, 0.27924099635901484],
    [0.3, 2, 0.977974019172853],
    [1.5, 0.7, 0.2944652687959088],
    [5, 9, 0.945036358504895],
    [20, 12, 0.02127976938302662],
  ];
  const QUANTILES = [
    [0.05, 0.3, 2.0378971887326733e-11],
    [0.3, 0.05, 3.211034699722965e-5],
    [0.3, 0.975, 1.9002636428388258],
    [1.5, 0.5, 1.1829869421876689],
    [20, 0.99, 31.845369875782232],
  ];
  it("in the logarithm of its function, in numbers and as nodes", async () => {
    for (const [x, y] of LOG_GAMMA) expect(relative(logGamma(x), y)).toBeLessThan(1e-10);
    const graph = new Graph("lgamma");
    const x = graph.input("x", "float32", [LOG_GAMMA.length]);
    graph.output("y", logGammaOf(x));
    const runtime = await openInline({ threads: 1 });
    const session = await runtime.load(exportOnnx(graph));
    const { y } = await session.run({
      x: float32(
        [LOG_GAMMA.length],
        LOG_GAMMA.map(([v]) => v),
      ),
    });
    // float32: a few units in the last place of numbers near 40
    LOG_GAMMA.forEach(([, v], i) =>
      expect(Math.abs(Number(y.data[i]) - v)).toBeLessThan(1e-5 * Math.max(1, Math.abs(v))),
    );
  });
  it("in its shares and quantiles", () => {
    for (const [k, x, p] of SHARES) expect(relative(gammaShare(k, x), p)).toBeLessThan(1e-8);
    for (const [k, p, x] of QUANTILES) expect(relative(gammaQuantile(k, p), x)).toBeLessThan(1e-5);
    expect(gammaQuantile(2, 0)).toBe(0);
    expect(gammaShare(2, 0)).toBe(0);
  });
  it("in its density: an exponential law is the one of shape 1", async () => {
    const graph = new Graph("density");
    const one = graph.input("one", "float32", [3]);
    const x = graph.input("x", "float32", [3]);
    const mean = graph.input("mean", "float32", [3]);
    graph.output("y", gammaLogDensity(x, one, mean));
    const session = await (await openInline({ threads: 1 })).load(exportOnnx(graph));
    const [xs, means] = [
      [0.2, 3, 11],
      [0.5, 4, 2.5],
    ];
    const { y } = await session.run({ one: float32([3], [1, 1, 1]), x: float32([3], xs), mean: float32([3], means) });
    xs.forEach((v, i) => expect(Number(y.data[i])).toBeCloseTo(-v / means[i] - Math.log(means[i]), 4));
  });
});
