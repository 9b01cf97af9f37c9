/** Broken copies of a file, for tests of readers: flipped bytes, cuts, repeats and wild numbers. */
import { random } from "../../tensor/random.js";

export function* mutations(bytes: Uint8Array, options: { seed: number; count: number }): Generator<Uint8Array> {
  const rng = random(options.seed);
  for (let i = 0; i < options.count; i++) {
    let copy = new Uint8Array(bytes);
    const changes = 1 + rng.integer(4);
    for (let k = 0; k < changes && copy.length > 0; k++) {
      const at = rng.integer(copy.length);
      switch (rng.integer(6)) {
        case 0:
          copy[at] ^= 1 << rng.integer(8);
          break;
        case 1:
          copy[at] = rng.integer(256);
          break;
        case 2:
          copy = copy.slice(0, at);
          break;
        case 3: // a run moved elsewhere
          copy.copyWithin(at, rng.integer(copy.length), rng.integer(copy.length));
          break;
        case 4: // a varint of ten bytes
          copy.fill(0xff, at, at + 9);
          break;
        default:
          copy[at] = [0, 1, 0x7f, 0x80, 0xff][rng.integer(5)];
      }
    }
    yield copy;
  }
}
