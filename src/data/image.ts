/**
 * Fields coded as pictures: a PNG whose channels are variables between a least and a greatest value, which a JSON beside it
 * names (`{ "width": 360, "height": 180, "uMin": -21.3, "uMax": 26.8, "date": "2016-11-20T00:00Z" }`), as wind maps for
 * browsers use them. Rows go from north to south over the globe, columns from 0 eastward.
 */
import { decode } from "fast-png";
import { parseTime } from "../earth/time.js";
import { DataError } from "../errors.js";
import { asArray } from "./blocks.js";
import { type Dataset, memoryDataset, type MemoryVariable } from "./dataset.js";

/** Deflate makes at most this many bytes of one; a pixel takes a bit at least. */
const BEST_DEFLATE = 1032 * 8;

/** The picture's header must promise what the JSON says, and no more than its bytes can hold, before it is decoded. */
function checkSize(png: Uint8Array, said: Readonly<Record<string, unknown>>, source: string): void {
  if (png.length < 33)
    throw new DataError(source, `the picture ends at byte ${png.length}, inside its header; copy it again`);
  const header = new DataView(png.buffer, png.byteOffset + 16, 8);
  const [width, height] = [header.getUint32(0), header.getUint32(4)];
  for (const [name, length] of Object.entries({ width, height }))
    if (typeof said[name] === "number" && said[name] !== length)
      throw new DataError(
        source,
        `the picture's ${name} is ${length} (byte ${name === "width" ? 16 : 20}) where its JSON says ${said[name]}; they belong to different pictures, or it is damaged`,
      );
  if (width * height > BEST_DEFLATE * png.length)
    throw new DataError(
      source,
      `${png.length} bytes cannot hold the ${width} x ${height} pixels that byte 16 promises; it is damaged, copy it again`,
    );
}

/** Decodes the picture: one variable for each NAMEMin and NAMEMax, channels in their order. */
export function imageDataset(png: Uint8Array, about: unknown, source: string): Dataset {
  const said = (typeof about === "object" && about !== null ? about : {}) as Record<string, unknown>;
  const names = Object.keys(said)
    .filter((key) => key.endsWith("Min") && `${key.slice(0, -3)}Max` in said)
    .map((key) => key.slice(0, -3));
  checkSize(png, said, source);
  let image: ReturnType<typeof decode>;
  try {
    image = decode(png);
  } catch (cause) {
    throw new DataError(
      source,
      `it cannot be read as PNG (${(cause as Error).message}); it is truncated or damaged, copy it again`,
      { cause },
    );
  }
  const { width, height, channels, depth, data } = image;
  if (names.length === 0 || names.length > channels)
    throw new DataError(
      source,
      `a picture is data only where the JSON beside it gives each channel's Min and Max (uMin, uMax, ...); it names ${names.length} of ${channels}`,
    );
  const full = 2 ** depth - 1;
  const fields = names.map((name, channel): [string, MemoryVariable] => {
    const [low, high] = [Number(said[`${name}Min`]), Number(said[`${name}Max`])];
    const values = Float32Array.from(
      { length: width * height },
      (_, i) => low + ((high - low) * data[i * channels + channel]) / full,
    );
    return [
      name,
      { dims: ["time", "latitude", "longitude"], data: asArray("float32", [1, height, width], values), attrs: {} },
    ];
  });
  const date = typeof said["date"] === "string" ? said["date"] : "";
  const seconds = secondsOf(date);
  const axis = (name: string, values: Float64Array, units: string): [string, MemoryVariable] => [
    name,
    { dims: [name], data: asArray("float64", [values.length], values), attrs: { units } },
  ];
  const dataset = memoryDataset(
    Object.fromEntries([
      axis("time", Float64Array.of(seconds), "seconds since 1970-01-01"),
      axis(
        "latitude",
        Float64Array.from({ length: height }, (_, i) => 90 - (180 * i) / height),
        "degrees_north",
      ),
      axis(
        "longitude",
        Float64Array.from({ length: width }, (_, i) => (360 * i) / width),
        "degrees_east",
      ),
      ...fields,
    ]),
    {
      source,
      attrs: Number.isNaN(seconds)
        ? { problems: `the JSON beside it gives the date '${date}', which is no time; write it as 2013-07-01T06:00Z` }
        : {},
    },
  );
  return { ...dataset, format: "png" };
}

/** NaN where the text is no time. */
function secondsOf(date: string): number {
  try {
    return parseTime(date) / 1000;
  } catch {
    return NaN;
  }
}
