/** Signed messages: ECDSA on P-256 with SHA-256, by WebCrypto, so that browsers and old Node versions can take part. */
import { FoehnError } from "../../errors.js";
import { base64, unbase64 } from "../compress/hash.js";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;

/** A site's identity. The private half never leaves the site. */
export interface Identity {
  /** Base64 of the raw public key. */
  readonly publicKey: string;
  readonly privateKey: CryptoKey;
}

export async function newIdentity(): Promise<Identity> {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return { publicKey: await rawPublic(pair.publicKey), privateKey: pair.privateKey };
}

const rawPublic = async (key: CryptoKey): Promise<string> =>
  base64(new Uint8Array(await crypto.subtle.exportKey("raw", key)));

/** The identity as text to keep in a file only its owner can read. */
export async function exportIdentity({ publicKey, privateKey }: Identity): Promise<string> {
  return JSON.stringify({ publicKey, key: await crypto.subtle.exportKey("jwk", privateKey) });
}

export async function importIdentity(text: string): Promise<Identity> {
  try {
    const { publicKey, key } = JSON.parse(text) as { publicKey: string; key: JsonWebKey };
    return { publicKey, privateKey: await crypto.subtle.importKey("jwk", key, ALGORITHM, true, ["sign"]) };
  } catch (cause) {
    throw new FoehnError(
      "the site's identity file is not one; delete it to get a new identity, and register it with the hub",
      {
        cause,
      },
    );
  }
}

/** The signature of a message, base64. */
export const sign = async ({ privateKey }: Identity, message: string): Promise<string> =>
  base64(new Uint8Array(await crypto.subtle.sign(SIGNING, privateKey, new TextEncoder().encode(message))));

/** Whether `signature` is that of the owner of `publicKey` on the message; false for anything malformed. */
export async function verify(publicKey: string, message: string, signature: string): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey("raw", unbase64(publicKey), ALGORITHM, false, ["verify"]);
    return await crypto.subtle.verify(SIGNING, key, unbase64(signature), new TextEncoder().encode(message));
  } catch {
    return false; // a malformed key or signature is not a valid one; who sent it is named by the caller
  }
}

/** JSON with sorted keys: the same text for the same value, to be signed. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object")
    return `{${Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
      .join(",")}}`;
  return JSON.stringify(value);
}
