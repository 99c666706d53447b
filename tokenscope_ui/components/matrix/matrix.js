// The component: one Matrix per mounted element, kept across Streamlit's repeated calls.

const VIEWS = Symbol.for("tokenscope.views");
const KEY_PAUSE_MS = 120;

class Matrix {
  constructor(root) {
    this.frame = element("section", "matrix");
    const legend = element("div", "legend");
    this.legend = new Legend(legend, [
      ["+", "Zoom in", () => this.zoomBy(KEY_ZOOM)],
      ["−", "Zoom out", () => this.zoomBy(1 / KEY_ZOOM)],
      ["whole", "Show the whole (Escape)", () => this.showWhole()],
    ], pictureButtons(this.frame, () => fileStem("attention", this.map.title, this.map.value), (on) => this.dress(on)));
    this.stage = element("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.hint = element("div", "hint");
    this.hint.dataset.offPicture = "";
    this.spoken = element("div", "spoken");
    this.spoken.setAttribute("aria-live", "polite");
    this.spoken.dataset.offPicture = "";
    this.frame.append(legend, this.stage, this.hint, this.spoken);
    root.append(this.frame);
    this.tooltip = new Tooltip(root);
    this.space = new Space();
    this.drawing = new Drawing(this.stage, this.space);
    this.selected = { row: null, key: null };
    this.hovered = null;
    this.box = null;
    // When the browser last picked a cell, in ms. A selection from Python that had not yet seen
    // this pick is out of date and must not undo it.
    this.stamp = 0;
    new Gestures(this.stage, this);
    this.onView = ({ detail }) => detail.matrix === this.key && this.receive(detail);
    document.addEventListener("tokenscope:view", this.onView);
    this.stage.addEventListener("focusout", () => this.flush());
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.frame);
  }

  dispose() {
    document.removeEventListener("tokenscope:view", this.onView);
    this.resizing.disconnect();
    this.tooltip.hide();
    clearTimeout(this.pending);
    cancelAnimationFrame(this.frameRequest);
  }

  // ---- from Python

  update(data) {
    this.theme = readTheme(this.frame);
    if (data !== this.data) {
      this.data = data;
      const end = data.indexOf(10);
      this.key = JSON.parse(new TextDecoder().decode(data.subarray(0, end))).matrix;
      this.map = decodeMap(data.subarray(end + 1));
    }
    this.view = globalThis[VIEWS]?.get(this.key) ?? this.view;
    if (this.view) this.receive(this.view);
  }

  receive(view) {
    const { map, theme } = this;
    this.view = view;
    if (!map) return;
    this.setWhole(view.crop);
    const largest = largestIn(map, this.space.whole);
    const high = view.scale.high ?? (largest || 1);
    const low = Math.min(view.scale.low, high / 10);
    this.scale = { ...view.scale, low, high, largest, relative: view.scale.high === null };
    this.palette = paletteOf(this.scale, theme);
    this.guides = { keys: this.pieces(map.keys, (at) => at), rows: this.pieces(map.rows, (at) => rowFrom(map, at)) };
    this.legend.show(map, this.scale, theme);
    const [rows, keys] = map.axes;
    this.stage.setAttribute("aria-label", `${map.title}: ${map.value}, ${map.rows} ${rows} by ${map.keys} ${keys} tokens`);
    if (view.stamp >= this.stamp) this.takeSelection(view.selected);
    this.hover(null);
    this.resize();
    this.draw();
  }

  // The view stays where it is while the map's extent does.
  setWhole(crop) {
    const { map } = this;
    const [fromQuery, toQuery, fromKey, toKey] = crop ?? [0, Infinity, 0, Infinity];
    const top = Math.min(rowFrom(map, fromQuery), Math.max(0, map.rows - 1));
    const left = Math.min(fromKey, map.keys - 1);
    const bottom = Math.max(top + 1, Math.min(map.rows, rowFrom(map, toQuery)));
    const right = Math.max(left + 1, Math.min(map.keys, toKey));
    const extent = [map.rows, map.keys, map.queries[0], left, right, top, bottom].join();
    if (extent === this.extent) return;
    this.extent = extent;
    this.space.setWhole({ left, right, top, bottom });
  }

  pieces(end, cellOf) {
    const begins = this.view.guides.map(([position]) => Math.min(cellOf(position), end));
    return this.view.guides
      .map(([, name], index) => ({ begin: begins[index], end: begins[index + 1] ?? end, name }))
      .filter(({ begin, end: after }) => after > begin);
  }

  takeSelection([query, key]) {
    clearTimeout(this.pending);
    this.pending = undefined;
    const row = query === null ? null : rowFrom(this.map, query);
    const selected = {
      row: row !== null && this.map.queries[row] === query ? row : null,
      key: key !== null && key < this.map.keys ? key : null,
    };
    const moved = selected.row !== this.selected.row || selected.key !== this.selected.key;
    this.selected = selected;
    if (moved && !this.space.isWhole()) this.space.reveal(selected.row, selected.key);
  }

