// What part of the map is in view: cells of the map, pixels of the plot. x counts keys, y rows.

const LARGEST_CELL = 48;
// Beyond this ratio of the sides cells are no longer square.
const SQUARE_RATIO = 3;

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

class Space {
  constructor() {
    this.plot = { width: 1, height: 1 };
    this.setWhole({ left: 0, right: 1, top: 0, bottom: 1 });
  }

  setPlot(width, height) {
    const wasWhole = this.isWhole();
    this.plot = { width, height };
    if (wasWhole) this.reset();
    else this.settle(this.scaleX, this.scaleY);
  }

  setWhole(whole) {
    this.whole = whole;
    this.reset();
  }

  fit() {
    const columns = this.whole.right - this.whole.left;
    const rows = this.whole.bottom - this.whole.top;
    const scales = [this.plot.width / columns, this.plot.height / rows];
    const square = Math.max(columns / rows, rows / columns) <= SQUARE_RATIO;
    const [x, y] = square ? scales.fill(Math.min(...scales)) : scales;
    return { x: Math.min(x, LARGEST_CELL), y: Math.min(y, LARGEST_CELL) };
  }

  isWhole() {
    const fit = this.fit();
    return this.scaleX <= fit.x * 1.001 && this.scaleY <= fit.y * 1.001;
  }

  reset() {
    const { x, y } = this.fit();
    this.x = this.whole.left;
    this.y = this.whole.top;
    this.settle(x, y);
  }

  // Keeps scales between the whole and the largest cell, and the view inside of the whole.
  settle(scaleX, scaleY) {
    const fit = this.fit();
    this.scaleX = clamp(scaleX, fit.x, LARGEST_CELL);
    this.scaleY = clamp(scaleY, fit.y, LARGEST_CELL);
    const farX = this.whole.right - this.plot.width / this.scaleX;
    const farY = this.whole.bottom - this.plot.height / this.scaleY;
    this.x = clamp(this.x, this.whole.left, Math.max(this.whole.left, farX));
    this.y = clamp(this.y, this.whole.top, Math.max(this.whole.top, farY));
  }

  // What lies under the pixel (px, py) of the plot stays there.
  zoom(factor, px, py) {
    const x = this.x + px / this.scaleX;
    const y = this.y + py / this.scaleY;
    const fit = this.fit();
    const scaleX = clamp(this.scaleX * factor, fit.x, LARGEST_CELL);
    const scaleY = clamp(this.scaleY * factor, fit.y, LARGEST_CELL);
    this.x = x - px / scaleX;
    this.y = y - py / scaleY;
    this.settle(scaleX, scaleY);
  }

  pan(dx, dy) {
    this.x -= dx / this.scaleX;
    this.y -= dy / this.scaleY;
    this.settle(this.scaleX, this.scaleY);
  }

  // Shows the pixels between two corners as large as they go.
  frame(x0, y0, x1, y1) {
    const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)];
    const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1)];
    const factor = Math.min(this.plot.width / (right - left), this.plot.height / (bottom - top));
    this.x += left / this.scaleX;
    this.y += top / this.scaleY;
    this.settle(this.scaleX * factor, this.scaleY * factor);
  }

  // The least movement after which a cell is in view.
  reveal(row, key) {
    const inside = (at, cell, span) => (cell < at ? cell : cell + 1 > at + span ? cell + 1 - span : at);
    if (key !== null) this.x = inside(this.x, key, this.plot.width / this.scaleX);
    if (row !== null) this.y = inside(this.y, row, this.plot.height / this.scaleY);
    this.settle(this.scaleX, this.scaleY);
  }

  // Pixels of the plot where a key's or a row's cells begin.
  left(key) {
    return (key - this.x) * this.scaleX;
  }

  top(row) {
    return (row - this.y) * this.scaleY;
  }

  // The keys and rows in view, first and one past the last.
  keysInView() {
    const end = Math.ceil(this.x + this.plot.width / this.scaleX);
    return [Math.floor(this.x), Math.min(this.whole.right, end)];
  }

  rowsInView() {
    const end = Math.ceil(this.y + this.plot.height / this.scaleY);
    return [Math.floor(this.y), Math.min(this.whole.bottom, end)];
  }
}
