/** A nats-server of one's own for a test: free port on the loopback, folder of its own, gone afterwards. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectSocket, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const PLACES = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/bin"].map((p) =>
  path.join(p, "nats-server"),
);

/** Where nats-server is, or undefined. */
export const natsServerBinary = (): string | undefined => PLACES.find((p) => existsSync(p));

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });

/** Waits until a port answers. */
async function answered(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connectSocket(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (open) return;
    if (tries > 200) throw new Error(`nats-server does not answer on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** `configuration` gets the port and the folder for data. */
export async function startNatsServer(
  configuration: (port: number, data: string) => string | Promise<string> = (port, data) =>
    `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${data}" }\n`,
): Promise<TestServer> {
  const folder = await mkdtemp(path.join(tmpdir(), "foehn-nats-"));
  const port = await freePort();
  const file = path.join(folder, "nats.conf");
  await writeFile(file, await configuration(port, path.join(folder, "data")));
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    child = spawn(natsServerBinary()!, ["-c", file, "-l", path.join(folder, "log")], { stdio: "ignore" });
    await answered(port);
  };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  };
  const atExit = (): void => void child.kill("SIGKILL"); // also where a test process dies before it can stop its server
  process.once("exit", atExit);
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    folder,
    kill,
    restart: start,
    async stop() {
      process.off("exit", atExit);
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
