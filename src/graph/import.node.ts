/** Opens an ONNX file in Node, with the arrays that lie beside it. */
import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../errors.js";
import { type ExternalData, importOnnx, type ImportedModel, type ImportOptions } from "./import.js";

/** External arrays in the folder of a model; links that lead out of it are refused. */
export function dataBeside(file: string): ExternalData {
  const folder = realpathSync(path.dirname(path.resolve(file)));
  const place = (location: string): string | undefined => {
    const at = path.join(folder, location);
    try {
      const real = realpathSync(at);
      if (!real.startsWith(folder + path.sep))
        throw new DataError(file, `the file '${location}' leads outside the model's folder`);
      return statSync(real).isFile() ? real : undefined;
    } catch (cause) {
      if (cause instanceof DataError) throw cause;
      return undefined;
    }
  };
  return {
    size: (location) => {
      const at = place(location);
      return at === undefined ? undefined : statSync(at).size;
    },
    read(location, offset, length) {
      const bytes = new Uint8Array(length);
      const handle = openSync(place(location)!, "r");
      try {
        for (let done = 0; done < length;) {
          const n = readSync(handle, bytes, done, length - done, offset + done);
          if (n === 0) throw new DataError(file, `the file '${location}' ended while it was read`);
          done += n;
        }
      } finally {
        closeSync(handle);
      }
      return bytes;
    },
  };
}

/** `importOnnx` of a file on disk. */
export async function openOnnx(
  file: string,
  options: Omit<ImportOptions, "source" | "externalData"> = {},
): Promise<ImportedModel> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new DataError(file, "cannot be read", { cause });
  });
  return importOnnx(bytes, { ...options, source: file, externalData: dataBeside(file) });
}
