// A picture, which is its size and its marks, painted (PNG) or written (SVG) on white.

const DENSITY = 2;
const LARGEST_SIDE = 16384;
const SVG = "http://www.w3.org/2000/svg";

function paintMark(context, mark) {
  const { kind, x, y, width, height } = mark;
  context.globalAlpha = mark.opacity ?? 1;
  if (kind === "image") return context.drawImage(mark.canvas, x, y, width, height);
  context.fillStyle = mark.fill ?? "none";
  if (kind === "text") {
    context.font = mark.font;
    return context.fillText(mark.text, x, y);
  }
  context.beginPath();
  if (kind === "rect") {
    context.roundRect(x, y, width, height, mark.radius ?? 0);
    return context.fill();
  }
  for (const [fromX, fromY, toX, toY] of mark.lines) {
    context.moveTo(fromX, fromY);
    context.lineTo(toX, toY);
  }
  context.strokeStyle = mark.stroke;
  context.lineWidth = mark.thick ?? 1;
  context.stroke();
}

function svgNode(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, typeof value === "number" ? Number(value.toFixed(2)) : value);
  }
  // XML has no control characters.
  if (text !== undefined) node.textContent = text.replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd");
  return node;
}

function svgMark(mark) {
  const { kind, x, y, width, height, fill, opacity } = mark;
  if (kind === "image") return svgNode("image", { x, y, width, height, href: mark.canvas.toDataURL() });
  if (kind === "rect") return svgNode("rect", { x, y, width, height, rx: mark.radius ?? 0, fill, "fill-opacity": opacity });
  if (kind === "lines") {
    const d = mark.lines.map((line) => `M${line[0].toFixed(1)} ${line[1].toFixed(1)}L${line[2].toFixed(1)} ${line[3].toFixed(1)}`).join("");
    return svgNode("path", { d, stroke: mark.stroke, "stroke-opacity": opacity, "stroke-width": mark.thick ?? 1, fill: "none" });
  }
  // Where the font is missing, another takes the same room.
  const room = { textLength: width, lengthAdjust: "spacingAndGlyphs", "xml:space": "preserve" };
  return svgNode("text", { x, y, fill, "fill-opacity": opacity, ...mark.style, ...room }, mark.text);
}

function pngOf({ width, height, marks }) {
  const density = Math.min(DENSITY, LARGEST_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(width * density), Math.round(height * density)];
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(density, density);
  for (const mark of marks) paintMark(context, mark);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function svgOf({ width, height, marks }) {
  const root = svgNode("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  root.append(svgNode("rect", { width, height, fill: "#ffffff" }), ...marks.map(svgMark));
  return new Blob([new XMLSerializer().serializeToString(root)], { type: "image/svg+xml" });
}
