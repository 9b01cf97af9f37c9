/** Weather that only a map explains: each point becomes what lies east of it, its sign kept or turned by a fixed map. */
import { type Dataset, memoryDataset } from "../../../data/dataset.js";
import { float32 } from "../../../tensor/ndarray.js";
import { random } from "../../../tensor/random.js";

export const [HEIGHT, WIDTH] = [12, 20];
const axis = (values: number[], units: string, name: string) => ({
  dims: [name],
  data: { dtype: "float64" as const, shape: [values.length], data: Float64Array.from(values) },
  attrs: { units },
});
const spaced = (n: number, from: number, step: number) => Array.from({ length: n }, (_, i) => from + step * i);
const LATITUDES = spaced(HEIGHT, 60, -2.5);
const LONGITUDES = spaced(WIDTH, 0, 2.5);

/** 100 or -100 at random, [latitude, longitude]. */
export const signs: Float32Array = (() => {
  const rng = random(11);
  return Float32Array.from({ length: HEIGHT * WIDTH }, () => (rng.uniform() < 0.5 ? 100 : -100));
})();

/** x(t + 1) = 0.95 sign x_east(t) + noise; from the eastern edge new noise comes in. */
export function signedWeather({ steps = 400 } = {}): Dataset {
  const rng = random(12);
  const data = new Float32Array(steps * HEIGHT * WIDTH);
  for (let t = 0; t < steps; t++)
    for (let p = 0; p < HEIGHT * WIDTH; p++) {
      const east = t > 0 && p % WIDTH < WIDTH - 1 ? data[(t - 1) * HEIGHT * WIDTH + p + 1] : undefined;
      data[t * HEIGHT * WIDTH + p] =
        east === undefined ? rng.normal() : 0.95 * Math.sign(signs[p]) * east + 0.3 * rng.normal();
    }
  return memoryDataset({
    time: axis(spaced(steps, 0, 6), "hours since 2001-01-01", "time"),
    latitude: axis(LATITUDES, "degrees_north", "latitude"),
    longitude: axis(LONGITUDES, "degrees_east", "longitude"),
    x: { dims: ["time", "latitude", "longitude"], data: float32([steps, HEIGHT, WIDTH], data), attrs: { units: "1" } },
  });
}

/** The map as a file has it, on these latitudes and longitudes (the weather's where left out). */
export function mapDataset(
  values: Float32Array = signs,
  { latitudes = LATITUDES, longitudes = LONGITUDES } = {},
): Dataset {
  return memoryDataset({
    latitude: axis(latitudes, "degrees_north", "latitude"),
    longitude: axis(longitudes, "degrees_east", "longitude"),
    sign: { dims: ["latitude", "longitude"], data: float32([latitudes.length, longitudes.length], values) },
  });
}
export const AXES = { latitudes: Float64Array.from(LATITUDES), longitudes: Float64Array.from(LONGITUDES) };
