// Writes docs/operators.md from the registry of operators.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./build.js";

await build();
const { operatorTable } = await import("../dist/graph/testing/support.js");
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
writeFileSync(path.join(root, "docs", "operators.md"), operatorTable());
