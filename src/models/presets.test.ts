import { describe, expect, it } from "vitest";
import { scope } from "../engine/parameters.js";
import { Graph } from "../graph/graph.js";
import { sizeOf } from "../tensor/ndarray.js";
import { resolveModel } from "./index.js";
import { preset, PRESET_NAMES, type Published } from "./presets.js";
import { globe } from "./testing.js";

/** Parameters of a preset as it was published, in millions; what embeds lead time and season is ours and not counted. */
function millions(name: string, { grid, maps, channels }: Published): number {
  const graph = new Graph(name);
  const { architecture, settings } = resolveModel(preset(name).model);
  const place = globe(...grid);
  const each = maps >= channels ? Math.floor(maps / channels) : 1;
  architecture.write(
    scope(graph),
    {
      fields: graph.input("fields", "float32", [1, maps, ...grid]),
      condition: graph.input("condition", "float32", [1, 13]),
      channels,
      variables: Array.from({ length: channels }, (_, c) => ({
        name: `v${c}`,
        maps: Array.from({ length: each }, (_, k) => c * each + k),
      })),
      shared: [],
      ...place,
    },
    settings,
  );
  const counted = graph.parameters.filter((t) => !/^(lead|condition)/.test(t.name));
  return counted.reduce((n, t) => n + sizeOf(t.shape), 0) / 1e6;
}

describe.each(PRESET_NAMES.filter((name) => preset(name).published))("%s", (name) => {
  it("has the published number of parameters", () => {
    const published = preset(name).published!;
    const digits = String(published.parameters).split(".")[1].length;
    // Published counts are rounded; one of the last digit covers the lead-time layer of 0.002 million
    expect(Math.abs(millions(name, published) - published.parameters)).toBeLessThan(1.05 * 10 ** -digits);
  });
});

it("resolves every preset, and names the nearest to a misspelt one", () => {
  for (const name of PRESET_NAMES) expect(() => resolveModel(preset(name).model)).not.toThrow();
  expect(() => preset("climax-5.5")).toThrow(/did you mean 'climax-5.6'/);
});
