/** `foehn serve`: a verification report on localhost. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { DataError, UsageError } from "../errors.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, numeric } from "./options.js";

export const command: CommandFactory = () =>
  commandWith("serve", "Shows a report on localhost.", "foehn serve verification --port 8000")
    .argument("[folder]", "with report.html and scores.json", "verification")
    .option("--port <number>", "0 takes any that is free", numeric, 8000)
    .action(async (folder: string, { port }: { port: number }) => {
      const { address } = await serveReport(folder, { port });
      process.stderr.write(`the report is at ${address} (stop with Ctrl-C)\n`);
    });

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/** The pages of a report's folder; nothing outside it is given out. */
export function reportApp(folder: string): Hono {
  const app = new Hono();
  app.get("/*", async (c) => {
    const wanted = c.req.path === "/" ? "/report.html" : decodeURIComponent(c.req.path);
    const root = path.resolve(folder);
    const file = path.resolve(root, `.${wanted}`);
    const type = TYPES[path.extname(file)];
    if (!file.startsWith(root + path.sep) || !type) return c.notFound();
    try {
      return c.body(new Uint8Array(await readFile(file)), 200, { "content-type": type });
    } catch {
      return c.notFound();
    }
  });
  return app;
}

/** Serves a report's folder on the loopback address; a port in use is refused with the remedy. */
export async function serveReport(
  folder: string,
  { port = 8000 }: { port?: number } = {},
): Promise<{ address: string; close: () => void }> {
  await readFile(path.join(folder, "report.html")).catch((cause: unknown) => {
    throw new DataError(folder, "it has no report.html; make one with 'foehn verify'", { cause });
  });
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: reportApp(folder).fetch, port, hostname: "127.0.0.1" }, (info) =>
      resolve({ address: `http://localhost:${info.port}/`, close: () => server.close() }),
    );
    server.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new UsageError(`port ${port} is in use: name another with --port, or 0 for any that is free`)
          : error,
      ),
    );
  });
}
