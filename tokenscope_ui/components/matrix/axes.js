// What is written around the cells: positions, tokens, pieces of the text.

const MARGIN = { left: 132, top: 108, right: 10, bottom: 10 };
const LABEL_CELL = 12;
const LABEL_FONT = 11;
const LABEL_GAP = 6;
const TICK_GAP = 46;
const NAME_GAP = 13;
const PLACE_WIDTH = 34;
const SHORT_LABEL = 24;

function cut(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const letters = Array.from(text);
  while (letters.length && context.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return `${letters.join("")}…`;
}

function tickStep(scale) {
  const least = TICK_GAP / scale;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= least) * power;
  return Math.max(1, step);
}

// One axis. Pixels run down along it and text is written away from the cells: leftwards, or, on the
// horizontal axis, which is drawn turned by a quarter, upwards.
class Axis {
  constructor(context, theme, options) {
    this.context = context;
    this.theme = theme;
    Object.assign(this, options);
  }

  draw() {
    this.context.textBaseline = "middle";
    this.context.textAlign = this.outward < 0 ? "right" : "left";
    if (this.scale >= LABEL_CELL) this.labels();
    else this.ticks();
  }

  write(text, font, colour, at, distance, room) {
    const { context } = this;
    context.font = `${LABEL_FONT}px ${font}`;
    context.fillStyle = colour;
    context.fillText(cut(context, text, room), this.outward * distance, at);
  }

  // [cell, pixel of its middle] of the cells whose text has room.
  *cells() {
    const half = LABEL_FONT / 2;
    for (let cell = this.range[0]; cell < this.range[1]; cell += 1) {
      const middle = this.along(cell + 0.5);
      if (middle >= Math.min(half, this.scale / 2) && middle <= this.length) yield [cell, middle];
    }
  }

  labels() {
    const { theme } = this;
    const far = this.depth - PLACE_WIDTH;
    for (const [cell, middle] of this.cells()) {
      const label = visibleText(this.labelOf(cell), SHORT_LABEL) || "∅";
      this.write(label, theme.codeFont, theme.text, middle, LABEL_GAP, far - 2 * LABEL_GAP);
      this.write(String(this.placeOf(cell)), theme.font, theme.faint, middle, far, PLACE_WIDTH);
    }
  }

  ticks() {
    const { context, theme } = this;
    const step = tickStep(this.scale);
    for (const [cell, middle] of this.cells()) {
      const place = this.placeOf(cell);
      if (place % step) continue;
      context.fillStyle = theme.faint;
      context.fillRect(this.outward < 0 ? -4 : 0, middle - 0.5, 4, 1);
      this.write(String(place), theme.font, theme.muted, middle, LABEL_GAP, PLACE_WIDTH);
    }
    this.names();
  }

  // Of the pieces of the text, as many as there is room for.
  names() {
    const near = PLACE_WIDTH + 2 * LABEL_GAP;
    let free = LABEL_FONT / 2;
    for (const { begin, end, name } of this.guides) {
      const [from, to] = [Math.max(begin, this.range[0]), Math.min(end, this.range[1])];
      const middle = this.along((from + to) / 2);
      if (from >= to || middle < free || middle > this.length - LABEL_FONT / 2) continue;
      const { font, faint } = this.theme;
      this.write(escapeHidden(name), font, faint, middle, near, this.depth - near);
      free = middle + NAME_GAP;
    }
  }
}

// Both axes, in pixels of the plot.
function drawAxes(context, { map, theme, guides }, space) {
  const rows = new Axis(context, theme, {
    outward: -1,
    along: (row) => space.top(row),
    scale: space.scaleY,
    range: space.rowsInView(),
    length: space.plot.height,
    depth: MARGIN.left - LABEL_GAP,
    placeOf: (row) => map.queries[row],
    labelOf: (row) => map.queryLabels?.[row] ?? map.labels[map.queries[row]],
    guides: guides.rows,
  });
  rows.draw();
  context.save();
  context.rotate(-Math.PI / 2);
  const keys = new Axis(context, theme, {
    outward: 1,
    along: (key) => space.left(key),
    scale: space.scaleX,
    range: space.keysInView(),
    length: space.plot.width,
    depth: MARGIN.top - LABEL_GAP,
    placeOf: (key) => key,
    labelOf: (key) => map.labels[key],
    guides: guides.keys,
  });
  keys.draw();
  context.restore();
  context.textAlign = "right";
  context.font = `600 ${LABEL_FONT}px ${theme.font}`;
  context.fillStyle = theme.muted;
  context.fillText(`${map.axes[1]} →`, -LABEL_GAP * 2, -MARGIN.top / 2);
  context.fillText(`${map.axes[0]} ↓`, -LABEL_GAP * 2, -LABEL_FONT * 1.4);
}
