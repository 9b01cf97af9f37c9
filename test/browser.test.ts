import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { expect, it } from "vitest";
import { openInline } from "../src/engine/runtime.node.js";
import { lossCurve } from "./browser-model.js";

const CHROMIUM = "/usr/bin/chromium";
const ort = path.dirname(fileURLToPath(import.meta.resolve("onnxruntime-web")));

/** A page with one script, isolated so that WebAssembly may use threads. */
async function serve(script: string): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    const send = (type: string, body: string | Buffer) =>
      response
        .writeHead(200, {
          "content-type": type,
          "cross-origin-opener-policy": "same-origin",
          "cross-origin-embedder-policy": "require-corp",
        })
        .end(body);
    if (pathname === "/") send("text/html", '<!doctype html><script type="module" src="/page.js"></script>');
    else if (pathname === "/page.js") send("text/javascript", script);
    else if (pathname.startsWith("/ort/"))
      readFile(path.join(ort, path.basename(pathname))).then(
        (body) => send(pathname.endsWith(".wasm") ? "application/wasm" : "text/javascript", body),
        () => response.writeHead(404).end(),
      );
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

it.skipIf(!existsSync(CHROMIUM))("trains in a browser along Node's loss curve (needs /usr/bin/chromium)", async () => {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL("browser-page.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    logLevel: "error",
  });
  const server = await serve(bundle.outputFiles[0].text);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const there = (await page.evaluate<unknown>("result")) as { losses: number[]; threads: number; isolated: boolean };
    const here = await lossCurve(await openInline({ threads: 2 }));
    expect(complaints).toEqual([]);
    expect(there.isolated).toBe(true);
    expect(there.threads).toBe(2);
    expect(there.losses.length).toBe(here.losses.length);
    // Other instructions round differently (6e-8 a number); twenty steps of Adam let that grow to some 1e-5
    there.losses.forEach((v, i) => expect(Math.abs(v / here.losses[i] - 1), `step ${i + 1}`).toBeLessThan(1e-4));
    expect(here.losses.at(-1)!).toBeLessThan(0.9 * here.losses[0]);
  } finally {
    await browser.close();
    server.close();
  }
});
