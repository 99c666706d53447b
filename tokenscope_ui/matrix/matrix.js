// The component: one Matrix per mounted element, kept across Streamlit's repeated calls.

const VIEWS = Symbol.for("tokenscope.views");
const KEY_PAUSE_MS = 120;
const TALLEST = 760;
const SHORTEST = 380;
const TALL_SHARE = 0.74;
const SHORT_TEXT = 40;

// The bytes that `payload.encode` made.
function decodeMap(bytes) {
  const end = bytes.indexOf(10);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  // Copied, since 16-bit numbers must begin at an even place.
  const codes = new Uint16Array(bytes.slice(end + 1).buffer);
  const { rows, queries: given } = header;
  const queries = Int32Array.from({ length: rows }, (_, row) => (Array.isArray(given) ? given[row] : given + row));
  const offsets = new Uint32Array(rows + 1);
  for (let row = 0; row < rows; row += 1) offsets[row + 1] = offsets[row] + queries[row] + 1;
  return { ...header, codes, queries, offsets, hasMissing: codes.includes(MISSING) };
}

// The largest magnitude within a part of the map.
function largestIn({ codes, queries, offsets }, { left, right, top, bottom }) {
  let largest = ZERO;
  for (let row = top; row < bottom; row += 1) {
    const end = offsets[row] + Math.min(right, queries[row] + 1);
    for (let at = offsets[row] + left; at < end; at += 1) if (codes[at] > largest) largest = codes[at];
  }
  return largest === ZERO ? 0 : MAGNITUDES[rankOf(largest)];
}

