/**
 * An ONNX file as a `Graph` that can be run, differentiated, rewritten and trained.
 *
 *     const { graph, parameters } = importOnnx(bytes, { source: "fuxi.onnx", dims: { batch: 1 } });
 *
 * Files of opsets 9 to 25 are brought to opset 21 (upgrade.ts); sizes computed in the graph are folded (fold.ts), so every
 * shape is a number. Files may be hostile: every claim is checked before anything is allocated, and a file is refused whole.
 */
import { DataError, FoehnError, nearest } from "../errors.js";
import { type DType, type NdArray, sizeOf, TYPED_ARRAYS } from "../tensor/ndarray.js";
import { CONSTANT_MARK, ELEMENT_TYPES, isElementType, looksTrainable } from "./export.js";
import { folded } from "./fold.js";
import { type AttributeValue, Graph, type NodeAttributes, type Tensor } from "./graph.js";
import { emit } from "./ops.js";
import { decodeMessage, type Message } from "./proto.js";
import { refusals } from "./refusals.js";
import { type FileNode, upgrades } from "./upgrade.js";

/** Where arrays kept outside the file are read from; `location` is checked to stay inside the file's folder. */
export interface ExternalData {
  /** Bytes of that file; undefined where there is none. */
  size(location: string): number | undefined;
  read(location: string, offset: number, length: number): Uint8Array;
}

export interface ImportOptions {
  /** What the file is called in errors. */
  source: string;
  /** Sizes of symbolic dimensions by name, or by `input.axis` where they have none. */
  dims?: Readonly<Record<string, number>>;
  externalData?: ExternalData;
}

export interface ImportedModel {
  readonly graph: Graph;
  /** Numbers of the graph's parameters: every floating-point array that the file stores. */
  readonly parameters: Map<string, NdArray>;
  readonly metadata: Readonly<Record<string, string>>;
  /** The opset the file was written in. */
  readonly opset: number;
}

const OLDEST_OPSET = 9;
const NEWEST_OPSET = 25;
const MAX_RANK = 16;
/** Elements of one tensor: 64 GB of float32. Beyond it a size is a mistake or an attack. */
const MAX_ELEMENTS = 2 ** 34;

export const dtypeOf = new Map(Object.entries(ELEMENT_TYPES).map(([dtype, n]) => [n as number, dtype as DType]));

/** Reads the header and graph of a file, refusing what is no model. */
export function decodeModel(bytes: Uint8Array, source: string) {
  const model = decodeMessage("Model", bytes, source);
  const { graph } = model;
  if (!graph?.output?.length) throw new DataError(source, "holds no ONNX graph with outputs");
  const opset = Number(model.opsetImport?.find((o) => isOnnx(o.domain))?.version ?? 0n);
  if (opset < OLDEST_OPSET || opset > NEWEST_OPSET)
    throw new DataError(
      source,
      `is written in opset ${opset}; opsets ${OLDEST_OPSET} to ${NEWEST_OPSET} are read: export it again`,
    );
  return { model, graph, opset };
}

const isOnnx = (domain: string | undefined): boolean => !domain || domain === "ai.onnx";

