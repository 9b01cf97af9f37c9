/** Sentences about settings that cannot be built; undefined where they can. */

const whole = (n: number, least = 1): boolean => Number.isInteger(n) && n >= least;

/** For transformers over patches. */
export function transformerRefusal(config: {
  width: number;
  heads: number;
  depth: number;
  patch?: readonly number[];
  window?: readonly number[];
  position?: string;
}): string | undefined {
  const { width, heads, depth, patch = [], window = [], position } = config;
  if (!whole(heads) || !whole(width) || width % heads !== 0)
    return `width ${width} is not a multiple of its ${heads} heads`;
  if (!whole(depth, 0)) return `depth ${depth} is not possible; take a whole number from 0`;
  if (!patch.every((n) => whole(n)))
    return `a patch of ${patch.join(" x ")} points is not possible; take whole numbers from 1`;
  if (!window.every((n) => whole(n)))
    return `a window of ${window.join(" x ")} tokens is not possible; take whole numbers from 1`;
  if (position !== undefined && position !== "geographic" && position !== "learnt")
    return `position '${position}' is not known; take 'geographic' (any grid) or 'learnt' (one grid)`;
  return undefined;
}

/** For convolutional networks. */
export function convolutionalRefusal(config: {
  width: number;
  depth: number;
  patch?: readonly number[];
}): string | undefined {
  const { width, depth, patch = [] } = config;
  if (!whole(width, 4)) return `width ${width} is too small; at least 4`;
  if (!whole(depth, 0)) return `depth ${depth} is not possible; take a whole number from 0`;
  if (!patch.every((n) => whole(n)))
    return `a patch of ${patch.join(" x ")} points is not possible; take whole numbers from 1`;
  return undefined;
}