class Matrix {
  constructor(root) {
    this.frame = element("section", "matrix");
    const legend = element("div", "legend");
    this.legend = new Legend(legend, [
      ["+", "Zoom in", () => this.zoomBy(KEY_ZOOM)],
      ["−", "Zoom out", () => this.zoomBy(1 / KEY_ZOOM)],
      ["whole", "Show the whole (Escape)", () => this.showWhole()],
    ]);
    this.stage = element("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.canvas = element("canvas");
    this.overlay = element("canvas");
    this.stage.append(this.canvas, this.overlay);
    this.hint = element("div", "hint");
    this.spoken = element("div", "spoken");
    this.spoken.setAttribute("aria-live", "polite");
    this.frame.append(legend, this.stage, this.hint, this.spoken);
    root.append(this.frame);
    this.tooltip = new Tooltip(root);
    this.space = new Space();
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
    return cellAt(this.map, this.space, x, y, this.ratio);
  }

  hover(place) {
    const cell = place && this.cellAt(place);
    const same = cell?.row === this.hovered?.row && cell?.key === this.hovered?.key;
    this.hovered = cell;
    if (cell) this.tooltip.show(place.event.clientX, place.event.clientY, this.describe(cell));
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
    this.spoken.textContent = this.sentence(row, key);
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

  // ---- words

  queryText(row) {
    return visibleText(this.map.queryLabels?.[row] ?? this.map.labels[this.map.queries[row]], SHORT_TEXT) || "∅";
  }

  keyText(key) {
    return visibleText(this.map.labels[key], SHORT_TEXT) || "∅";
  }

  codeAt(row, key) {
    return this.map.codes[this.map.offsets[row] + key];
  }

  sentence(row, key) {
    const [rows, keys] = this.map.axes;
    const number = textOf(this.codeAt(row, key));
    return `${rows} ${this.queryText(row)}, position ${this.map.queries[row]}, ${keys} ${this.keyText(key)}, position ${key}, ${this.map.value} ${number}`;
  }

  describe({ row, key, code, cells }) {
    const { map } = this;
    const token = (axis, text, place) => {
      const line = element("div", "token");
      line.append(element("span", "axis", axis), element("code", "", text), element("span", "position", `${place}`));
      return line;
    };
    const figures = [[map.value, textOf(code)]];
    if (code > MISSING) {
      const { rank, of } = rankInRow(map, row, code);
      figures.push([map.difference ? "rank in its row by size" : "rank in its row", `${rank} of ${of}`]);
    }
    const nodes = [
      token(map.axes[0], this.queryText(row), map.queries[row]),
      token(map.axes[1], this.keyText(key), key),
      figureList(figures),
    ];
    if (map.masked.includes(key)) nodes.push(element("div", "reason", "masked: its weight was taken out and shared among the rest of the row"));
    if (cells > 1) nodes.push(element("div", "reason", `the largest of ${cells} cells at this pixel`));
    return nodes;
  }

  // ---- drawing

  resize() {
    if (!this.view) return;
    const width = this.stage.clientWidth;
    const height = this.view.height ?? Math.round(clamp(width * TALL_SHARE, SHORTEST, TALLEST));
    const ratio = window.devicePixelRatio || 1;
    if (!width || [width, height, ratio].join() === this.size) return;
    this.size = [width, height, ratio].join();
    this.ratio = ratio;
    this.stage.style.height = `${height}px`;
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.space.setPlot(Math.max(1, width - MARGIN.left - MARGIN.right), Math.max(1, height - MARGIN.top - MARGIN.bottom));
    const { plot } = this.space;
    this.image = new ImageData(Math.max(1, Math.round(plot.width * ratio)), Math.max(1, Math.round(plot.height * ratio)));
    this.paint();
  }

  draw() {
    this.frameRequest ??= requestAnimationFrame(() => {
      this.frameRequest = undefined;
      this.paint();
    });
  }

  paint() {
    if (!this.image || !this.map || !this.palette) return;
    const { map, space, theme, ratio } = this;
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    new Uint32Array(this.image.data.buffer).fill(0);
    rasterise(map, space, this.palette, this.image, ratio);
    context.putImageData(this.image, Math.round(MARGIN.left * ratio), Math.round(MARGIN.top * ratio));
    this.inPlot(context, () => {
      drawMasked(context, theme, space, map);
      drawMissing(context, theme, space, map);
      drawLines(context, theme, space, map, this.guides);
    });
    this.drawAxes(context);
    const pooled = Math.max(1, 1 / (space.scaleX * ratio)) * Math.max(1, 1 / (space.scaleY * ratio));
    this.legend.tellPooling(pooled);
    const whole = space.isWhole();
    this.stage.classList.toggle("moved", !whole);
    const hint = `Ctrl + wheel or pinch zooms; drag ${whole ? "a box to enlarge it" : "moves, Shift + drag a box enlarges it; double-click or Escape shows the whole"}`;
    if (this.hint.textContent !== hint) this.hint.textContent = hint;
    this.drawOverlay();
  }

  origin(context) {
    context.setTransform(this.ratio, 0, 0, this.ratio, Math.round(MARGIN.left * this.ratio), Math.round(MARGIN.top * this.ratio));
  }

  // Draws in pixels of the plot, and only there.
  inPlot(context, act) {
    this.origin(context);
    context.save();
    context.beginPath();
    // The marks of masked columns stand on the plot's edge.
    context.rect(-1, -7, this.space.plot.width + 2, this.space.plot.height + 8);
    context.clip();
    act();
    context.restore();
  }

  drawAxes(context) {
    const { map, space, theme, guides } = this;
    this.origin(context);
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

  drawOverlay() {
    if (!this.image || !this.map) return;
    const context = this.overlay.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    this.inPlot(context, () => {
      if (this.hovered) this.drawCross(context, this.hovered, this.theme.text, 1);
      this.drawCross(context, this.selected, this.theme.accent, 2);
      if (this.box) this.drawBox(context, ...this.box);
    });
  }

  // Outlines a cell, and its row up to it and its column down from the diagonal.
  drawCross(context, { row, key }, colour, width) {
    const { space, map } = this;
    const at = (start, scale) => [start - 0.5, Math.max(scale, 3) + 1];
    const [x, cellWidth] = key === null ? [0, 0] : at(space.left(key), space.scaleX);
    const [y, cellHeight] = row === null ? [0, 0] : at(space.top(row), space.scaleY);
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = width;
    context.globalAlpha = 0.16;
    const left = space.left(space.whole.left);
    if (row !== null) context.fillRect(left, y, space.left(Math.min(map.queries[row] + 1, space.whole.right)) - left, cellHeight);
    const top = key === null ? 0 : space.top(Math.max(rowFrom(map, key), space.whole.top));
    if (key !== null) context.fillRect(x, top, cellWidth, space.top(space.whole.bottom) - top);
    context.globalAlpha = 1;
    if (row === null || key === null) return;
    context.strokeStyle = this.theme.panel;
    context.lineWidth = width + 2;
    context.strokeRect(x, y, cellWidth, cellHeight);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x, y, cellWidth, cellHeight);
  }

  drawBox(context, from, to) {
    context.strokeStyle = this.theme.accent;
    context.fillStyle = this.theme.accent;
    context.lineWidth = 1;
    const box = [from.x, from.y, to.x - from.x, to.y - from.y];
    context.globalAlpha = 0.15;
    context.fillRect(...box);
    context.globalAlpha = 1;
    context.strokeRect(...box);
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