/** Builds the graph of an ONNX file. */
export function importOnnx(bytes: Uint8Array, options: ImportOptions): ImportedModel {
  const { source, dims = {}, externalData } = options;
  const { model, graph: file, opset } = decodeModel(bytes, source);
  const fail = (why: string, cause?: unknown): never => {
    throw new DataError(source, why, { cause });
  };
  if (file.sparseInitializer?.length) fail("stores sparse arrays, which are not supported; export them as dense ones");
  const functions = new Set((model.functions ?? []).map((f) => new TextDecoder().decode(f.subarray(0, 64))));
  if (functions.size > 0)
    fail("defines functions of its own, which are not supported; export it with functions inlined");

  const graph = new Graph(file.name || "imported");
  const nodes = file.node ?? [];
  graph.reserve(nodes.flatMap((n) => n.output ?? []));
  const known = new Map<string, Tensor>();
  const give = (name: string, tensor: Tensor): void => {
    if (known.has(name)) fail(`two tensors are named '${name}'`);
    known.set(name, tensor);
  };

  // Numbers stored in the file. Floating-point arrays may be trained; what sizes depend on is fixed
  const parameters = new Map<string, NdArray>();
  const fixed = fixedInputs(nodes);
  for (const stored of file.initializer ?? []) {
    const name = stored.name ?? "";
    if (name === "" || known.has(name)) fail(`two stored arrays are named '${name}'`);
    const array = readTensor(stored, source, externalData);
    if (looksTrainable(array) && !fixed.has(name) && stored.docString !== CONSTANT_MARK) {
      parameters.set(name, array);
      give(name, graph.parameter(name, array.shape, array.dtype));
    } else give(name, graph.constant(array, name));
  }
  for (const input of file.input ?? []) {
    const name = input.name ?? "";
    if (known.has(name) && graph.inputs.every((t) => t.name !== name)) continue; // a stored array with a default, as old files list them
    const type = input.type?.tensorType;
    const dtype = dtypeOf.get(Number(type?.elemType ?? 0n));
    if (!dtype) return fail(`input '${name}' has no element type that is supported`);
    give(name, graph.input(name, dtype, inputShape(name, type?.shape && (type.shape.dim ?? []), dims, source)));
  }

  for (const node of inOrder(nodes, known, source)) {
    const label = `node '${node.name || node.output?.find((o) => o !== "") || ""}' (${node.opType ?? ""})`;
    try {
      const inputs = (node.input ?? []).map((name) => (name === "" ? undefined : known.get(name)!));
      const outputs = (node.output ?? []).slice(0, (node.output ?? []).findLastIndex((o) => o !== "") + 1);
      const domain = isOnnx(node.domain) ? "" : node.domain!;
      const given: FileNode = {
        op: node.opType ?? "",
        domain,
        inputs,
        outputs,
        attributes: attributesOf(node, source),
      };
      write(graph, given, opset).forEach((tensor, i) => outputs[i] !== "" && give(outputs[i], tensor));
      for (const name of outputs) {
        const tensor = known.get(name);
        if (tensor && sizeOf(tensor.shape) > MAX_ELEMENTS)
          fail(`${label}: '${name}' would have ${sizeOf(tensor.shape)} elements`);
      }
    } catch (cause) {
      if (cause instanceof DataError) throw cause;
      const { message } = cause as Error;
      fail(
        cause instanceof FoehnError
          ? `${label}: ${message}`
          : `${label}: its inputs or attributes are malformed (${message})`,
        cause,
      );
    }
  }
  for (const { name = "" } of file.output ?? []) {
    const tensor = known.get(name);
    if (!tensor) return fail(`its output '${name}' is computed by no node`);
    graph.output(name, tensor);
  }
  const metadata = Object.fromEntries((model.metadata ?? []).map(({ key = "", value = "" }) => [key, value]));
  return { graph, parameters, metadata, opset };
}

/** Writes a file's node in today's form: folded, rewritten or as it is. */
function write(graph: Graph, node: FileNode, opset: number): Tensor[] {
  const refusal = node.domain === "" && Object.hasOwn(refusals, node.op) ? refusals[node.op] : undefined;
  if (refusal) throw new FoehnError(refusal);
  const upgrade = node.domain === "" && Object.hasOwn(upgrades, node.op) ? upgrades[node.op] : undefined;
  const now = upgrade?.(node, { graph, opset }) ?? node;
  if (Array.isArray(now)) return now;
  const value = folded(now);
  if (value) return value.map((v, i) => graph.constant(v, node.outputs[i] || undefined));
  const { op, inputs, attributes, domain, outputs } = now;
  return emit(op, inputs, attributes, { outputs: outputs.length, names: outputs, domain });
}

/** Names of arrays that some node needs to know when shapes are inferred. */
function fixedInputs(nodes: readonly Message<"Node">[]): Set<string> {
  const names = new Set<string>();
  for (const { opType, input = [] } of nodes)
    if (opType === "Resize" || opType === "Upsample" || opType === "Pad")
      for (const name of input.slice(1)) names.add(name);
  return names;
}

