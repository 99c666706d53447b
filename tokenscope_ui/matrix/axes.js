// What is written around the cells and drawn over them: positions, tokens, pieces of the text,
// marked columns.

const MARGIN = { left: 132, top: 108, right: 10, bottom: 10 };
const LABEL_CELL = 12;
const LABEL_FONT = 11;
const LABEL_GAP = 6;
const TICK_GAP = 46;
const NAME_GAP = 13;
const PLACE_WIDTH = 34;
const SHORT_LABEL = 24;
const GUIDE_GAP = 14;
const GUIDE_STRENGTH = 0.22;

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

// Lines between the cells, and between the pieces of the text while they do not crowd. Nothing is
// drawn beyond the diagonal, where there are no cells.
function drawLines(context, theme, space, map, guides) {
  const right = Math.min(space.plot.width, space.left(space.whole.right));
  const bottom = Math.min(space.plot.height, space.top(space.whole.bottom));
  const vertical = (key) => {
    const top = space.top(Math.max(space.whole.top, rowFrom(map, key)));
    context.fillRect(Math.round(space.left(key)) - 0.5, top, 1, bottom - top);
  };
  const horizontal = (row) => {
    const end = Math.min(right, space.left(map.queries[row] + 1));
    context.fillRect(0, Math.round(space.top(row)) - 0.5, end, 1);
  };
  const [[key, endKey], [row, endRow]] = [space.keysInView(), space.rowsInView()];
  context.fillStyle = theme.panel;
  if (space.scaleX >= LABEL_CELL) for (let at = key; at < endKey; at += 1) vertical(at);
  if (space.scaleY >= LABEL_CELL) for (let at = row; at < endRow; at += 1) horizontal(at);
  context.fillStyle = theme.text;
  context.globalAlpha = GUIDE_STRENGTH;
  uncrowded(guides.keys, key, endKey, space.scaleX).forEach(vertical);
  uncrowded(guides.rows, row, endRow, space.scaleY).forEach(horizontal);
  context.globalAlpha = 1;
}

// Where pieces begin in view; none where they are too small to tell their lines from the cells.
function uncrowded(pieces, from, end, scale) {
  const begins = pieces.map(({ begin }) => begin).filter((begin) => begin > from && begin < end);
  return ((end - from) * scale) / (begins.length + 1) >= GUIDE_GAP ? begins : [];
}

// Hatches the columns of masked keys, never narrower than can be seen, and marks them on the axis.
function drawMasked(context, theme, space, map) {
  if (!map.masked.length) return;
  const bottom = Math.min(space.plot.height, space.top(space.whole.bottom));
  for (const key of map.masked) {
    const x = space.left(key);
    const width = Math.max(3, space.scaleX);
    if (x + width <= 0 || x >= space.plot.width || key < space.whole.left || key >= space.whole.right) continue;
    const top = Math.max(0, space.top(rowFrom(map, key)));
    context.fillStyle = theme.panel;
    context.fillRect(x, top, width, bottom - top);
    context.fillStyle = hatching(context, theme.muted);
    context.fillRect(x, top, width, bottom - top);
    context.fillStyle = theme.text;
    context.beginPath();
    const middle = x + width / 2;
    context.moveTo(middle - 4, -6);
    context.lineTo(middle + 4, -6);
    context.lineTo(middle, 0);
    context.fill();
  }
}

// The first row whose query is at or after a position.
function rowFrom({ queries }, position) {
  let low = 0;
  let high = queries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (queries[middle] < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function drawMissing(context, theme, space, map) {
  if (Math.min(space.scaleX, space.scaleY) < 6) return;
  context.fillStyle = hatching(context, theme.muted);
  const [fromKey, toKey] = space.keysInView();
  const [fromRow, toRow] = space.rowsInView();
  for (let row = fromRow; row < toRow; row += 1) {
    for (let key = fromKey; key < Math.min(toKey, map.queries[row] + 1); key += 1) {
      if (map.codes[map.offsets[row] + key] !== MISSING) continue;
      context.fillRect(space.left(key), space.top(row), space.scaleX, space.scaleY);
    }
  }
}
