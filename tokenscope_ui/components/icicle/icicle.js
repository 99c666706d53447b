// The component: one Icicle per mounted element, kept across Streamlit's repeated calls.

const KEY_PAUSE_MS = 120;
const ROW_PX = 24;
// A label of that many characters is drawn where all of it fits, a longer one where some of it does.
const SHORT = 4;
const CHARACTER_PX = 7.5;
const PADDING_PX = 12;

class Icicle {
  constructor(root) {
    this.frame = element("section", "icicle");
    this.legend = element("div", "legend");
    const nameOf = () => fileStem("syntax-tree", this.payload.scale.label, this.focus ? visibleLabel(this.payload, this.focus) : "");
    this.save = pictureButtons(this.frame, nameOf);
    this.crumbs = element("nav", "crumbs");
    this.crumbs.setAttribute("aria-label", "Zoomed into");
    this.rows = element("div", "rows");
    this.rows.tabIndex = 0;
    this.rows.setAttribute("role", "tree");
    this.note = element("div", "unseen");
    const foot = element("div", "foot");
    foot.append(this.note, this.save);
    this.frame.append(this.legend, this.crumbs, this.rows, foot);
    root.append(this.frame);
    this.tooltip = new NodeTooltip(root);
    this.selected = null;
    this.focus = 0;
    this.picks = new Picks((selection) => this.receive(selection));
    this.listen();
  }

