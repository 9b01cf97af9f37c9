/** The page's only script: a click on a figure's corner saves it as PNG or SVG. Without it the page is whole. */
export const SAVE_SCRIPT = `
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg");
  const name = figure.id || "figure";
  const box = document.createElement("figcaption");
  const save = (address, ending) => Object.assign(document.createElement("a"), { href: address, download: name + ending }).click();
  const source = () => {
    const whole = svg.cloneNode(true);
    for (const use of whole.querySelectorAll("use"))
      use.replaceWith(document.querySelector(use.getAttribute("href")).cloneNode(true));
    return "data:image/svg+xml;charset=utf-8," + encodeURIComponent(whole.outerHTML);
  };
  const button = (words, then) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: words, onclick: then });
    made.setAttribute("aria-label", "save " + name + " as " + words);
    box.append(made);
  };
  button("PNG", () => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [svg.viewBox.baseVal.width * 3, svg.viewBox.baseVal.height * 3];
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      save(canvas.toDataURL("image/png"), ".png");
    };
    image.src = source();
  });
  button("SVG", () => save(source(), ".svg"));
  figure.append(box);
}
`;
