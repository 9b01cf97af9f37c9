import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transform } from "esbuild";
import { expect, it, vi } from "vitest";
import { importOnnx } from "../src/graph/import.js";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

it("the example of docs/engine.md is short, runs and learns", async () => {
  const text = await readFile(path.join(root, "docs/engine.md"), "utf8");
  const [, example] = /```ts\n([\s\S]*?)```/.exec(text)!;
  const lines = example.split("\n").filter((l) => l.trim() !== "" && !l.trim().startsWith("//"));
  const imports = lines.findIndex((l) => l.includes('from "foehn"')) + 1;
  expect(lines.length - imports).toBeLessThanOrEqual(30);

  const library = pathToFileURL(path.join(root, "dist/index.js")).href;
  const { code } = await transform(example.replace('"foehn"', JSON.stringify(library)), {
    loader: "ts",
    format: "esm",
  });
  const folder = await mkdtemp(path.join(root, "dist/example-"));
  const said: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((...words) => said.push(words.join(" ")));
  try {
    await writeFile(path.join(folder, "example.mjs"), code);
    const { bytes } = (await import(/* @vite-ignore */ pathToFileURL(path.join(folder, "example.mjs")).href)) as {
      bytes: Uint8Array;
    };
    const losses = said.map((line) => Number(line.split(" ")[1]));
    expect(losses.length).toBe(6);
    expect(losses[5]).toBeLessThan(0.003); // the mean square of what it learns is 0.15
    expect(importOnnx(bytes, { source: "example" }).parameters.size).toBe(8);
  } finally {
    log.mockRestore();
    await rm(folder, { recursive: true });
  }
});
