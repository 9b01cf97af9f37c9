// `npm run bench [-- --json] [group ...]`: runs bench/<group>.ts on the built library.
import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "./build.js";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
await build();
const { build: esbuild } = await import("esbuild");
const out = path.join(root, "dist", "bench", "main.mjs");
mkdirSync(path.dirname(out), { recursive: true });
await esbuild({
  entryPoints: [path.join(root, "bench", "main.ts")],
  outfile: out,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20.10",
  logLevel: "error",
  plugins: [
    {
      name: "the library is the built one",
      setup: (b) =>
        b.onResolve({ filter: /^\.\.\/src\// }, ({ path: p }) => ({
          path: pathToFileURL(path.join(root, "dist", p.slice("../src/".length))).href,
          external: true,
        })),
    },
  ],
});
await import(pathToFileURL(out).href);
