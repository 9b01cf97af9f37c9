/** The skeleton that every report shares: one page with its style and script inside, sections, rows of figures. */
import type { Figure } from "./figures.js";
import { SAVE_SCRIPT } from "./save-script.js";
import { STYLE } from "./style.js";
import { escape } from "./svg.js";

/** The whole page; `body` is markup. */
export const pageHtml = (title: string, body: readonly string[]): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${onceEach(body.join("\n"))}
</main>
<script>${SAVE_SCRIPT}</script>
</body>
</html>
`;

/** Coastlines of maps of one frame are the same line: drawn once and used again, or they would be most of the page. */
function onceEach(markup: string): string {
  const known = new Map<string, string>();
  return markup.replace(/<path class="coast"([^>]*)\/>/g, (line, attributes: string) => {
    const before = known.get(attributes);
    if (before) return `<use href="#${before}"/>`;
    const id = `coast-${known.size}`;
    known.set(attributes, id);
    return line.replace("<path", `<path id="${id}"`);
  });
}

export const section = (title: string, ...parts: readonly string[]): string =>
  `<section><h2>${escape(title)}</h2>\n${parts.join("\n")}</section>`;
export const paragraph = (words: string): string => words && `<p class="evidence">${escape(words)}</p>`;
export const grid = (kind: string, figures: readonly Figure[]): string =>
  `<div class="${kind}">${figures.map(({ name, svg }) => `<figure id="${name}">${svg}</figure>`).join("")}</div>`;

/** What was compared with what, as terms and words. */
export const factList = (facts: readonly (readonly [string, string])[]): string =>
  `<dl>${facts.map(([term, words]) => `<div><dt>${term}</dt><dd>${escape(words)}</dd></div>`).join("")}</dl>`;

/** Paths are long; the last part names the data. */
export const baseName = (path: string): string => path.replace(/[\\/]+$/, "").replace(/^.*[\\/]/, "");
