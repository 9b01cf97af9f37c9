/**
 * Transverse Mercator on an ellipsoid (UTM's projection): from easting and northing in metres to latitude and longitude in
 * degrees. Krüger's series in the third flattening n to the fourth order (Krüger 1912; Karney 2011, J. Geodesy 85, eq. 36),
 * right to less than a micrometre within a zone.
 */
export interface TransverseMercator {
  /** Semi-major axis, metres. */
  readonly radius: number;
  readonly flattening: number;
  /** Degrees. */
  readonly centralMeridian: number;
  readonly scale: number;
  readonly falseEasting: number;
  readonly falseNorthing: number;
}

/** UTM on GRS 80 (as ETRS89) or WGS 84: the two differ by a tenth of a millimetre. */
export const utm = (zone: number, options: { south?: boolean } = {}): TransverseMercator => ({
  radius: 6_378_137,
  flattening: 1 / 298.257222101,
  centralMeridian: 6 * zone - 183,
  scale: 0.9996,
  falseEasting: 500_000,
  falseNorthing: options.south ? 10_000_000 : 0,
});

const DEGREES = 180 / Math.PI;

/** The place of an easting and a northing: [latitude, longitude]. */
export function inverseTransverseMercator(
  p: TransverseMercator,
  easting: number,
  northing: number,
): [latitude: number, longitude: number] {
  const f = p.flattening;
  const n = f / (2 - f);
  const [n2, n3, n4] = [n * n, n ** 3, n ** 4];
  const a = (p.radius / (1 + n)) * (1 + n2 / 4 + n4 / 64); // the rectifying radius
  const beta = [
    n / 2 - (2 / 3) * n2 + (37 / 96) * n3 - (1 / 360) * n4,
    n2 / 48 + n3 / 15 - (437 / 1440) * n4,
    (17 / 480) * n3 - (37 / 840) * n4,
    (4397 / 161280) * n4,
  ];
  const xi = (northing - p.falseNorthing) / (p.scale * a);
  const eta = (easting - p.falseEasting) / (p.scale * a);
  let [x, e] = [xi, eta];
  beta.forEach((b, i) => {
    const k = 2 * (i + 1);
    x -= b * Math.sin(k * xi) * Math.cosh(k * eta);
    e -= b * Math.cos(k * xi) * Math.sinh(k * eta);
  });
  // tan of the conformal latitude, then of the latitude itself by Newton's steps (Karney 2011, eq. 19-21)
  const conformal = Math.sin(x) / Math.hypot(Math.sinh(e), Math.cos(x));
  const e2 = f * (2 - f);
  const ecc = Math.sqrt(e2);
  let tau = conformal;
  for (let i = 0; i < 5; i++) {
    const sigma = Math.sinh(ecc * Math.atanh((ecc * tau) / Math.sqrt(1 + tau * tau)));
    const found = tau * Math.sqrt(1 + sigma * sigma) - sigma * Math.sqrt(1 + tau * tau);
    tau +=
      (((conformal - found) / Math.sqrt(1 + found * found)) * (1 + (1 - e2) * tau * tau)) /
      ((1 - e2) * Math.sqrt(1 + tau * tau));
  }
  return [Math.atan(tau) * DEGREES, p.centralMeridian + Math.atan2(Math.sinh(e), Math.cos(x)) * DEGREES];
}
