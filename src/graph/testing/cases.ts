/** The cases of every operator. The types demand one for each operator that has rules: a missing one does not compile. */
import type { OpType } from "../infer/index.js";
import { elementwiseCases } from "./cases-elementwise.js";
import { mathCases } from "./cases-math.js";
import { recurrentCases } from "./cases-recurrent.js";
import { shapeCases } from "./cases-shape.js";
import type { OpCase } from "./check.js";

export const cases: Readonly<Record<OpType, readonly OpCase[]>> = {
  ...elementwiseCases,
  ...shapeCases,
  ...mathCases,
  ...recurrentCases,
};