  listen() {
    this.resized = new ResizeObserver(() => this.width !== this.rows.clientWidth && this.draw());
    this.resized.observe(this.rows);
    this.rows.addEventListener("click", (event) => this.click(event));
    this.rows.addEventListener("keydown", (event) => this.key(event));
    this.rows.addEventListener("focusout", () => this.picks.flush());
    this.rows.addEventListener("pointerover", (event) => this.hover(event));
    this.rows.addEventListener("pointerleave", () => this.tooltip.hide());
    this.crumbs.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.zoomOut(event);
    });
  }

  dispose() {
    this.picks.dispose();
    this.resized.disconnect();
  }

  // ---- data from Python

  update(data) {
    if (data === this.data) return;
    this.data = data;
    const message = new TextDecoder().decode(data);
    const headerEnd = message.indexOf("\n");
    const payload = JSON.parse(message.slice(headerEnd + 1));
    if (payload.key !== this.payload?.key) [this.focus, this.selected] = [0, null];
    this.payload = payload;
    this.shape = shapeOf(payload.parent);
    // Of one height, so that what is below stays where it is whatever is zoomed into.
    const levels = Math.min(ROWS, 1 + this.shape.depth.reduce((a, b) => Math.max(a, b), 0));
    this.rows.style.height = `${levels * ROW_PX}px`;
    this.rows.dataset.kind = payload.scale.kind;
    this.rows.setAttribute("aria-label", `Syntax tree by ${payload.scale.label}`);
    drawNodeLegend(this.legend, payload);
    this.draw();
    this.picks.attend(message.slice(0, headerEnd));
  }

  receive({ index }) {
    if (index === this.selected) return;
    this.picks.drop();
    this.selected = index !== null && index < this.payload.parent.length ? index : null;
    this.reveal();
  }

  // ---- drawing

  draw() {
    if (!this.payload) return;
    this.tooltip.hide();
    this.width = this.rows.clientWidth;
    const { nodes, hidden } = visibleNodes(this.payload, this.shape, this.focus, this.width);
    this.shown = new Map();
    const drawn = document.createDocumentFragment();
    for (const node of nodes) drawn.append(this.nodeOf(node));
    this.rows.replaceChildren(drawn);
    const path = pathTo(this.payload.parent, this.focus);
    drawCrumbs(this.crumbs, this.payload, path, (index) => this.zoom(index));
    this.note.textContent = hidden
      ? `${hidden.toLocaleString("en")} more below are too narrow or too deep to draw: zoom in.`
      : "All below it is drawn.";
    this.mark();
  }

  nodeOf({ index, row, x, share }) {
    const { values, scale, thin } = this.payload;
    const node = element("div", `node ${tintOf(values[index], scale)}`);
    if (thin[index]) node.classList.add("thin");
    if (index === this.focus) node.classList.add("focus");
    node.dataset.i = index;
    node.id = `node-${index}`;
    node.setAttribute("role", "treeitem");
    node.setAttribute("aria-level", this.shape.depth[index] + 1);
    node.setAttribute("aria-label", this.describe(index));
    node.style.left = `${100 * x}%`;
    node.style.width = `${100 * share}%`;
    node.style.top = `${row * ROW_PX}px`;
    const label = visibleLabel(this.payload, index);
    const needed = PADDING_PX + CHARACTER_PX * Math.min(SHORT, label.length);
    if (share * this.width >= needed) node.textContent = label;
    this.shown.set(index, node);
    return node;
  }

  mark() {
    const before = this.rows.querySelector(".selected");
    before?.classList.remove("selected");
    before?.removeAttribute("aria-selected");
    const node = this.shown.get(this.selected);
    if (!node) {
      this.rows.removeAttribute("aria-activedescendant");
      return;
    }
    node.classList.add("selected");
    node.setAttribute("aria-selected", "true");
    this.rows.setAttribute("aria-activedescendant", node.id);
  }

  describe(index) {
    const { figures, kinds, kind, place } = this.payload;
    const lines = figures.map(({ label, values }) => `${label} ${values[index] ?? "not available"}`);
    const name = visibleLabel(this.payload, index);
    const parts = [name, kinds[kind[index]], place[index], ...lines, remarkOn(this.payload, index)];
    return parts.filter(Boolean).join(", ");
  }

  // Zooms as little as brings the selected node into view.
  reveal() {
    const { parent } = this.payload;
    const index = this.selected;
    if (index !== null && !this.shown.has(index)) {
      while (!isAbove(parent, this.focus, index)) this.focus = parent[this.focus];
      this.draw();
      if (!this.shown.has(index)) {
        this.focus = Math.max(0, parent[index]);
        this.draw();
      }
    }
    this.mark();
  }

  // ---- what a person does

  zoom(index) {
    this.focus = index;
    this.draw();
  }

  zoomOut(event) {
    const above = this.payload.parent[this.focus];
    if (above < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.zoom(above);
  }

  click(event) {
    const node = event.target.closest?.("[data-i]");
    if (!node) return;
    const index = Number(node.dataset.i);
    if (index === this.focus && index === this.selected) this.zoomOut(event);
    else {
      this.selected = index;
      if (this.shape.last[index] > index) this.zoom(index);
      this.tell();
    }
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Escape") return this.zoomOut(event);
    const { parent } = this.payload;
    const { depth, last } = this.shape;
    const at = this.selected;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (at !== null && last[at] > at) this.zoom(at);
      return;
    }
    const steps = {
      ArrowDown: () => (last[at] > at ? at + 1 : at),
      ArrowUp: () => Math.max(0, parent[at]),
      ArrowRight: () => beside(depth, at, 1),
      ArrowLeft: () => beside(depth, at, -1),
      Home: () => 0,
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const target = at === null ? this.focus : step();
    if (target === at) return;
    this.selected = target;
    this.reveal();
    this.tell(KEY_PAUSE_MS);
  }

  tell(pause = 0) {
    this.mark();
    this.picks.pick({ node: this.selected }, pause);
  }

  hover(event) {
    const node = event.target.closest?.("[data-i]");
    if (!node || event.pointerType === "touch") return this.tooltip.hide();
    this.tooltip.show(node.getBoundingClientRect(), this.payload, Number(node.dataset.i));
  }
}

const icicles = new WeakMap();

export default function icicle({ data, parentElement, setStateValue }) {
  let shown = icicles.get(parentElement);
  if (!shown) icicles.set(parentElement, (shown = new Icicle(parentElement)));
  shown.picks.setStateValue = setStateValue;
  shown.update(data);
  return () => {
    // Streamlit also calls this when newer data overtook the call: only a removed element counts.
    if (!parentElement.isConnected) shown.dispose();
  };
}
