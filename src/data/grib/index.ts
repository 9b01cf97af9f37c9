/**
 * GRIB editions 1 and 2, read and written without a native library; runs in Node and in a browser.
 *
 *     const source = await openFileSource("forecast.grib2"); // Node: ../byte-source.node.ts. Anywhere: memorySource(bytes)
 *     const dataset = await openGrib(source, "forecast.grib2", { onClose: () => source.close() });
 *     const t500 = await variable(dataset, "t").read({ time: 0, level: 3 });
 *
 *     const bytes = encodeGrib2([{ parameter: "2t", values, latitude, longitude, time, leadHours: 6 }], { packing: "ccsds" });
 *
 * Read: simple, complex, spatial differencing (with missing values), second-order, IEEE, JPEG 2000, PNG, CCSDS,
 * run-length, logarithmic, spectral simple and complex. Refused, and said: matrices of values, predefined grids and bitmaps,
 * JPEG 2000 above 28 bits, second-order packing of edition 2 in alternating rows, spectral truncations that are not
 * triangular. Coordinates: lat-lon, Gaussian, reduced, rotated, Lambert, polar stereographic, Mercator, HEALPix; fields on
 * other grids are read without. Written: simple and CCSDS on regular lat-lon and Gaussian grids.
 */
export { gridCoordinates, type GridCoordinates } from "./coordinates.js";
export { decodeField, gridOrder } from "./decode.js";
export { encodeGrib2, encodeMessage, type EncodeOptions, type FieldToEncode } from "./encode-grib2.js";
export type { GribField } from "./field.js";
export { gaussianLatitudes } from "./gaussian.js";
export { openGrib, type OpenGribOptions } from "./open-grib.js";
export { type Parameter, parameterNamed, parameterOf, parameterOfField } from "./parameters.js";
export { type GribIndex, indexGrib } from "./scan.js";
export { mergeRanges, parseSidecar, type SidecarEntry, type SidecarRange } from "./sidecar.js";
export { type ByteSource, memorySource, windowed } from "../byte-source.js";
export { gribMessages, type WriteGribOptions } from "./write-grib.js";
