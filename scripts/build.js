// Transpiles src/ to dist/ when a file there is older than its source (0.2 s; types are checked by `npm run check`).
// A clone runs this on its own: npm runs no `prepare` here, since install scripts are off (.npmrc).
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

export async function build() {
  const src = path.join(root, "src");
  const dist = path.join(root, "dist");
  const sources = readdirSync(src, { recursive: true }).filter(
    (f) => f.endsWith(".ts") && !f.endsWith(".test.ts") && !f.endsWith(".d.ts"),
  );
  const stale = sources.filter((f) => {
    const out = path.join(dist, f.replace(/\.ts$/, ".js"));
    return !existsSync(out) || statSync(out).mtimeMs < statSync(path.join(src, f)).mtimeMs;
  });
  if (stale.length === 0) return;
  const { build: esbuild } = await import("esbuild");
  const result = await esbuild({
    entryPoints: stale.map((f) => path.join(src, f)),
    outbase: src,
    outdir: dist,
    format: "esm",
    target: "node20.10",
    supported: { "import-attributes": true }, // JSON modules; Node 20 has them
    sourcemap: true,
    write: false,
    logLevel: "error",
  });
  for (const { path: file, contents } of result.outputFiles) {
    mkdirSync(path.dirname(file), { recursive: true });
    const beside = `${file}.${process.pid}`;
    writeFileSync(beside, contents);
    renameSync(beside, file); // whole or not at all: another process may be starting
  }
  for (const f of existsSync(dist) ? readdirSync(dist, { recursive: true }) : [])
    if (f.endsWith(".js") && !existsSync(path.join(src, f.replace(/\.js$/, ".ts")))) rmSync(path.join(dist, f)); // its source is gone
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
