/** SVG as text: elements, escaping, and the inks and type that every figure shares. */

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One element; numbers are rounded to a hundredth. Children are markup: escape text with `text`. */
export function el(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? +value.toFixed(2) : escape(value!)}"`)
    .join("");
  return children.length ? `<${name}${written}>${children.join("")}</${name}>` : `<${name}${written}/>`;
}

/** A text node in the figure's type. */
export const label = (x: number, y: number, words: string, attributes: Attributes = {}): string =>
  el("text", { x, y, fill: INK, "font-size": 12, ...attributes }, escape(words));

export const escape = (words: string): string =>
  words.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);

/** A standalone figure; scales with its container. `title` is read aloud. */
export function figure(width: number, height: number, title: string, ...children: readonly string[]): string {
  return el(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${+width.toFixed(1)} ${+height.toFixed(1)}`,
      width,
      height,
      role: "img",
      "font-family": "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif",
    },
    el("title", {}, escape(title)),
    ...children,
  );
}

export const INK = "#16212b";
export const MUTED = "#5d6b78";
export const RULE = "#dde3e8";
export const PAPER = "#ffffff";

/** Line colours, told apart by every kind of colour vision (Okabe and Ito 2008); the forecast is the strongest. */
export const FORECAST_COLOUR = "#0b5394";
const BASELINE_COLOURS: Readonly<Record<string, { colour: string; dash?: string }>> = {
  persistence: { colour: "#d98a00", dash: "7 4" },
  climatology: { colour: "#7d7d7d", dash: "2 3" },
  "damped-anomaly": { colour: "#009e73", dash: "10 3 2 3" },
  ridge: { colour: "#b8578f" },
  truth: { colour: "#16212b", dash: "5 3" },
  bilinear: { colour: "#d55e00" },
  bicubic: { colour: "#d98a00", dash: "7 4" },
  nearest: { colour: "#a0522d", dash: "3 3" },
  "quantile-mapping": { colour: "#b8578f" },
  "ridge-quantile-mapping": { colour: "#009e73" },
  analogs: { colour: "#d55e00" },
};
const OTHERS = ["#56b4e9", "#a0522d", "#6a5acd"];

/** How a forecaster's line looks; null is the forecast. */
export function strokeOf(baseline: string | null, index = 0): { colour: string; dash?: string; width: number } {
  if (baseline === null) return { colour: FORECAST_COLOUR, width: 3 };
  return { ...(BASELINE_COLOURS[baseline] ?? { colour: OTHERS[index % OTHERS.length] }), width: 1.6 };
}

/** Units as they are set in text: `K`, `m s⁻¹`. */
export function prettyUnits(units: string): string {
  const superscripts: Readonly<Record<string, string>> = { "-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴" };
  return units
    .replace(/^deg_?k$|^kelvin$/i, "K")
    .replace(/^deg_?c$|^celsius$/i, "°C")
    .replace(/\*\*|\^/g, "")
    .replace(
      /([a-zA-Z])(-?\d)/g,
      (_, letter: string, power: string) => letter + [...power].map((c) => superscripts[c] ?? c).join(""),
    );
}
