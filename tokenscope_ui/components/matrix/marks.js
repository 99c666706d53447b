// What is drawn over the cells: lines, hatching, the selected and the hovered cell, a box.

const GUIDE_GAP = 14;
const GUIDE_STRENGTH = 0.22;

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

// Hatches the cells that have no number, where they are large enough to see it.
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

// Outlines a cell, and shades its row up to it and its column down from the diagonal.
function drawCross(context, theme, space, map, { row, key }, colour, width) {
  const at = (start, scale) => [start - 0.5, Math.max(scale, 3) + 1];
  const [x, cellWidth] = key === null ? [0, 0] : at(space.left(key), space.scaleX);
  const [y, cellHeight] = row === null ? [0, 0] : at(space.top(row), space.scaleY);
  context.fillStyle = colour;
  context.globalAlpha = 0.16;
  const left = space.left(space.whole.left);
  if (row !== null) context.fillRect(left, y, space.left(Math.min(map.queries[row] + 1, space.whole.right)) - left, cellHeight);
  const top = key === null ? 0 : space.top(Math.max(rowFrom(map, key), space.whole.top));
  if (key !== null) context.fillRect(x, top, cellWidth, space.top(space.whole.bottom) - top);
  context.globalAlpha = 1;
  if (row === null || key === null) return;
  for (const [stroke, line] of [[theme.panel, width + 2], [colour, width]]) {
    context.strokeStyle = stroke;
    context.lineWidth = line;
    context.strokeRect(x, y, cellWidth, cellHeight);
  }
}

function drawBox(context, theme, from, to) {
  context.strokeStyle = theme.accent;
  context.fillStyle = theme.accent;
  context.lineWidth = 1;
  const box = [from.x, from.y, to.x - from.x, to.y - from.y];
  context.globalAlpha = 0.15;
  context.fillRect(...box);
  context.globalAlpha = 1;
  context.strokeRect(...box);
}
