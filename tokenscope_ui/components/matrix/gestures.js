// Pointer, wheel and keys, turned into what the map does. A plain wheel scrolls the page.

const DRAG_PX = 4;
const WHEEL_STEP = 0.0022;
const KEY_ZOOM = 1.5;
const FAR_STEP = 10;

class Gestures {
  constructor(stage, matrix) {
    this.stage = stage;
    this.matrix = matrix;
    this.pointers = new Map();
    this.drag = null;
    const on = (type, handle, options) => stage.addEventListener(type, handle.bind(this), options);
    on("pointerdown", this.down);
    on("pointermove", this.move);
    on("pointerup", this.up);
    on("pointercancel", this.cancel);
    on("pointerleave", () => matrix.hover(null));
    on("dblclick", () => matrix.showWhole());
    on("wheel", this.wheel, { passive: false });
    on("keydown", this.key);
  }

  // Pixels of the plot under an event.
  at(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left - MARGIN.left, y: event.clientY - box.top - MARGIN.top };
  }

  down(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    const at = this.at(event);
    this.pointers.set(event.pointerId, at);
    this.drag = this.pointers.size === 1 ? { from: at, last: at, kind: null } : null;
    if (this.pointers.size > 1) this.matrix.showBox(null);
  }

  move(event) {
    const at = this.at(event);
    if (!this.pointers.has(event.pointerId)) return this.matrix.hover({ ...at, event });
    if (this.pointers.size === 2) this.pinch(event.pointerId, at);
    else if (this.drag) this.dragTo(at, event);
    this.pointers.set(event.pointerId, at);
  }

  dragTo(at, event) {
    const { from, last } = this.drag;
    if (!this.drag.kind) {
      if (Math.hypot(at.x - from.x, at.y - from.y) <= DRAG_PX) return;
      // What is whole cannot be moved.
      this.drag.kind = event.shiftKey || this.matrix.space.isWhole() ? "box" : "pan";
      this.matrix.hover(null);
    }
    if (this.drag.kind === "box") this.matrix.showBox([from, at]);
    else this.matrix.change((space) => space.pan(at.x - last.x, at.y - last.y));
    this.drag.last = at;
  }

  pinch(id, at) {
    const [other] = [...this.pointers].filter(([one]) => one !== id).map(([, place]) => place);
    const before = this.pointers.get(id);
    const length = (one) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
    const factor = length(at) / length(before);
    this.matrix.change((space) => space.zoom(factor, (at.x + other.x) / 2, (at.y + other.y) / 2));
  }

  up(event) {
    const { drag } = this;
    this.cancel(event);
    if (!drag) return;
    if (drag.kind === "box") this.matrix.enlarge(drag.from, drag.last);
    else if (!drag.kind) this.matrix.click(drag.from);
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    this.drag = null;
    this.matrix.showBox(null);
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { x, y } = this.at(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    // A pinch on a touchpad arrives as a wheel of small steps.
    const delta = clamp(event.deltaY * lines, -240, 240) * (Math.abs(event.deltaY) < 20 ? 4 : 1);
    this.matrix.change((space) => space.zoom(Math.exp(-delta * WHEEL_STEP), x, y));
    this.matrix.hover({ x, y, event });
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = event.shiftKey ? FAR_STEP : 1;
    const acts = {
      ArrowLeft: () => this.matrix.step(0, -step),
      ArrowRight: () => this.matrix.step(0, step),
      ArrowUp: () => this.matrix.step(-step, 0),
      ArrowDown: () => this.matrix.step(step, 0),
      "+": () => this.matrix.zoomBy(KEY_ZOOM),
      "=": () => this.matrix.zoomBy(KEY_ZOOM),
      "-": () => this.matrix.zoomBy(1 / KEY_ZOOM),
      _: () => this.matrix.zoomBy(1 / KEY_ZOOM),
      Home: () => this.matrix.showWhole(),
      Escape: () => this.matrix.showWhole(),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }
}
