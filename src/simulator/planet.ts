/** The constants of a planet with an atmosphere, and Earth's as the published test cases use them. */
export interface Planet {
  /** Radius, m. */
  readonly radius: number;
  /** Rotation, rad/s. */
  readonly rotation: number;
  /** Gravity, m/s^2. */
  readonly gravity: number;
  /** Gas constant of dry air, J/(kg K). */
  readonly gasConstant: number;
  /** Specific heat of dry air at constant pressure, J/(kg K). */
  readonly specificHeat: number;
  /** Reference pressure p0, Pa. */
  readonly pressure: number;
}

/** Held and Suarez (1994): kappa = R / cp = 2/7. */
export const EARTH: Planet = {
  radius: 6.371e6,
  rotation: 7.292e-5,
  gravity: 9.8,
  gasConstant: (1004 * 2) / 7,
  specificHeat: 1004,
  pressure: 1e5,
};

export const DAY = 86_400;
