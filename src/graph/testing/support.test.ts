import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { operatorTable } from "./support.js";

it("docs/operators.md is up to date (node scripts/operators.js writes it)", async () => {
  const text = await readFile(new URL("../../../docs/operators.md", import.meta.url), "utf8");
  expect(text).toBe(operatorTable());
});
