/**
 * Secure aggregation (Bonawitz et al. 2017): the hub learns the sum of the sites' updates and no single one, even where sites
 * vanish halfway. Every pair of sites shares a mask that cancels in the sum; each site adds one of its own. Shares of the
 * secrets behind both lie with the other sites: `threshold` of them let the hub take off the pair masks of a vanished site, or
 * the own mask of one that stayed; never both of one site.
 *
 *   1  every site:  newMaskKeys()            publishes its two public keys
 *   2  every site:  dealShares(...)          one sealed parcel for each other site
 *   3  every site:  masked(...)              its update, masked: all the hub sees of it
 *   4  survivors:   revealed(...)            shares for what is left to take off
 *      hub:         unmaskedSum(...)
 *
 * Updates are whole numbers modulo 2^32 (fixed point), so that masks cancel exactly. Which robust rules need single updates:
 * all but the mean; the hub refuses to combine them with masking.
 */
import { FoehnError, UsageError } from "../../errors.js";
import type { Vector } from "../aggregate/rows.js";
import { base64, unbase64 } from "../compress/hash.js";
import { joinSecret, type Share, splitSecret } from "./shamir.js";

const CURVE = { name: "ECDH", namedCurve: "P-256" } as const;

/** What a site publishes: keys to seal parcels with and to agree on pair masks with; base64 of raw P-256 keys. */
export interface MaskPublic {
  readonly channel: string;
  readonly mask: string;
}

export interface MaskKeys {
  readonly public: MaskPublic;
  readonly channel: CryptoKey;
  readonly mask: CryptoKey;
  /** Seed of the site's own mask, 32 bytes. */
  readonly own: Uint8Array;
}

/** The sites of a masked round, by name. */
export type Roster = Readonly<Record<string, MaskPublic>>;

export async function newMaskKeys(): Promise<MaskKeys> {
  const [channel, mask] = await Promise.all([newPair(), newPair()]);
  return {
    public: { channel: channel.publicKey, mask: mask.publicKey },
    channel: channel.privateKey,
    mask: mask.privateKey,
    own: crypto.getRandomValues(new Uint8Array(32)),
  };
}

async function newPair(): Promise<{ publicKey: string; privateKey: CryptoKey }> {
  const pair = await crypto.subtle.generateKey(CURVE, true, ["deriveBits"]);
  return {
    publicKey: base64(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))),
    privateKey: pair.privateKey,
  };
}

/** The 32-byte secret two sites share, bound to a purpose. */
async function agreed(own: CryptoKey, other: string, purpose: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", unbase64(other), CURVE, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: key }, own, 256);
  const text = new TextEncoder().encode(purpose);
  const all = new Uint8Array(32 + text.length);
  all.set(new Uint8Array(shared));
  all.set(text, 32);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

/** `length` 32-bit numbers from a seed: the AES-CTR key stream. */
async function stream(seed: Uint8Array, length: number): Promise<Uint32Array> {
  const key = await crypto.subtle.importKey("raw", seed as Uint8Array<ArrayBuffer>, "AES-CTR", false, ["encrypt"]);
  const zeros = new Uint8Array(4 * length);
  return new Uint32Array(
    await crypto.subtle.encrypt({ name: "AES-CTR", counter: new Uint8Array(16), length: 64 }, key, zeros),
  );
}

const order = (roster: Roster): string[] => Object.keys(roster).sort();

/** Parcels for the other sites: the shares of this site's two secrets, sealed so that only the addressee reads them. */
export async function dealShares(
  site: string,
  keys: MaskKeys,
  roster: Roster,
  { threshold, round }: { threshold: number; round: string },
): Promise<Record<string, string>> {
  const sites = order(roster);
  if (threshold <= sites.length / 2)
    throw new UsageError(
      `masking needs a threshold above half of the ${sites.length} sites, not ${threshold}: two groups could each unmask`,
    );
  const secret = await crypto.subtle.exportKey("jwk", keys.mask);
  const pair = splitSecret(unbase64url(secret.d!), sites.length, threshold);
  const own = splitSecret(keys.own, sites.length, threshold);
  const parcels: Record<string, string> = {};
  for (const [i, peer] of sites.entries()) {
    const plain = new Uint8Array(64);
    plain.set(pair[i].y);
    plain.set(own[i].y, 32);
    const key = await sealKey(keys, roster[peer], round, site, peer);
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, plain));
    const parcel = new Uint8Array(12 + sealed.length);
    parcel.set(nonce);
    parcel.set(sealed, 12);
    parcels[peer] = base64(parcel);
  }
  return parcels;
}

