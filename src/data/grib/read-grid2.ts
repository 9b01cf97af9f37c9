/** Section 3 of edition 2, the grid definition section, as a `Grid`. Templates 3.x of WMO Manual on Codes, FM 92-XIV. */
import { type EarthShape, fingerprint, type Grid, type Rotation, scanningOf } from "./grid.js";
import { GribError, type Octets } from "./octets.js";
import { spectralPoints } from "./read-grid1.js";

const MISSING = 0xffffffff;

export function readGrid2(section: Octets): Grid {
  const points = section.u32(7);
  const template = section.u16(13);
  if (section.u8(6) !== 0 && template === 65535)
    throw new GribError(`the grid is predefined by its centre (source ${section.u8(6)}), not described in the message`);
  const common = { key: `2:${fingerprint(section.bytes)}`, points };
  const micro = (n: number) => section.s32(n) / 1e6;
  switch (template) {
    case 0:
    case 1:
    case 40:
    case 41:
      return readGeographic(section, template, common);
    case 10:
      return {
        ...common,
        kind: "projected",
        projection: "mercator",
        type: "mercator",
        scanning: scanningOf(section.u8(60)),
        ...dimensions(section, points),
        firstLatitude: micro(39),
        firstLongitude: micro(43),
        dx: section.u32(65) / 1000,
        dy: section.u32(69) / 1000,
        trueLatitude: micro(48),
        orientation: section.u32(61) / 1e6,
        parallels: [0, 0],
        southPole: false,
        earth: earthShape(section),
      };
    case 20:
    case 30:
      return {
        ...common,
        kind: "projected",
        projection: template === 30 ? "lambert" : "polar",
        type: template === 30 ? "lambert" : "polar_stereographic",
        scanning: scanningOf(section.u8(65)),
        ...dimensions(section, points),
        firstLatitude: micro(39),
        firstLongitude: section.u32(43) / 1e6,
        dx: section.u32(56) / 1000,
        dy: section.u32(60) / 1000,
        trueLatitude: micro(48),
        orientation: micro(52),
        parallels: template === 30 ? [micro(66), micro(70)] : [0, 0],
        southPole: (section.u8(64) & 0x80) !== 0,
        earth: earthShape(section),
      };
    case 50: {
      const [j, k, m] = [section.u32(15), section.u32(19), section.u32(23)];
      const expected = spectralPoints(j, k, m);
      if (points !== expected && points !== expected / 2)
        throw new GribError(`a spectral field of truncation ${j} has ${expected} values, not ${points}`);
      return { ...common, points: expected, kind: "spectral", type: "sh", scanning: scanningOf(0), j, k, m };
    }
    case 150: {
      const nside = section.u32(32);
      if (12 * nside * nside !== points)
        throw new GribError(`a HEALPix grid of Nside ${nside} has ${12 * nside * nside} points, not ${points}`);
      return {
        ...common,
        kind: "healpix",
        type: "healpix",
        scanning: scanningOf(0),
        nside,
        firstLongitude: micro(36),
        nested: section.u8(41) === 1,
      };
    }
    default:
      return {
        ...common,
        kind: "other",
        type: `template_${template}`,
        scanning: scanningOf(0),
        reason: `coordinates of grid definition template 3.${template} are not computed`,
      };
  }
}

/** Templates 3.0 (lat-lon), 3.1 (rotated), 3.40 (Gaussian), 3.41 (rotated), each perhaps with rows of unequal length. */
function readGeographic(section: Octets, template: number, common: { key: string; points: number }): Grid {
  const { points } = common;
  const gaussian = template >= 40;
  const ni = section.u32(31);
  const nj = section.u32(35);
  const basic = section.u32(39);
  const subdivisions = section.u32(43);
  // Angles are in units of the basic angle / subdivisions, or 1e-6 degrees where these are zero or missing.
  const unit =
    basic === 0 || basic === MISSING || subdivisions === 0 || subdivisions === MISSING ? 1e-6 : basic / subdivisions;
  const angle = (n: number) => (unit === 1e-6 ? section.s32(n) / 1e6 : section.s32(n) * unit);
  const rotation: Rotation | undefined =
    template % 10 === 1
      ? { latitude: section.s32(73) / 1e6, longitude: section.u32(77) / 1e6, angle: section.ieee32(81) }
      : undefined;
  const shared = {
    ...common,
    scanning: scanningOf(section.u8(72)),
    firstLatitude: angle(47),
    firstLongitude: angle(51),
    lastLatitude: angle(56),
    lastLongitude: angle(60),
    rotation,
  };
  const name = `${rotation ? "rotated_" : ""}${gaussian ? "gg" : "ll"}`;
  const n = gaussian ? section.u32(68) : undefined;
  if (ni === MISSING) {
    const octetsEach = section.u8(11);
    if (octetsEach !== 1 && octetsEach !== 2 && octetsEach !== 4)
      throw new GribError(`rows are of unequal length, but their lengths take ${octetsEach} octets each`);
    const begin = rotation ? 85 : 73;
    if (nj * octetsEach > section.length) throw new GribError(`the list of lengths of ${nj} rows is cut short`);
    const read = { 1: section.u8, 2: section.u16, 4: section.u32 }[octetsEach];
    const pl = Array.from({ length: nj }, (_, row) => read(begin + octetsEach * row));
    return { ...shared, kind: "reduced", type: `reduced_${name}`, pl, n };
  }
  // A wrong Nj is forgiven where N, the parallels between pole and equator, says what it should be.
  const size =
    n !== undefined && ni * nj !== points && ni * 2 * n === points ? { ni, nj: 2 * n } : dimensions(section, points);
  const shape = { ...size, type: rotation ? name : `regular_${name}` };
  return n === undefined ? { ...shared, ...shape, kind: "latlon" } : { ...shared, ...shape, kind: "gaussian", n };
}

/** Ni and Nj stand at octets 31 and 35 of every template that has rows and columns. */
function dimensions(section: Octets, points: number): { ni: number; nj: number } {
  const [ni, nj] = [section.u32(31), section.u32(35)];
  if (ni * nj !== points) throw new GribError(`the grid has ${ni} x ${nj} points, but says it has ${points}`);
  return { ni, nj };
}

/** Code table 3.2. */
function earthShape(section: Octets): EarthShape {
  const shape = section.u8(15);
  const sphere = (radius: number) => ({ major: radius, minor: radius });
  const scaled = (n: number) => section.u32(n + 1) / 10 ** section.u8(n);
  switch (shape) {
    case 0:
      return sphere(6367470);
    case 1:
      return sphere(scaled(16));
    case 2:
      return { major: 6378160, minor: 6356775 };
    case 3:
      return { major: scaled(21) * 1000, minor: scaled(26) * 1000 };
    case 4:
      return { major: 6378137, minor: 6356752.314 };
    case 5:
    case 10:
      return { major: 6378137, minor: 6356752.314245 };
    case 6:
      return sphere(6371229);
    case 7:
      return { major: scaled(21), minor: scaled(26) };
    case 8:
      return sphere(6371200);
    case 9:
      return { major: 6377563.396, minor: 6356256.909 };
    default:
      throw new GribError(`shape of the earth ${shape} (code table 3.2) is not known`);
  }
}
