/** A credential: one file that holds all a site (or the hub) needs to reach its run. It is a password; only its owner may read it. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { DataError } from "../../errors.js";
import { NAME } from "./transport.js";

const schema = z.strictObject({
  foehn: z.literal("credential"),
  run: z.string().regex(NAME),
  role: z.enum(["hub", "site"]),
  /** The site's name; absent for the hub. */
  site: z.string().regex(NAME).optional(),
  /** Where the server is, e.g. tls://hub.example.org:4222. */
  server: z.string(),
  /** Secret seed of the NKey. */
  seed: z.string().regex(/^SU[A-Z2-7]+$/),
  /** Certificate of the authority that signed the server's, PEM. */
  ca: z.string().optional(),
});
export type Credential = z.infer<typeof schema>;

export async function writeCredential(file: string, content: Omit<Credential, "foehn">): Promise<void> {
  const text = `${JSON.stringify({ foehn: "credential", ...content }, null, 1)}\n`;
  await writeFile(`${file}.part`, text, { mode: 0o600 });
  await rename(`${file}.part`, file);
}

/** Reads a credential; DataError where it is missing or is none. */
export async function readCredential(file: string): Promise<Credential> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new DataError(file, "the credential cannot be read; the hub's owner makes one with foehn hub --init", {
      cause,
    });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new DataError(file, "this is no credential of foehn hub --init; ask the hub's owner to send it again", {
      cause,
    });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new DataError(
    file,
    `the credential's '${path.join(".")}' is wrong: ${message}; ask the hub's owner to send it again`,
  );
}
