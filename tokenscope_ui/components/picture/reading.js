// The marks of a picture, read off the drawn elements and their computed styles.

const OUTSIDE = "[data-off-picture]";
const COLOUR = /(?:rgba?|hsla?|color|oklch|oklab|lab|lch)\([^()]*\)/g;

class Reader {
  constructor(frame) {
    this.origin = frame.getBoundingClientRect();
    this.marks = [];
    this.measure = drop;
    this.read(frame, 0);
    // What stands in front, as CSS has it: marks of equal height keep their order.
    this.marks.sort((a, b) => a.level - b.level);
  }

  add(mark) {
    if (mark.width > 0 && mark.height > 0) this.marks.push({ level: this.level, ...mark });
  }

  read(node, level) {
    if (node.matches(OUTSIDE)) return;
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    if (style.display === "none" || style.visibility !== "visible") return;
    const own = style.position === "static" ? level : level + (Number(style.zIndex) || 0);
    this.level = own;
    const x = box.left - this.origin.left;
    const y = box.top - this.origin.top;
    const at = { x, y, width: box.width, height: box.height };
    this.background(at, style);
    this.edges(at, style);
    if (node instanceof HTMLCanvasElement) this.image(node, at);
    for (const child of node.childNodes) {
      this.level = own;
      if (child.nodeType === Node.TEXT_NODE) this.text(child, style, node);
      else if (child.nodeType === Node.ELEMENT_NODE) this.read(child, own);
    }
  }

  rect(at, css, more = {}) {
    const [fill, opacity] = plainColour(css);
    if (opacity > 0) this.add({ kind: "rect", ...at, fill, opacity, ...more });
  }

  background(at, style) {
    this.rect(at, style.backgroundColor, { radius: parseFloat(style.borderTopLeftRadius) || 0 });
    const image = style.backgroundImage;
    const colours = image.match(COLOUR) ?? [];
    if (image.startsWith("linear-gradient")) this.gradient(at, colours);
    else if (image.startsWith("repeating-linear-gradient(90deg")) this.dashes(at, colours[0]);
    else if (image.startsWith("repeating-linear-gradient")) this.hatching(at, colours[0]);
  }

  gradient({ x, y, width, height }, colours) {
    const steps = Math.max(1, Math.round(width));
    for (let step = 0; step < steps; step += 1) {
      const place = (step / Math.max(1, steps - 1)) * (colours.length - 1);
      const lower = Math.min(Math.floor(place), colours.length - 2);
      const share = 100 * (place - lower);
      const css = `color-mix(in srgb, ${colours[lower + 1]} ${share}%, ${colours[lower]})`;
      // One pixel more, so that no seam shows between them.
      const wide = Math.min(2, width - step);
      this.rect({ x: x + step, y, width: wide, height }, css);
    }
  }

  dashes({ x, y, width, height }, css) {
    for (let at = 0; at < width; at += 8) {
      this.rect({ x: x + at, y, width: Math.min(4, width - at), height }, css);
    }
  }

  hatching({ x, y, width, height }, css) {
    const [stroke, opacity] = plainColour(css);
    const lines = [];
    for (let sum = 4; sum < width + height; sum += 5.6) {
      const [left, right] = [Math.max(0, sum - height), Math.min(width, sum)];
      lines.push([x + left, y + sum - left, x + right, y + sum - right]);
    }
    this.add({ kind: "lines", x, y, width, height, lines, stroke, opacity });
  }

  // Borders, outlines, and the shadows without blur that stand for either.
  edges(at, style) {
    const { x, y, width, height } = at;
    const side = (name) => [style[`border${name}Style`] === "none" ? 0 : parseFloat(style[`border${name}Width`]), style[`border${name}Color`]];
    const [[top, topColour], [right, rightColour], [bottom, bottomColour], [left, leftColour]] = ["Top", "Right", "Bottom", "Left"].map(side);
    this.rect({ x, y, width, height: top }, topColour);
    this.rect({ x, y: y + height - bottom, width, height: bottom }, bottomColour);
    this.rect({ x, y, width: left, height }, leftColour);
    this.rect({ x: x + width - right, y, width: right, height }, rightColour);
    const inner = { x: x + left, y: y + top, width: width - left - right, height: height - top - bottom };
    const shadow = style.boxShadow.match(/^(.+\)) (-?[\d.]+)px (-?[\d.]+)px 0px ([\d.]+)px( inset)?$/);
    if (shadow) {
      const [, css, across, , spread, inset] = shadow;
      if (Number(spread)) this.outline(inner, css, Number(spread), inset ? spread / 2 : -spread / 2);
      else if (inset) this.rect({ ...inner, width: Number(across) }, css);
    }
    const thick = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
    if (thick) this.outline(at, style.outlineColor, thick, -parseFloat(style.outlineOffset) - thick / 2);
  }

  outline({ x, y, width, height }, css, thick, inwards) {
    const [stroke, opacity] = plainColour(css);
    const box = [x + inwards, y + inwards, x + width - inwards, y + height - inwards];
    const [left, top, right, bottom] = box;
    const lines = [[left, top, right, top], [right, top, right, bottom], [right, bottom, left, bottom], [left, bottom, left, top]];
    if (opacity > 0) this.add({ kind: "lines", x, y, width, height, lines, stroke, opacity, thick });
  }

  image(canvas, at) {
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    if (!copy.width || !copy.height) return;
    copy.getContext("2d").drawImage(canvas, 0, 0);
    this.add({ kind: "image", ...at, canvas: copy });
  }

  // A line of the page becomes a mark; what does not fit its element is cut as it is on screen.
  text(node, style, parent) {
    if (!node.data.trim()) return;
    const font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const cut = style.textOverflow === "ellipsis" && parent.scrollWidth > parent.clientWidth;
    const end = parent.getBoundingClientRect().right - this.origin.left - (parseFloat(style.paddingRight) || 0);
    for (const { text, box } of linesOf(node)) {
      const x = box.left - this.origin.left;
      const shown = cut ? this.fitted(text, font, end - x) : { text, width: box.width };
      this.measure.font = font;
      const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = this.measure.measureText("x");
      const y = box.top - this.origin.top + (box.height - up - down) / 2 + up;
      const [fill, opacity] = plainColour(style.color);
      this.add({ kind: "text", x, y, height: box.height, ...shown, fill, opacity, font, style: fontOf(style) });
    }
  }

  fitted(text, font, room) {
    this.measure.font = font;
    const letters = Array.from(text);
    const wide = () => this.measure.measureText(`${letters.join("")}…`).width;
    while (letters.length && wide() > room) letters.pop();
    return { text: `${letters.join("")}…`, width: wide() };
  }
}

function fontOf({ fontFamily, fontSize, fontStyle, fontWeight }) {
  return { "font-family": fontFamily, "font-size": fontSize, "font-style": fontStyle, "font-weight": fontWeight };
}

// The lines that a text is broken into, each with its box.
function linesOf(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const boxes = range.getClientRects();
  if (boxes.length < 2) return boxes.length ? [{ text: node.data, box: boxes[0] }] : [];
  const lines = [];
  let at = 0;
  for (const letter of node.data) {
    range.setStart(node, at);
    range.setEnd(node, (at += letter.length));
    const box = range.getClientRects()[0];
    if (!box) continue;
    const last = lines.at(-1);
    if (last && Math.abs(last.box.top - box.top) < 2) {
      last.text += letter;
      last.box.width = box.right - last.box.left;
    } else lines.push({ text: letter, box: new DOMRect(box.x, box.y, box.width, box.height) });
  }
  return lines.filter(({ text }) => text.trim());
}
