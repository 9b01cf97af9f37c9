/** The hub's figures for Prometheus over HTTP: GET /metrics on the loopback, or on the address given. */
import { createServer } from "node:http";
import { UsageError } from "../../errors.js";

/** Serves what `text` gives; port 0 takes any that is free. UsageError where the port is in use. */
export function serveMetrics(
  text: () => string,
  { port, host = "127.0.0.1" }: { port: number; host?: string },
): Promise<{ address: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics") {
      response.writeHead(404).end("the metrics are at /metrics\n");
      return;
    }
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text());
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new UsageError(`port ${port} is in use: name another with --metrics, or 0 for any that is free`)
          : error,
      ),
    );
    server.listen(port, host, () => {
      const address = server.address();
      const bound = typeof address === "object" && address ? address.port : port;
      resolve({
        address: `http://${host}:${bound}/metrics`,
        close: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}
