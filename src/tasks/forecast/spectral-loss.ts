/**
 * A loss that does not reward blur. The squared error punishes a sharp feature in a slightly wrong place twice, where it is and where
 * it should be, so networks learn to smooth away what they cannot place. Split by total wavenumber n of the sphere,
 *
 *     (a - b)^2  ->  (sqrt A_n - sqrt B_n)^2 + 2 sqrt(A_n B_n) (1 - coherence_n),     coherence_n = <a b>_n / sqrt(A_n B_n),
 *
 * the second term is what falls with the forecast's own power A_n. With the larger of both powers in place of their geometric mean it
 * no longer does: the adjusted mean square error of Subich et al. (2025, arXiv:2501.19374). What lies beyond the truncation keeps the
 * plain squared error.
 */
import { latitudeWeights } from "../../earth/weights.js";
import type { Tensor } from "../../graph/graph.js";
import { add, div, maximum, mul, reduceMean, reduceSum, sqrt, square, sub } from "../../graph/ops.js";
import { harmonics, mostWavenumbers, toGrid, toSpectrum } from "../../models/harmonics.js";
import { float32 } from "../../tensor/ndarray.js";
import type { Normaliser } from "./normaliser.js";

/** Power below which a wavenumber counts as empty, the loss's own scale being one. */
const NOTHING = 1e-9;

/**
 * The adjusted mean square error of forecast and truth [batch, channel, latitude, longitude] on a global grid, a scalar. `weight` of
 * the same shape is what multiplies their squared difference, area included, as for the plain error; the mean is over all of it.
 */
export function adjustedSquaredError(
  forecast: Tensor,
  truth: Tensor,
  weight: Tensor,
  { latitudes, longitudes }: Pick<Normaliser, "latitudes" | "longitudes">,
): Tensor {
  const { graph } = forecast;
  const [, , height, width] = forecast.shape;
  const area = graph.constant(float32([1, 1, height, 1], Float32Array.from(latitudeWeights(latitudes))));
  const scale = sqrt(div(weight, area));
  const [a, b] = [mul(scale, forecast), mul(scale, truth)];
  // Two thirds of what the rows bear: on grids that are not Gaussian the quadrature is good to there
  const sphere = harmonics({ latitudes, longitudes, fields: a }, Math.floor((2 / 3) * mostWavenumbers(height, width)));
  const [fa, fb] = [toSpectrum(a, sphere), toSpectrum(b, sphere)];
  // The mean square of cos and sin is a half, of the zonal mean one
  const orders = sphere.analyseColumns.shape[1];
  const share = graph.constant(
    float32(
      [orders, 1, 1],
      Float32Array.from({ length: orders }, (_, k) => (k < 2 ? 1 : 0.5)),
    ),
  );
  const power = (x: Tensor, y: Tensor): Tensor => reduceSum(mul(share, mul(x, y)), { axes: [0] }); // [n, batch channel]
  const [pa, pb] = [add(power(fa, fa), NOTHING), add(power(fb, fb), NOTHING)];
  const [ra, rb] = [sqrt(pa), sqrt(pb)];
  const coherence = div(power(fa, fb), mul(ra, rb));
  const adjusted = add(square(sub(ra, rb)), mul(mul(maximum(pa, pb), 2), sub(1, coherence)));
  const error = sub(a, b);
  const beyond = sub(error, toGrid(sub(fa, fb), sphere, a.shape));
  return add(reduceMean(reduceSum(adjusted, { axes: [0] })), reduceMean(mul(area, square(beyond))));
}
