/** Operators that users add: of another domain, or newer than the tables here. */
import type { InferRule } from "./infer/infer.js";
import type { VjpRule } from "./vjp/vjp.js";

export interface CustomOperator {
  readonly infer: InferRule;
  /** Null where the operator has no derivative. */
  readonly vjp: VjpRule | null;
}

const operators = new Map<string, CustomOperator>();
const key = (domain: string, op: string): string => `${domain}:${op}`;

/** Adds an operator (or replaces one added before): how its shapes follow and what its derivative is. */
export function defineOperator(op: string, rule: CustomOperator, options: { domain?: string } = {}): void {
  operators.set(key(options.domain ?? "", op), rule);
}

export const customInfer = (domain: string, op: string): InferRule | undefined => operators.get(key(domain, op))?.infer;
export const customVjp = (domain: string, op: string): VjpRule | null | undefined =>
  operators.get(key(domain, op))?.vjp;