function inputShape(
  name: string,
  given: Message<"Dimension">[] | undefined,
  dims: Readonly<Record<string, number>>,
  source: string,
): number[] {
  if (!given) throw new DataError(source, `input '${name}' has no shape; export the model with shapes`);
  if (given.length > MAX_RANK) throw new DataError(source, `input '${name}' has ${given.length} axes`);
  return given.map(({ dimValue, dimParam }, axis) => {
    const place = `${name}.${axis}`;
    const key = dimParam && dimParam in dims ? dimParam : place in dims ? place : undefined;
    const size = key !== undefined ? dims[key] : Number(dimValue ?? 0n);
    if (key === undefined && (dimParam || size === 0)) {
      const meant = nearest(dimParam ?? place, Object.keys(dims));
      throw new DataError(
        source,
        `the size of axis ${axis} of input '${name}' is open${dimParam ? ` ('${dimParam}')` : ""}; say it with dims: { "${dimParam || place}": 1 }${meant ? ` ('${meant}' was given)` : ""}`,
      );
    }
    if (!Number.isInteger(size) || size < 1 || size > MAX_ELEMENTS)
      throw new DataError(source, `axis ${axis} of input '${name}' has the size ${size}`);
    return size;
  });
}

/** Nodes so that each comes after those it reads from; an error names a tensor nobody gives, or a circle. */
function inOrder(
  nodes: readonly Message<"Node">[],
  known: ReadonlyMap<string, Tensor>,
  source: string,
): Message<"Node">[] {
  const givers = new Map<string, number>();
  nodes.forEach((node, i) => {
    for (const name of node.output ?? [])
      if (name !== "") {
        if (givers.has(name) || known.has(name)) throw new DataError(source, `two nodes give the tensor '${name}'`);
        givers.set(name, i);
      }
  });
  const sourcesOf = (i: number): number[] =>
    (nodes[i].input ?? []).flatMap((name) => {
      if (name === "" || known.has(name)) return [];
      const giver = givers.get(name);
      if (giver !== undefined) return [giver];
      throw new DataError(source, `node '${nodes[i].name || nodes[i].opType}' reads '${name}', which nothing gives`);
    });
  // Depth first from each node in the file's order, which is kept where it is already right
  const [FRESH, OPEN, DONE] = [0, 1, 2];
  const state = new Uint8Array(nodes.length);
  const sorted: Message<"Node">[] = [];
  for (let first = 0; first < nodes.length; first++) {
    const path = [first];
    for (let i = path.at(-1); i !== undefined; i = path.at(-1)) {
      if (state[i] === FRESH) {
        state[i] = OPEN;
        for (const giver of sourcesOf(i)) {
          if (state[giver] === OPEN)
            throw new DataError(
              source,
              `its nodes form a circle through '${nodes[i].output?.[0] ?? ""}' (${nodes[i].opType})`,
            );
          if (state[giver] === FRESH) path.push(giver);
        }
      } else {
        if (state[i] === OPEN) sorted.push(nodes[i]);
        state[i] = DONE;
        path.pop();
      }
    }
  }
  return sorted;
}

function attributesOf(node: Message<"Node">, source: string): NodeAttributes {
  const utf8 = new TextDecoder();
  const out: Record<string, AttributeValue> = {};
  for (const a of node.attribute ?? []) {
    const name = a.name ?? "";
    if (a.g || a.graphs)
      throw new FoehnError("graphs within nodes (control flow) are not supported; export the model without them");
    if (a.refAttrName) throw new FoehnError(`its attribute '${name}' refers to a function's, which are not supported`);
    if (isElementType(node.opType ?? "", name)) {
      const dtype = dtypeOf.get(Number(a.i ?? 0n));
      if (!dtype) throw new FoehnError(`the element type ${a.i} is not supported`);
      out[name] = dtype;
    } else if (a.t) out[name] = readTensor(a.t, source);
    else if (a.ints) out[name] = a.ints.map(Number);
    else if (a.floats) out[name] = { floats: a.floats };
    else if (a.strings) out[name] = a.strings.map((s) => utf8.decode(s));
    else if (a.f !== undefined) out[name] = { float: a.f };
    else if (a.s) out[name] = utf8.decode(a.s);
    else if (a.i !== undefined) out[name] = Number(a.i);
    else if (Number(a.type ?? 0n) === 1)
      out[name] = { float: 0 }; // zeros are not written
    else if (Number(a.type ?? 0n) === 2) out[name] = 0;
    else if (Number(a.type ?? 0n) === 3) out[name] = "";
    else if (Number(a.type ?? 0n) === 7) out[name] = [];
  }
  return out;
}

