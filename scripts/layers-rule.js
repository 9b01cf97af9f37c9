// The house rule of README's map, as a lint rule: a file imports from its own layer or from one below it, never from above.
import path from "node:path";

/** Top to bottom. `src/index.ts` stands above all, `src/errors.ts` below all. */
export const LAYERS = [
  "cli",
  "serve",
  "edge",
  "federation",
  "verify",
  "tasks",
  "adapters",
  "models",
  "simulator",
  "data",
  "earth",
  "engine",
  "graph",
  "tensor",
];

/** Everything from `tensor` to `verify` also runs in a browser: Node's own modules are imported only in files named `*.node.ts`. */
const BROWSER_LAYERS = LAYERS.slice(LAYERS.indexOf("verify"));

const layerOf = (file) => /[\\/]src[\\/]([^\\/]+)[\\/]/.exec(file)?.[1];

export const layers = {
  meta: {
    type: "problem",
    schema: [],
    messages: {
      up: "{{from}}/ may not import from {{to}}/, which stands above it",
      node: "'{{module}}' is Node-only: import it in a file named *.node.ts, behind an interface",
    },
  },
  create(context) {
    const file = context.filename;
    const from = layerOf(file);
    if (!from || file.endsWith(".test.ts")) return {};
    const check = (node) => {
      const source = node.source?.value;
      if (typeof source !== "string" || node.importKind === "type") return;
      if (source.startsWith("node:")) {
        if (BROWSER_LAYERS.includes(from) && !file.endsWith(".node.ts"))
          context.report({ node, messageId: "node", data: { module: source } });
        return;
      }
      if (!source.startsWith(".")) return;
      const to = layerOf(path.resolve(path.dirname(file), source));
      if (to && LAYERS.indexOf(to) < LAYERS.indexOf(from))
        context.report({ node, messageId: "up", data: { from, to } });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};
