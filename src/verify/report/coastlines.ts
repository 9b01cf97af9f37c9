/** Coastlines of the world (Natural Earth, 1:110 and 1:50 million, public domain; TopoJSON of the package world-atlas). */
import type { MultiLineString } from "geojson";
import { mesh } from "topojson-client";
import type { GeometryObject, Topology } from "topojson-specification";
import fine from "world-atlas/land-50m.json" with { type: "json" };
import coarse from "world-atlas/land-110m.json" with { type: "json" };

const kept = new Map<unknown, MultiLineString>();

/** As lines, so that a cut at the edge of a map or at the antimeridian draws nothing along the cut; the finer ones for small maps. */
export function coastlines(options: { fine?: boolean } = {}): MultiLineString {
  const source: unknown = options.fine ? fine : coarse;
  let found = kept.get(source);
  if (!found) {
    const topology = source as Topology<{ land: GeometryObject }>;
    kept.set(source, (found = mesh(topology, topology.objects.land)));
  }
  return found;
}
