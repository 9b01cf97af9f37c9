/** Learning rates by how far a parameter lies from the output, for fine-tuning. */
import { UsageError } from "../../errors.js";

/**
 * Layer-wise learning rates (Howard and Ruder 2018; Clark et al. 2020): the factor of every parameter, 1 at the output, times
 * `decay` for each numbered block passed on the way to the input. Names come in the order the graph made them: what stands
 * before the first block embeds, what stands after the last reads out.
 */
export function layerRates(names: readonly string[], decay: number): (name: string) => number {
  if (decay === 1) return () => 1;
  const blockOf = (name: string): number | undefined => {
    const found = /(?:^|\.)blocks\.(\d+)\./.exec(name);
    return found ? Number(found[1]) : undefined;
  };
  const blocks = names.map(blockOf);
  const numbered = blocks.filter((b) => b !== undefined);
  if (numbered.length === 0)
    throw new UsageError("training.layerDecay needs a model of numbered blocks, such as vit or climax; leave it at 1");
  const last = Math.max(...numbered);
  const first = blocks.findIndex((b) => b !== undefined);
  const rates = new Map(
    names.map((name, i) => {
      const block = blocks[i];
      const passed = block !== undefined ? last - block + 1 : i < first ? last + 2 : 0;
      return [name, decay ** passed];
    }),
  );
  return (name) => rates.get(name)!;
}
