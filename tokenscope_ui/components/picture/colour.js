// Colours as CSS says them, in one notation; and the context that measures.

const drop = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const drops = new Map();

// Any colour CSS can say as [rgb(...), opacity]: programs that open drawings know few notations.
function plainColour(css) {
  if (!drops.has(css)) {
    drop.clearRect(0, 0, 1, 1);
    drop.fillStyle = css;
    drop.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = drop.getImageData(0, 0, 1, 1).data;
    drops.set(css, [`rgb(${red},${green},${blue})`, alpha / 255]);
  }
  return drops.get(css);
}
