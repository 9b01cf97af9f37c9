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
    what: "rain belt (the latitude south of which half the rain within 20° falls)",
    value: "5.3° S in northern winter, 7.2° N in northern summer, 1.65° N in the year's mean",
    source: "Donohoe, Marshall, Ferreira and McGee (2013, J. Climate 26, abstract)",
  },
  {
    what: "global mean precipitation",
    value: "2.70 mm/day",
    source: "GPCP 2.3, Adler et al. (2018, table 3)",
  },
];
