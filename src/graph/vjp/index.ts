/** Derivative rules of every operator. The types demand one for each operator that has a shape rule: a missing one does not compile. */
import type { OpType } from "../infer/index.js";
import { elementwiseVjp } from "./elementwise.js";
import { mathVjp } from "./math.js";
import { recurrentVjp } from "./recurrent.js";
import { shapeVjp } from "./shape.js";
import type { VjpRule } from "./vjp.js";

export const vjpRules: Readonly<Record<OpType, VjpRule>> = {
  ...elementwiseVjp,
  ...shapeVjp,
  ...mathVjp,
  ...recurrentVjp,
};
