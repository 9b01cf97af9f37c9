/**
 * Certificates for a run's server, made locally: an authority of the run's own and a certificate for the server's addresses, on
 * P-256, by openssl (every Debian has it). The authority's key signs once and is not kept.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { FoehnError, UsageError } from "../../errors.js";

const run = promisify(execFile);

export interface ServerCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

/**
 * Makes ca.pem, server.pem and server-key.pem in `folder`, valid for `days` from now, for the given host
 * names and addresses. FoehnError where openssl is missing or fails.
 */
export async function makeCertificates(
  folder: string,
  addresses: readonly string[],
  { run: name, days = 825 }: { run: string; days?: number },
): Promise<ServerCertificate> {
  const odd = addresses.find((a) => !/^[A-Za-z0-9.:_*-]+$/.test(a));
  if (odd !== undefined)
    throw new UsageError(`'${odd}' is no host name or address; write e.g. hub.example.org or 192.0.2.7`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = (name: string): string => path.join(folder, name);
  const names = addresses.map((a) => `${isIP(a) ? "IP" : "DNS"}:${a}`).join(",");
  await writeFile(
    file("openssl.cnf"),
    `[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = foehn run ${name}\n` +
      `[ca]\nbasicConstraints = critical,CA:true\nkeyUsage = critical,keyCertSign\nsubjectKeyIdentifier = hash\n` +
      `[server]\nbasicConstraints = critical,CA:false\nextendedKeyUsage = serverAuth\nsubjectAltName = ${names}\n`,
  );
  const newKey = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const config = ["-config", file("openssl.cnf")];
  try {
    await openssl([
      ...newKey,
      ...config,
      "-x509",
      "-extensions",
      "ca",
      "-days",
      `${days}`,
      "-keyout",
      file("ca-key.pem"),
      "-out",
      file("ca.pem"),
    ]);
    await openssl([...newKey, ...config, "-keyout", file("server-key.pem"), "-out", file("server.csr")]);
    await openssl(
      ["x509", "-req", "-in", file("server.csr"), "-CA", file("ca.pem"), "-CAkey", file("ca-key.pem")].concat(
        ["-CAcreateserial", "-days", `${days}`, "-extfile", file("openssl.cnf"), "-extensions", "server"],
        ["-out", file("server.pem")],
      ),
    );
  } finally {
    for (const spent of ["ca-key.pem", "server.csr", "openssl.cnf", "ca.srl"]) await rm(file(spent), { force: true });
  }
  return { certFile: file("server.pem"), keyFile: file("server-key.pem"), caFile: file("ca.pem") };
}

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await run("openssl", args);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new FoehnError(
      missing
        ? "certificates are made by openssl, which is not installed: apt-get install openssl, or give --no-tls for a network you trust"
        : `openssl could not make the server's certificate: ${(cause as { stderr?: string }).stderr?.split("\n")[0] ?? "no reason given"}`,
      { cause },
    );
  }
}

/** The text of a certificate, to travel inside a site's credential. */
export const certificateText = (file: string): Promise<string> => readFile(file, "utf8");
