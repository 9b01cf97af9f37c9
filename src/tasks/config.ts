/** Configurations checked by a schema: a wrong key or value is refused with its path and the nearest right one. */
import type { z } from "zod";
import { nearest, UsageError } from "../errors.js";

/** The configuration, checked and completed; `source` names its file in errors. */
export function parseWith<S extends z.ZodType>(schema: S, given: unknown, source = "the configuration"): z.output<S> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const known = keysAt(schema, issue.path);
    const near = nearest(key, known);
    throw new UsageError(
      `${source}: there is no setting '${path ? `${path}.` : ""}${key}'${near ? `; did you mean '${near}'?` : `. Here are known: ${known.join(", ")}`}`,
    );
  }
  throw new UsageError(`${source}: ${path || "the whole"}: ${issue.message}`);
}

/** The settings that the schema has at a path. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let node: unknown = schema;
  for (const step of path) {
    const inner = unwrapped(node);
    node = inner?.shape?.[step as string] ?? inner?.element;
  }
  return Object.keys(unwrapped(node)?.shape ?? {});
}

interface Node {
  shape?: Record<string, unknown>;
  element?: unknown;
  unwrap?: () => unknown;
}

function unwrapped(node: unknown): Node | undefined {
  let inner = node as Node | undefined;
  // an array has both an element and an unwrap that gives it
  while (inner && !inner.shape && !inner.element && inner.unwrap) inner = inner.unwrap() as Node;
  return inner;
}
