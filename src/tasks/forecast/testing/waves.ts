/** Weather whose future is known: waves that travel east by one column a step. */
import { type Dataset, memoryDataset } from "../../../data/dataset.js";
import { float32 } from "../../../tensor/ndarray.js";
import { random } from "../../../tensor/random.js";

export const [HEIGHT, WIDTH] = [6, 10];

/** Waves that travel east by one column a step, over a daily and an annual cycle, with a little noise. */
export function travellingWaves({ steps = 400 } = {}): Dataset {
  const rng = random(5);
  const data = new Float32Array(steps * HEIGHT * WIDTH);
  const phases = Array.from({ length: 40 }, () => rng.normal());
  for (let t = 0; t < steps; t++)
    for (let i = 0; i < HEIGHT; i++)
      for (let j = 0; j < WIDTH; j++) {
        const wave = Math.sin((2 * Math.PI * (j - t)) / WIDTH + 3 * Math.sin(phases[Math.floor(t / 20) % 40]));
        data[(t * HEIGHT + i) * WIDTH + j] =
          280 + 5 * i + 3 * Math.cos((Math.PI * t) / 2) + 4 * wave + 0.1 * rng.normal();
      }
  const axis = (values: number[], attrs: Record<string, string>, name: string) => ({
    dims: [name],
    data: { dtype: "float64" as const, shape: [values.length], data: Float64Array.from(values) },
    attrs,
  });
  return memoryDataset({
    time: axis(
      Array.from({ length: steps }, (_, t) => 6 * t),
      { units: "hours since 2001-01-01", standard_name: "time" },
      "time",
    ),
    latitude: axis(
      Array.from({ length: HEIGHT }, (_, i) => 60 - 5 * i),
      { units: "degrees_north" },
      "latitude",
    ),
    longitude: axis(
      Array.from({ length: WIDTH }, (_, j) => 5 * j),
      { units: "degrees_east" },
      "longitude",
    ),
    t: { dims: ["time", "latitude", "longitude"], data: float32([steps, HEIGHT, WIDTH], data), attrs: { units: "K" } },
  });
}
