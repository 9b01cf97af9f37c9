/**
 * Every error a person may see: one sentence that names the thing (file, variable, operator, value) and the remedy.
 * The command line prints the message alone; `cause` keeps what lies beneath for `--debug`.
 */
export class FoehnError extends Error {
  /** What the process exits with: 1 the work failed, 2 it was called wrongly. */
  readonly exitCode: 1 | 2 = 1;

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The caller asked for something that cannot be: a wrong flag, key, name or combination. */
export class UsageError extends FoehnError {
  override readonly exitCode = 2;
}

/** A file or dataset that cannot be read or does not hold what is needed. `source` is its path or address. */
export class DataError extends FoehnError {
  constructor(
    readonly source: string,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(`${source}: ${message}`, options);
  }
}

/** A graph that cannot be built, differentiated or run; the message names the operator and the shapes. */
export class GraphError extends FoehnError {}

/** The nearest of `known` to a misspelt `name`, for "did you mean"; undefined where nothing is near. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance: the least number of one-letter changes. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}
