import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsServerBinary, startNatsServer } from "../testing/nats-server.node.js";
import { certificateText, makeCertificates } from "./certificates.node.js";
import { natsTransport } from "./nats.node.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "foehn-tls-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

it("makes an authority and a certificate for the server's names, and keeps no key of the authority", async () => {
  const made = await makeCertificates(path.join(folder, "a"), ["hub.example.org", "192.0.2.7"], { run: "r" });
  const [ca, server] = await Promise.all(
    [made.caFile, made.certFile].map(async (f) => new X509Certificate(await readFile(f))),
  );
  expect(server.verify(ca.publicKey)).toBe(true);
  expect(server.checkHost("hub.example.org")).toBe("hub.example.org");
  expect(server.checkIP("192.0.2.7")).toBe("192.0.2.7");
  expect(server.checkHost("elsewhere.org")).toBeUndefined();
  expect((await readdir(path.join(folder, "a"))).sort()).toEqual(["ca.pem", "server-key.pem", "server.pem"]);
  await expect(makeCertificates(path.join(folder, "b"), ["a,DNS:b"], { run: "r" })).rejects.toThrow(/no host name/);
});

/** A certificate of its own authority for localhost, valid between two dates (YYYYMMDDHHMMSSZ). */
async function dated(name: string, from: string, to: string): Promise<{ cert: string; key: string }> {
  const at = (file: string): string => path.join(folder, `${name}-${file}`);
  await writeFile(
    at("cnf"),
    `[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = localhost\n[ca]\ndefault_ca = own\n[own]\ndatabase = ${at("db")}\n` +
      `serial = ${at("serial")}\nnew_certs_dir = ${folder}\ndefault_md = sha256\npolicy = any\nx509_extensions = san\n[any]\ncommonName = supplied\n` +
      `[san]\nsubjectAltName = DNS:localhost\nbasicConstraints = CA:true\n`,
  );
  await writeFile(at("db"), "");
  await writeFile(at("serial"), "01\n");
  const run = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("key.pem")];
  run("req", ...key, "-config", at("cnf"), "-out", at("csr"));
  const dates = ["-startdate", from, "-enddate", to];
  const own = ["-selfsign", "-batch", "-notext", "-config", at("cnf"), "-keyfile", at("key.pem")];
  run("ca", ...own, ...dates, "-in", at("csr"), "-out", at("cert.pem"));
  return { cert: at("cert.pem"), key: at("key.pem") };
}

describe.skipIf(!natsServerBinary())("over TLS (needs nats-server: apt-get install nats-server)", () => {
  it.each([
    ["20010101000000Z", "20020101000000Z", /has expired by this machine's clock \(.*\); set the clock/],
    ["20900101000000Z", "20910101000000Z", /not valid yet by this machine's clock \(.*\); set the clock/],
  ])("a certificate of %s to %s and this machine's clock", async (from, to, message) => {
    const { cert, key } = await dated(from, from, to);
    const server = await startNatsServer(
      (port, data) =>
        `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${data}" }\ntls { cert_file: "${cert}", key_file: "${key}" }\n`,
    );
    const ca = await certificateText(cert);
    const open = natsTransport({ servers: `tls://localhost:${server.port}`, run: "r", role: "hub", ca });
    await expect(open).rejects.toThrow(message);
    await server.stop();
  });
});