  // ---- what a person does

  change(act) {
    act(this.space);
    this.draw();
  }

  showWhole() {
    this.change((space) => space.reset());
  }

  zoomBy(factor) {
    const { space, selected } = this;
    const { width, height } = space.plot;
    const x = selected.key === null ? -1 : space.left(selected.key + 0.5);
    const y = selected.row === null ? -1 : space.top(selected.row + 0.5);
    const inside = x >= 0 && y >= 0 && x <= width && y <= height;
    this.change(() => space.zoom(factor, inside ? x : width / 2, inside ? y : height / 2));
  }

  enlarge(from, to) {
    const inside = ({ x, y }) => [clamp(x, 0, this.space.plot.width), clamp(y, 0, this.space.plot.height)];
    const [[x0, y0], [x1, y1]] = [inside(from), inside(to)];
    if (Math.min(Math.abs(x1 - x0), Math.abs(y1 - y0)) > DRAG_PX) this.change((space) => space.frame(x0, y0, x1, y1));
  }

  showBox(corners) {
    this.box = corners;
    this.drawOverlay();
  }

  cellAt({ x, y }) {
    const { width, height } = this.space.plot;
    if (!this.map || x < 0 || y < 0 || x >= width || y >= height) return null;
    return cellAt(this.map, this.space, x, y, this.drawing.ratio);
  }

  hover(place) {
    const cell = place && this.cellAt(place);
    const same = cell?.row === this.hovered?.row && cell?.key === this.hovered?.key;
    this.hovered = cell;
    if (cell) this.tooltip.show(place.event.clientX, place.event.clientY, describe(this.map, cell));
    else this.tooltip.hide();
    if (!same) this.drawOverlay();
  }

  click(place) {
    const cell = this.cellAt(place);
    if (cell) this.pick(cell.row, cell.key);
  }

  step(rows, keys) {
    const { map, selected } = this;
    const { top, bottom, left, right } = this.space.whole;
    const none = selected.row === null || selected.key === null;
    const row = none ? bottom - 1 : clamp(selected.row + rows, top, bottom - 1);
    const key = none ? left : clamp(selected.key + keys, left, Math.min(right - 1, map.queries[row]));
    if (key <= map.queries[row]) this.pick(row, key, KEY_PAUSE_MS);
  }

  // While a key is held, only where it comes to rest is told.
  pick(row, key, pause = 0) {
    this.selected = { row, key };
    this.stamp = Math.max(Date.now(), this.stamp + 1);
    this.space.reveal(row, key);
    this.draw();
    this.spoken.textContent = sentenceOf(this.map, row, key);
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.flush(), pause);
    if (!pause) this.flush();
  }

  flush() {
    if (this.pending === undefined) return;
    clearTimeout(this.pending);
    this.pending = undefined;
    const { row, key } = this.selected;
    this.setStateValue("pick", { query: this.map.queries[row], key, stamp: this.stamp });
  }

  // ---- drawing

  resize() {
    if (this.view && this.drawing.resize(this.view.height)) this.paint();
  }

  draw() {
    this.frameRequest ??= requestAnimationFrame(() => {
      this.frameRequest = undefined;
      this.paint();
    });
  }

  paint() {
    if (!this.map || !this.palette) return;
    this.drawing.paint(this);
    this.legend.tellPooling(this.drawing.cellsAPixel());
    const whole = this.space.isWhole();
    this.stage.classList.toggle("moved", !whole);
    const hint = `Ctrl + wheel or pinch zooms; drag ${whole ? "a box to enlarge it" : "moves, Shift + drag a box enlarges it; double-click or Escape shows the whole"}`;
    if (this.hint.textContent !== hint) this.hint.textContent = hint;
  }

  // At once, in the theme that the frame now has, and finely where it is for a picture.
  dress(pictured) {
    this.hovered = null;
    this.theme = readTheme(this.frame);
    this.palette = paletteOf(this.scale, this.theme);
    this.legend.show(this.map, this.scale, this.theme);
    this.drawing.resize(this.view.height, pictured ? DENSITY : undefined);
    this.paint();
  }

  drawOverlay() {
    if (this.map) this.drawing.paintOverlay(this);
  }
}

const matrices = new WeakMap();

export default function matrix({ data, parentElement, setStateValue }) {
  let shown = matrices.get(parentElement);
  if (!shown) matrices.set(parentElement, (shown = new Matrix(parentElement)));
  shown.setStateValue = setStateValue;
  shown.update(data);
  return () => {
    // Streamlit also calls this when newer data overtook the call: only a removed element counts.
    if (!parentElement.isConnected) shown.dispose();
  };
}
