/** Section 2 of edition 1, the grid description section, as a `Grid`. Octets as in WMO Manual on Codes, FM 92-IX Ext. */
import { type EarthShape, fingerprint, type Grid, type Rotation, scanningOf } from "./grid.js";
import { GribError, type Octets } from "./octets.js";

const MISSING = 0xffff;

export function readGrid1(section: Octets): Grid {
  const type = section.u8(6);
  const key = `1:${fingerprint(section.bytes)}`;
  const milli = (n: number) => section.s24(n) / 1000;
  const spectral = [50, 60, 70, 80].includes(type);
  const scanning = scanningOf(spectral ? 0 : section.u8(28));
  const common = { key, scanning };
  if (spectral) {
    const [j, k, m] = [section.u16(7), section.u16(9), section.u16(11)];
    return { ...common, kind: "spectral", type: "sh", j, k, m, points: spectralPoints(j, k, m) };
  }
  const ni = section.u16(7);
  const nj = section.u16(9);
  const earth: EarthShape =
    section.u8(17) & 0x40 ? { major: 6378160, minor: 6356775 } : { major: 6367470, minor: 6367470 };
  const corners = () => ({
    firstLatitude: milli(11),
    firstLongitude: milli(14),
    lastLatitude: milli(18),
    lastLongitude: milli(21),
  });
  const projected = { firstLatitude: milli(11), firstLongitude: milli(14), ni, nj, points: ni * nj, earth };
  switch (type) {
    case 0:
    case 4:
    case 10:
    case 14: {
      const gaussian = type === 4 || type === 14;
      const rotation: Rotation | undefined =
        type >= 10 ? { latitude: milli(33), longitude: milli(36), angle: section.ibm32(39) } : undefined;
      const name = `${rotation ? "rotated_" : ""}${gaussian ? "gg" : "ll"}`;
      const n = gaussian ? section.u16(26) : undefined;
      const pl = ni === MISSING ? pointsPerRow(section, nj) : undefined;
      if (pl)
        return {
          ...common,
          ...corners(),
          kind: "reduced",
          type: `reduced_${name}`,
          pl,
          n,
          rotation,
          points: pl.reduce((a, b) => a + b, 0),
        };
      const shape = { ni, nj, points: ni * nj, rotation, type: rotation ? name : `regular_${name}` };
      return n === undefined
        ? { ...common, ...corners(), ...shape, kind: "latlon" }
        : { ...common, ...corners(), ...shape, kind: "gaussian", n };
    }
    case 1:
      return {
        ...common,
        ...projected,
        kind: "projected",
        projection: "mercator",
        type: "mercator",
        dx: section.u24(29),
        dy: section.u24(32),
        trueLatitude: milli(24),
        orientation: 0,
        parallels: [0, 0],
        southPole: false,
      };
    case 3:
    case 5: {
      const lambert = type === 3;
      return {
        ...common,
        ...projected,
        kind: "projected",
        projection: lambert ? "lambert" : "polar",
        type: lambert ? "lambert" : "polar_stereographic",
        dx: section.u24(21),
        dy: section.u24(24),
        orientation: milli(18),
        trueLatitude: lambert ? milli(29) : 60,
        parallels: lambert ? [milli(29), milli(32)] : [0, 0],
        southPole: (section.u8(27) & 0x80) !== 0,
      };
    }
    default:
      if (ni === MISSING)
        throw new GribError(`grid type ${type} (code table 6) with rows of unequal length is not read`);
      return {
        ...common,
        kind: "other",
        type: `type_${type}`,
        points: ni * nj,
        reason: `coordinates of grid type ${type} (code table 6) are not computed`,
      };
  }
}

/** (J+1)(J+2) real numbers of a triangular truncation. */
export function spectralPoints(j: number, k: number, m: number): number {
  if (j !== k || j !== m) throw new GribError(`only triangular truncations are read, not J=${j}, K=${k}, M=${m}`);
  return (j + 1) * (j + 2);
}

/** The list of points per row stands where octet 5 says, after the NV vertical coordinates of 4 octets each. */
function pointsPerRow(section: Octets, rows: number): number[] {
  const at = section.u8(5);
  if (at === 255) throw new GribError("rows are of unequal length, but the list of their lengths is absent");
  const begin = at + 4 * section.u8(4);
  return Array.from({ length: rows }, (_, row) => section.u16(begin + 2 * row));
}
