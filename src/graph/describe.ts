/** What a person asks of a model file before using it; sizes may be open and operators unknown. */
import { sizeOf } from "../tensor/ndarray.js";
import { customVjp } from "./custom.js";
import { decodeModel, dtypeOf } from "./import.js";
import { refusals } from "./refusals.js";
import { upgrades } from "./upgrade.js";
import { vjpRules } from "./vjp/index.js";

export interface ModelDescription {
  readonly producer: string;
  readonly opset: number;
  readonly inputs: readonly PortDescription[];
  readonly outputs: readonly PortDescription[];
  readonly operators: readonly OperatorDescription[];
  readonly parameters: {
    readonly arrays: number;
    readonly elements: number;
    readonly externalFiles: readonly string[];
  };
  readonly metadata: Readonly<Record<string, string>>;
}
export interface PortDescription {
  readonly name: string;
  readonly dtype: string;
  /** A size, the name of an open one, or `?`. */
  readonly shape: readonly (number | string)[];
}
export interface OperatorDescription {
  readonly name: string;
  readonly count: number;
  /** Whether a gradient flows through it here. */
  readonly derivative: boolean;
  /** Why it cannot be imported, where it cannot. */
  readonly refused?: string;
}

/** Reads a file's description. `source` names it in errors. */
export function describeModel(bytes: Uint8Array, options: { source: string }): ModelDescription {
  const { model, graph, opset } = decodeModel(bytes, options.source);
  const stored = graph.initializer ?? [];
  const names = new Set(stored.map((t) => t.name));
  const counts = new Map<string, number>();
  for (const { opType = "", domain = "" } of graph.node ?? []) {
    const name = domain === "" || domain === "ai.onnx" ? opType : `${domain}.${opType}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const files = stored.flatMap((t) =>
    (t.externalData ?? []).filter((e) => e.key === "location").map((e) => e.value ?? ""),
  );
  return {
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(" "),
    opset,
    inputs: (graph.input ?? []).filter((i) => !names.has(i.name)).map(port),
    outputs: (graph.output ?? []).map(port),
    operators: [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => ({ name, count, ...support(name) })),
    parameters: {
      arrays: stored.length,
      elements: stored.reduce((sum, t) => sum + sizeOf((t.dims ?? []).map(Number)), 0),
      externalFiles: [...new Set(files)],
    },
    metadata: Object.fromEntries((model.metadata ?? []).map(({ key = "", value = "" }) => [key, value])),
  };
}

function support(name: string): { derivative: boolean; refused?: string } {
  const at = name.lastIndexOf(".");
  const [domain, op] = at < 0 ? ["", name] : [name.slice(0, at), name.slice(at + 1)];
  const refused = domain === "" && Object.hasOwn(refusals, op) ? refusals[op] : undefined;
  if (refused) return { derivative: false, refused };
  if (domain === "" && (Object.hasOwn(vjpRules, op) || Object.hasOwn(upgrades, op))) return { derivative: true };
  const custom = customVjp(domain, op);
  return custom === undefined
    ? { derivative: false, refused: "it is not known here; define it with defineOperator" }
    : { derivative: custom !== null };
}

type Port = NonNullable<ReturnType<typeof decodeModel>["graph"]["input"]>[number];
const port = ({ name = "", type }: Port): PortDescription => ({
  name,
  dtype: dtypeOf.get(Number(type?.tensorType?.elemType ?? 0n)) ?? "unknown",
  shape: (type?.tensorType?.shape?.dim ?? []).map(
    ({ dimValue, dimParam }) => dimParam || Number(dimValue ?? 0n) || "?",
  ),
});
