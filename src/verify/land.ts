/** Where there is land: Natural Earth's coastlines at 1:110 million, or a mask that the data bring. */
import type { MultiPolygon, Polygon } from "geojson";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import topology from "world-atlas/land-110m.json" with { type: "json" };

type Ring = readonly (readonly number[])[];

let kept: Ring[] | undefined;

function rings(): Ring[] {
  if (kept) return kept;
  const world = topology as unknown as Topology<{ land: GeometryCollection }>;
  const { features } = feature(world, world.objects.land);
  kept = features.flatMap(({ geometry }) => {
    const shape = geometry as Polygon | MultiPolygon;
    return (shape.type === "Polygon" ? shape.coordinates : shape.coordinates.flat()).map(unrolled);
  });
  return kept;
}

/** A ring whose longitudes go on across the antimeridian; one around the pole is closed along it. */
function unrolled(ring: Ring): Ring {
  const out = [[...ring[0]]];
  for (const [x, y] of ring.slice(1)) out.push([x - 360 * Math.round((x - out[out.length - 1][0]) / 360), y]);
  const [first, last] = [out[0], out[out.length - 1]];
  if (Math.abs(last[0] - first[0]) > 180) out.push([last[0], -90], [first[0], -90], first); // only Antarctica
  return out;
}

/** Longitudes at which a parallel crosses a coast: land lies east of every odd one. */
function crossings(latitude: number): number[] {
  const found: number[] = [];
  for (const ring of rings())
    for (let k = 1; k < ring.length; k++) {
      const [[x0, y0], [x1, y1]] = [ring[k - 1], ring[k]];
      if (y0 > latitude !== y1 > latitude) found.push(x0 + ((latitude - y0) / (y1 - y0)) * (x1 - x0));
    }
  return found;
}

/** 1 for cells on land, else 0: [latitude, longitude], or one a place where they are `scattered`. */
export function landMask(
  latitudes: ArrayLike<number>,
  longitudes: ArrayLike<number>,
  options: { scattered?: boolean } = {},
): Uint8Array {
  const wrapped = Float64Array.from(longitudes, (x) => ((((x + 180) % 360) + 360) % 360) - 180);
  // Unrolled rings lie up to a turn away: crossings west of the place are counted on every turn.
  const isLand = (coasts: readonly number[], x: number) =>
    [x - 360, x, x + 360].reduce((count, turn) => count + coasts.filter((coast) => coast < turn).length, 0) % 2;
  if (options.scattered) return Uint8Array.from(latitudes, (y, i) => isLand(crossings(y), wrapped[i]));
  const out = new Uint8Array(latitudes.length * wrapped.length);
  for (let i = 0; i < latitudes.length; i++) {
    const coasts = crossings(latitudes[i]);
    for (let j = 0; j < wrapped.length; j++) out[i * wrapped.length + j] = isLand(coasts, wrapped[j]);
  }
  return out;
}