/** A stored array: its numbers are viewed where they lie, or copied where they are not aligned. */
export function readTensor(stored: Message<"Tensor">, source: string, externalData?: ExternalData): NdArray {
  const name = stored.name ?? "";
  const fail = (why: string): never => {
    throw new DataError(source, `the stored array '${name}' ${why}`);
  };
  const dtype = dtypeOf.get(Number(stored.dataType ?? 0n));
  if (!dtype) return fail(`has the element type ${stored.dataType}, which is not supported`);
  const shape = (stored.dims ?? []).map(Number);
  if (shape.length > MAX_RANK || shape.some((n) => !Number.isSafeInteger(n) || n < 0))
    return fail(`has the shape [${shape.join(", ")}]`);
  const count = sizeOf(shape);
  const Type = TYPED_ARRAYS[dtype];
  const size = count * Type.BYTES_PER_ELEMENT;
  if (count > MAX_ELEMENTS) return fail(`claims ${count} elements`);
  const external = Number(stored.dataLocation ?? 0n) === 1;
  if (external || stored.rawData) {
    const raw = external ? readExternal(stored, size, fail, externalData) : stored.rawData!;
    if (raw.length !== size) return fail(`has ${raw.length} bytes where its shape [${shape.join(", ")}] needs ${size}`);
    const aligned = raw.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? raw : new Uint8Array(raw); // a copy, where `slice` of a Node buffer is none
    return { dtype, shape, data: new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, count) };
  }
  const list =
    stored.floatData ??
    stored.doubleData ??
    stored.int64Data ??
    stored.uint64Data ??
    stored.int32Data ??
    ([] as number[]);
  if (list.length !== count)
    return fail(`has ${list.length} numbers where its shape [${shape.join(", ")}] needs ${count}`);
  const big = dtype === "int64" || dtype === "uint64";
  const wrong = (v: number | bigint) => big && typeof v !== "bigint";
  if ((list as (number | bigint)[]).some(wrong)) return fail("stores whole numbers as floating-point ones");
  const data = big
    ? new TYPED_ARRAYS[dtype](list as bigint[])
    : new (Type as Float64ArrayConstructor)((list as (number | bigint)[]).map(Number));
  return { dtype, shape, data };
}

function readExternal(
  stored: Message<"Tensor">,
  size: number,
  fail: (why: string) => never,
  externalData: ExternalData | undefined,
): Uint8Array {
  const entries = new Map((stored.externalData ?? []).map(({ key = "", value = "" }) => [key, value]));
  const location = entries.get("location") ?? "";
  const inside =
    location !== "" && !/^[\\/]|^[A-Za-z]:|\0|:\/\//.test(location) && !location.split(/[\\/]/).includes("..");
  if (!inside) return fail(`lies at '${location}', outside the model's folder`);
  if (!externalData) return fail(`lies in the file '${location}', which was not opened with the model`);
  const whole = externalData.size(location);
  if (whole === undefined) return fail(`lies in the file '${location}', which is missing: copy it beside the model`);
  const offset = Number(entries.get("offset") ?? 0);
  const length = Number(entries.get("length") ?? size);
  if (!Number.isSafeInteger(offset) || offset < 0 || length !== size || offset + length > whole)
    return fail(
      `claims bytes ${offset} to ${offset + length} of '${location}', which has ${whole}; its shape needs ${size}`,
    );
  return externalData.read(location, offset, length);
}
