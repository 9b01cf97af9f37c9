/** Objects of the run under names made of their hashes: models, and the strategy's vectors. */
import { FoehnError } from "../../errors.js";
import { sha256 } from "../compress/hash.js";
import type { Transport } from "../transport/transport.js";
import type { Pointer } from "./messages.js";
import { type Layout, layoutLength } from "./parameters.js";

/** An object is not there: lost, or replaced meanwhile. */
export class Gone extends FoehnError {}

/** Stores a vector or bytes under a name made of its hash: written twice, it is the same object. */
export async function putObject(
  transport: Transport,
  kind: string,
  content: Float32Array | Uint8Array,
): Promise<Pointer> {
  const bytes =
    content instanceof Uint8Array ? content : new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  const hash = await sha256(bytes);
  const object = `${kind}.${hash.slice(0, 32)}`;
  await transport.objects.put(object, bytes);
  return { object, sha256: hash, bytes: bytes.length };
}

/** An object by its pointer, checked; FoehnError where it is missing or another. */
export async function getObject(
  transport: Transport,
  { object, sha256: hash, bytes: size }: Pointer,
): Promise<Uint8Array> {
  const bytes = await transport.objects.get(object, size);
  if (!bytes) throw new Gone(`object '${object}' of the run is not in the store; the message system lost it`);
  if (bytes.length !== size || (await sha256(bytes)) !== hash)
    throw new FoehnError(`object '${object}' of the run is not what its hash says; the message system changed it`);
  return bytes;
}

/** A model object as its vector. */
export async function getVector(transport: Transport, pointer: Pointer, layout: Layout): Promise<Float32Array> {
  const bytes = await getObject(transport, pointer);
  if (bytes.length !== 4 * layoutLength(layout))
    throw new FoehnError(
      `the model has ${bytes.length / 4} numbers, its layout ${layoutLength(layout)}; hub and site differ`,
    );
  return new Float32Array(bytes.slice().buffer);
}
