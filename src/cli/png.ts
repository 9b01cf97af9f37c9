/** SVG figures as PNG through a Chromium on the machine, in one start of it: no library draws text as a browser does. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { writeWhole } from "../data/files.node.js";
import { FoehnError } from "../errors.js";
import type { Output } from "./output.js";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
/** Pixels for a figure's unit. */
const SCALE = 2;

/** Writes a PNG beside every SVG of a folder. Throws where there is no browser, and says what to do instead. */
export async function writePngs(folder: string, out: Pick<Output, "say">): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".svg"));
  const scratch = await mkdtemp(path.join(tmpdir(), "foehn-png-"));
  try {
    // A few at a time: the page hands its pictures back as text.
    for (let from = 0; from < names.length; from += 40) {
      const some = names.slice(from, from + 40);
      const svgs = await Promise.all(some.map((name) => readFile(path.join(folder, name), "utf8")));
      const page = path.join(scratch, `figures-${from}.html`);
      await writeFile(page, pageOf(svgs));
      const text = await dumped(page, scratch);
      const pictures = [...text.matchAll(/<pre>data:image\/png;base64,([^<]*)<\/pre>/g)];
      if (pictures.length !== some.length)
        throw new FoehnError(
          `the browser drew ${pictures.length} of ${some.length} figures; the SVG files and the report are whole`,
        );
      for (const [k, [, base64]] of pictures.entries())
        await writeWhole(path.join(folder, some[k].replace(/svg$/, "png")), Buffer.from(base64, "base64"));
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  out.say(`${names.length} figures as PNG`);
}

/** A page that draws every figure on a canvas and leaves the pictures, in order, as text. */
const pageOf = (svgs: readonly string[]): string => `<!doctype html><meta charset="utf-8"><body><script>
const figures = ${JSON.stringify(svgs).replaceAll("<", "\\u003c")};
(async () => {
  for (const svg of figures) {
    const image = new Image();
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width * ${SCALE}, image.height * ${SCALE}];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const pre = document.createElement("pre");
    pre.textContent = canvas.toDataURL("image/png");
    document.body.append(pre);
  }
})();
</script>`;

async function dumped(page: string, scratch: string): Promise<string> {
  const options = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--virtual-time-budget=60000",
    `--user-data-dir=${scratch}/profile`,
    "--dump-dom",
  ];
  for (const browser of BROWSERS)
    try {
      const run = promisify(execFile);
      return (await run(browser, [...options, `file://${page}`], { maxBuffer: 2 ** 29 })).stdout;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  throw new FoehnError(
    `--png needs Chromium (looked for ${BROWSERS.join(", ")}); install it, or open report.html and click PNG on a figure`,
  );
}
