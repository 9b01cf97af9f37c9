/** Coastlines of the world (Natural Earth, 1:110 million, public domain; TopoJSON of the package world-atlas). */
import type { MultiLineString } from "geojson";
import { mesh } from "topojson-client";
import type { GeometryObject, Topology } from "topojson-specification";
import land from "world-atlas/land-110m.json" with { type: "json" };

let kept: MultiLineString | undefined;

/** As lines, so that a cut at the edge of a map or at the antimeridian draws nothing along the cut. */
export function coastlines(): MultiLineString {
  const topology = land as unknown as Topology<{ land: GeometryObject }>;
  kept ??= mesh(topology, topology.objects.land);
  return kept;
}
