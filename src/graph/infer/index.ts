/** Shape rules of every operator that Foehn knows, by ONNX name. The type `OpType` is this table's keys. */
import { elementwise } from "./elementwise.js";
import type { InferRule } from "./infer.js";
import { mathOps } from "./math.js";
import { recurrentOps } from "./recurrent.js";
import { shapeOps } from "./shape.js";

export const inferRules = { ...elementwise, ...shapeOps, ...mathOps, ...recurrentOps } as const satisfies Record<
  string,
  InferRule
>;
export type OpType = keyof typeof inferRules;
