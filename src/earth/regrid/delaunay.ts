/**
 * Linear interpolation between scattered points: the Delaunay triangulation of the sphere, which is the convex hull of the
 * points as unit vectors (Brown 1979), built point by point; a value is the barycentric mean of its triangle's corners.
 *
 * A network that lies within a hemisphere gets one more point, opposite its middle: triangles with it lie outside, and those
 * without it are the planar Delaunay triangulation in the stereographic projection from there. A place outside the network
 * has no value.
 */
import { UsageError } from "../../errors.js";
import { targetPoints } from "./bracket.js";
import { type Grid, pointsOf } from "./grid.js";
import { unitVectors } from "./sphere-points.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

type Vector = readonly [number, number, number];

const sub = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** Six times the volume of the tetrahedron from the origin: above 0 where a, b, c turn left seen from outside. */
const volume = (a: Vector, b: Vector, c: Vector): number => dot(a, cross(b, c));

/** Rounding of a determinant of unit vectors. */
const ROUNDING = 1e-14;

/** A triangle with its corners turning left seen from outside, and the plane through it. */
interface Triangle {
  readonly corners: readonly [number, number, number];
  readonly normal: Vector;
  readonly offset: number;
}

function triangle(points: readonly Vector[], a: number, b: number, c: number): Triangle {
  const normal = cross(sub(points[b], points[a]), sub(points[c], points[a]));
  return { corners: [a, b, c], normal, offset: dot(normal, points[a]) };
}

const isAbove = ({ normal, offset }: Triangle, p: Vector): boolean => dot(normal, p) - offset > ROUNDING;

/** The convex hull of unit vectors as triangles. */
function hull(points: readonly Vector[]): Triangle[] {
  let triangles = firstTetrahedron(points);
  points.forEach((p, i) => {
    // the side of the hull a new point sees is replaced by triangles from its rim to the point
    const seen = triangles.filter((t) => isAbove(t, p));
    if (seen.length === 0) return; // a corner already, or the same place twice
    const edges = new Map<string, readonly [number, number]>();
    for (const { corners } of seen)
      for (let k = 0; k < 3; k++) {
        const [a, b] = [corners[k], corners[(k + 1) % 3]];
        if (!edges.delete(`${b},${a}`)) edges.set(`${a},${b}`, [a, b]);
      }
    const gone = new Set(seen);
    triangles = triangles.filter((t) => !gone.has(t));
    for (const [a, b] of edges.values()) triangles.push(triangle(points, a, b, i));
  });
  return triangles;
}

function firstTetrahedron(points: readonly Vector[]): Triangle[] {
  const farthest = (measure: (p: Vector) => number): number => {
    let best = 0;
    points.forEach((p, i) => (best = measure(p) > measure(points[best]) ? i : best));
    return best;
  };
  const a = 0;
  const b = farthest((p) => dot(sub(p, points[a]), sub(p, points[a])));
  const ab = sub(points[b], points[a]);
  const c = farthest((p) => {
    const n = cross(ab, sub(p, points[a]));
    return dot(n, n);
  });
  const plane = triangle(points, a, b, c);
  const d = farthest((p) => Math.abs(dot(plane.normal, p) - plane.offset));
  const height = dot(plane.normal, points[d]) - plane.offset;
  if (points.length < 4 || Math.abs(height) < ROUNDING)
    throw new UsageError("a triangulation needs at least three different points that do not lie on one line");
  const [p, q] = height > 0 ? [c, b] : [b, c];
  return [triangle(points, a, p, q), triangle(points, a, q, d), triangle(points, q, p, d), triangle(points, p, a, d)];
}

/** Sorts triangles into cells of 1/N of the cube of unit vectors, so that a place looks at few. */
function finder(points: readonly Vector[], triangles: readonly Triangle[]): (p: Vector) => Triangle | undefined {
  const N = Math.max(2, Math.ceil(Math.sqrt(triangles.length) / 2));
  const cell = (x: number): number => Math.min(N - 1, Math.max(0, Math.floor(((x + 1) / 2) * N)));
  const cells = new Map<number, Triangle[]>();
  for (const t of triangles) {
    const corners = t.corners.map((i) => points[i]);
    // the arc above a triangle bulges beyond its corners by less than the square of its width
    const width = Math.max(...corners.map((p) => Math.sqrt(dot(sub(p, corners[0]), sub(p, corners[0])))));
    const [low, high] = [Math.min, Math.max].map((extreme, sign) =>
      [0, 1, 2].map((axis) => cell(extreme(...corners.map((p) => p[axis])) + (sign ? 1 : -1) * width * width)),
    );
    for (let x = low[0]; x <= high[0]; x++)
      for (let y = low[1]; y <= high[1]; y++)
        for (let z = low[2]; z <= high[2]; z++) {
          const key = (x * N + y) * N + z;
          const list = cells.get(key);
          if (list) list.push(t);
          else cells.set(key, [t]);
        }
  }
  const contains = ({ corners: [a, b, c] }: Triangle, p: Vector): boolean =>
    volume(points[a], points[b], p) >= -ROUNDING &&
    volume(points[b], points[c], p) >= -ROUNDING &&
    volume(points[c], points[a], p) >= -ROUNDING;
  return (p) => cells.get((cell(p[0]) * N + cell(p[1])) * N + cell(p[2]))?.find((t) => contains(t, p));
}

/** Weights of linear interpolation in the triangles between scattered points. */
export function delaunayWeights(source: Grid, target: Grid): RegridWeights {
  const places = [...targetPoints(source)];
  const flat = unitVectors(
    places.map(([y]) => y),
    places.map(([, x]) => x),
  );
  const points = places.map((_, i): Vector => [flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]]);
  const sum = points.reduce((a, b): Vector => [a[0] + b[0], a[1] + b[1], a[2] + b[2]], [0, 0, 0]);
  const length = Math.sqrt(dot(sum, sum));
  const middle: Vector = [sum[0] / length, sum[1] / length, sum[2] / length];
  const ghost = points.length;
  if (points.every((p) => dot(p, middle) > 0)) points.push([-middle[0], -middle[1], -middle[2]]);
  const inside = hull(points).filter(({ corners }) => !corners.includes(ghost));
  const find = finder(points, inside);
  const builder = weightsBuilder(pointsOf(target), places.length);
  for (const [latitude, longitude] of targetPoints(target)) {
    const [x, y, z] = unitVectors([latitude], [longitude]);
    const p: Vector = [x, y, z];
    const found = find(p);
    if (found) {
      const [a, b, c] = found.corners;
      const parts = [volume(points[b], points[c], p), volume(points[c], points[a], p), volume(points[a], points[b], p)];
      const clipped = parts.map((w) => Math.max(0, w));
      const total = clipped[0] + clipped[1] + clipped[2];
      found.corners.forEach((corner, k) => builder.add(corner, clipped[k] / total));
    }
    builder.endRow();
  }
  return builder.build();
}
