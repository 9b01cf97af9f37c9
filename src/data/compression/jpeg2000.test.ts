/** Against OpenJPEG (fixtures/make-jpeg2000.py): every way of coding that part 1 of the standard knows, and hostile streams. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { decodeJpeg2000, Jpeg2000Error } from "./jpeg2000/index.js";

interface Fixture {
  width: number;
  height: number;
  bits: number;
  samples: string;
  /** `samples` where OpenJPEG reads others than were coded. */
  rows: { way: string; code: string; samples: string | null }[];
}
const fixture = JSON.parse(readFileSync(new URL("fixtures/jpeg2000.json", import.meta.url), "utf8")) as Fixture;
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const samplesOf = (text: string): Uint16Array => new Uint16Array(bytesOf(text).buffer);

describe("OpenJPEG's codestreams", () => {
  it.each(fixture.rows)("$way", ({ way, code, samples }) => {
    const decoded = decodeJpeg2000(bytesOf(code));
    expect(decoded).toMatchObject({ width: fixture.width, height: fixture.height, depth: fixture.bits, signed: false });
    const want = samplesOf(samples ?? fixture.samples);
    // OpenJPEG's 9/7 wavelet is of float32, and of a constant that is 2e-5 off: a rounding may fall to the other side.
    const tolerance = way.includes("9/7") ? 1 : 0;
    const off = decoded.samples.reduce((most, x, i) => Math.max(most, Math.abs(x - want[i])), 0);
    expect(off).toBeLessThanOrEqual(tolerance);
  });
});

it("reads what is cut, changed or promised too much to an end", () => {
  const numbers = random(7);
  let [read, refused] = [0, 0];
  for (let n = 0; n < 3000; n++) {
    const whole = bytesOf(fixture.rows[n % fixture.rows.length].code);
    const bytes = n % 5 === 0 ? whole.subarray(0, numbers.integer(whole.length)) : whole;
    const reach = n % 2 ? Math.min(150, bytes.length) : bytes.length;
    for (let k = numbers.integer(5); k > 0 && reach > 0; k--) bytes[numbers.integer(reach)] = numbers.integer(256);
    try {
      decodeJpeg2000(bytes, 1 << 16);
      read++;
    } catch (error) {
      if (!(error instanceof Jpeg2000Error)) throw error;
      refused++;
    }
  }
  expect(read).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

it("names what it does not read", () => {
  const whole = bytesOf(fixture.rows[0].code);
  const changed = (at: number, value: number): Uint8Array => whole.map((x, i) => (i === at ? value : x));
  expect(() => decodeJpeg2000(changed(1, 0))).toThrow("not a JPEG 2000 codestream");
  expect(() => decodeJpeg2000(changed(41, 3))).toThrow("3 components; fields have one");
  expect(() => decodeJpeg2000(changed(42, 30))).toThrow("31 bits are not read; up to 28 are");
  expect(() => decodeJpeg2000(whole, 100)).toThrow(`more than the 100 there may be`);
});
