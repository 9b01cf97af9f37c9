/** The support table of operators (docs/operators.md), from the registry and the cases that test it. */
import { inferRules, type OpType } from "../infer/index.js";
import { refusals } from "../refusals.js";
import { upgrades } from "../upgrade.js";
import { vjpRules } from "../vjp/index.js";
import { noGradient } from "../vjp/vjp.js";
import { cases } from "./cases.js";
import type { OpCase } from "./check.js";

/** The whole document. */
export function operatorTable(): string {
  const rows = (Object.keys(inferRules) as OpType[])
    .sort()
    .map((op) => `| ${op} | yes | ${derivative(op)} | ${second(op)} | ${tested(op)} |`);
  const rewritten = Object.keys(upgrades)
    .filter((op) => !(op in inferRules))
    .sort();
  const refused = Object.entries(refusals).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    "# Operators",
    "",
    "Written by `node scripts/operators.js` from the registry; do not edit. Forms are those of opset 21.",
    "",
    '"Derivative" and "second" say whether gradients, and gradients of gradients, flow; "zero" means that the result does not',
    "change with small changes of the inputs. Every operator is tested against central finite differences over random shapes,",
    "broadcasts and attributes (`src/graph/vjp/derivatives.test.ts`), in the precision that ONNX Runtime's CPU kernels take, and",
    "its inferred types against those of the running graph. A sample is compared with an independent autodiff",
    "(`src/graph/grad.test.ts`) and with PyTorch's gradients (`src/graph/import.test.ts`).",
    "",
    "| operator | forward | derivative | second | tested |",
    "|---|---|---|---|---|",
    ...rows,
    "",
    "## Rewritten on import",
    "",
    `${rewritten.join(", ")}.`,
    "",
    "## Refused on import",
    "",
    "| operator | why |",
    "|---|---|",
    ...refused.map(([op, why]) => `| ${op} | ${why} |`),
    "",
  ].join("\n");
}

const derivative = (op: OpType): string => (vjpRules[op] === noGradient ? "zero" : "yes");

function second(op: OpType): string {
  if (vjpRules[op] === noGradient) return "zero";
  const reasons = cases[op].flatMap(({ name, second: reason }) => (reason ? [`${name}: ${reason}`] : []));
  return reasons.length > 0 ? `yes (${[...new Set(reasons)].join("; ")})` : "yes";
}

function tested(op: OpType): string {
  const precision = (c: OpCase): string => c.dtype ?? "float64";
  const kinds = [...new Set(cases[op].map(precision))].sort();
  const names = cases[op].flatMap((c) => (c.name ? [c.name] : []));
  return `${kinds.join(", ")}${names.length > 0 ? ` (${names.join("; ")})` : ""}`;
}
