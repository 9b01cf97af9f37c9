/** What is observed on Earth beside what `climateFeatures` measures, each with its source. */
export interface Observed {
  readonly what: string;
  readonly value: string;
  readonly source: string;
}

export const OBSERVED: readonly Observed[] = [
  {
    what: "westerly jets in winter",
    value: "some 30 m/s near 30° and 200 hPa in both hemispheres; in summer below 24 m/s, at 40 to 45°",
    source:
      "ERA-Interim 1989-2007 (S. Lubis 2012); latitudes: Holton, An Introduction to Dynamic Meteorology, section 6.1",
  },
  {
    what: "storm tracks",
    value: "in middle latitudes, eddy kinetic energy greatest near 300 hPa",
    source: "Robinson and Black (2005, J. Climate)",
  },
  {
    what: "trade winds",
    value: "easterlies near the ground from 30° S to 30° N",
    source: "ERA-Interim 1989-2007 (S. Lubis 2012)",
  },
  {
    what: "rain belt",
    value: "7 to 10° into the summer hemisphere",
    source: "University of Washington, ATM S 101, zonally averaged winds",
  },
  {
    what: "global mean precipitation",
    value: "2.70 mm/day",
    source: "GPCP 2.3, Adler et al. (2018, table 3)",
  },
];
