/** Wind as speed and direction. Directions are where it blows from, degrees clockwise from north (WMO); calm is 0. */

const DEGREES = 180 / Math.PI;

export const windSpeed = (u: number, v: number): number => Math.hypot(u, v);

/** Degrees in (0, 360]; 0 means calm, 360 a wind from the north. */
export function windDirection(u: number, v: number): number {
  if (u === 0 && v === 0) return 0;
  const from = Math.atan2(-u, -v) * DEGREES;
  return from <= 0 ? from + 360 : from;
}

/** Eastward and northward components of a wind. */
export function windComponents(speed: number, direction: number): { u: number; v: number } {
  return { u: -speed * Math.sin(direction / DEGREES), v: -speed * Math.cos(direction / DEGREES) };
}