const unbase64url = (text: string): Uint8Array => unbase64(text.replaceAll("-", "+").replaceAll("_", "/"));
const base64url = (bytes: Uint8Array): string =>
  base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function sealKey(keys: MaskKeys, peer: MaskPublic, round: string, from: string, to: string): Promise<CryptoKey> {
  const seed = await agreed(keys.channel, peer.channel, `parcel ${round} ${from} ${to}`);
  return crypto.subtle.importKey("raw", seed, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** Fixed point: how many steps a unit has, so that the sum of `sites` numbers of at most `bound` fits 31 bits. */
export const fixedPointScale = (bound: number, sites: number): number => Math.floor((2 ** 31 - 1) / (bound * sites));

/** A site's update as the hub receives it: rounded to fixed point, with its own mask and those of all pairs. */
export async function masked(
  site: string,
  keys: MaskKeys,
  roster: Roster,
  update: Vector,
  { scale, round }: { scale: number; round: string },
): Promise<Uint32Array> {
  const limit = (2 ** 31 - 1) / scale / Object.keys(roster).length;
  const out = new Uint32Array(update.length);
  for (let i = 0; i < out.length; i++) {
    if (!(Math.abs(update[i]) <= limit * (1 + 1e-6)))
      throw new FoehnError(
        `number ${i} of the update is ${update[i]}, beyond the ${limit} that masking allows; clip the update`,
      );
    out[i] = Math.round(update[i] * scale);
  }
  add(out, await stream(keys.own, out.length), 1);
  for (const peer of order(roster)) {
    if (peer === site) continue;
    const seed = await agreed(keys.mask, roster[peer].mask, `mask ${round}`);
    add(out, await stream(seed, out.length), site < peer ? 1 : -1);
  }
  return out;
}

/** to += sign * what, modulo 2^32. */
function add(to: Uint32Array, what: Uint32Array, sign: 1 | -1): void {
  for (let i = 0; i < to.length; i++) to[i] = sign > 0 ? to[i] + what[i] : to[i] - what[i];
}

/** The sum of masked updates, modulo 2^32. */
export function maskedSum(updates: Iterable<Uint32Array>, length: number): Uint32Array {
  const out = new Uint32Array(length);
  for (const update of updates) add(out, update, 1);
  return out;
}

/** What one survivor gives the hub: a share of the own mask of each survivor, of the pair key of each vanished site. */
export interface Revealed {
  readonly own: Readonly<Record<string, string>>;
  readonly pair: Readonly<Record<string, string>>;
}

/** Opens the parcels this site received and picks what may be revealed: never both secrets of one site. */
export async function revealed(
  site: string,
  keys: MaskKeys,
  roster: Roster,
  parcels: Readonly<Record<string, string>>,
  { survivors, round }: { survivors: readonly string[]; round: string },
): Promise<Revealed> {
  const own: Record<string, string> = {};
  const pair: Record<string, string> = {};
  for (const from of order(roster)) {
    const parcel = parcels[from];
    if (!parcel)
      throw new FoehnError(
        `masking: no parcel from site '${from}' reached site '${site}'; the round cannot be unmasked here`,
      );
    const bytes = unbase64(parcel);
    const key = await sealKey(keys, roster[from], round, from, site);
    let plain: Uint8Array;
    try {
      plain = new Uint8Array(
        await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes.subarray(0, 12) }, key, bytes.subarray(12)),
      );
    } catch (cause) {
      throw new FoehnError(
        `masking: the parcel from site '${from}' to site '${site}' cannot be opened; it was changed on the way`,
        { cause },
      );
    }
    if (survivors.includes(from)) own[from] = base64(plain.slice(32));
    else pair[from] = base64(plain.slice(0, 32));
  }
  return { own, pair };
}

/**
 * The plain sum of the survivors' updates. `reveals` holds what survivors revealed, by site.
 * Throws where fewer than `threshold` answered.
 */
export async function unmaskedSum(
  sum: Uint32Array,
  roster: Roster,
  reveals: Readonly<Record<string, Revealed>>,
  options: { survivors: readonly string[]; threshold: number; scale: number; round: string },
): Promise<Float32Array> {
  const { survivors, threshold, scale, round } = options;
  const sites = order(roster);
  const helpers = order(roster).filter((site) => site in reveals);
  if (helpers.length < threshold)
    throw new FoehnError(
      `masking: ${helpers.length} sites helped to unmask, ${threshold} are needed; the round is void`,
    );
  const secretOf = (kind: "own" | "pair", site: string): Uint8Array => {
    const shares: Share[] = helpers
      .filter((helper) => reveals[helper][kind][site] !== undefined)
      .slice(0, threshold)
      .map((helper) => ({ x: sites.indexOf(helper) + 1, y: unbase64(reveals[helper][kind][site]) }));
    if (shares.length < threshold)
      throw new FoehnError(
        `masking: ${shares.length} shares of site '${site}' came, ${threshold} are needed; the round is void`,
      );
    return joinSecret(shares);
  };
  const out = sum.slice();
  for (const site of survivors) add(out, await stream(secretOf("own", site), out.length), -1);
  for (const site of sites.filter((s) => !survivors.includes(s))) {
    const key = await privateKey(secretOf("pair", site), roster[site].mask);
    for (const survivor of survivors) {
      const seed = await agreed(key, roster[survivor].mask, `mask ${round}`);
      add(out, await stream(seed, out.length), survivor < site ? -1 : 1);
    }
  }
  return Float32Array.from(out, (v) => (v | 0) / scale);
}

/** A private key from its number and the raw public key. */
function privateKey(d: Uint8Array, publicKey: string): Promise<CryptoKey> {
  const raw = unbase64(publicKey); // 4, x, y
  const jwk = {
    kty: "EC",
    crv: "P-256",
    d: base64url(d),
    x: base64url(raw.subarray(1, 33)),
    y: base64url(raw.subarray(33, 65)),
  };
  return crypto.subtle.importKey("jwk", jwk, CURVE, false, ["deriveBits"]);
}
