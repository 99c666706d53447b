// The component: one Strip per mounted element, kept across Streamlit's repeated calls.

const KEY_REPEAT_PAUSE_MS = 80;
const DRAG_PX = 4;

class Strip {
  constructor(root) {
    this.frame = element("section", "strip");
    this.legend = element("div", "legend");
    this.code = element("div", "code");
    this.code.tabIndex = 0;
    this.code.setAttribute("role", "listbox");
    this.code.setAttribute("aria-orientation", "horizontal");
    this.empty = element("div", "empty");
    this.find = new Find(this);
    this.frame.append(this.legend, this.find.bar, this.code, this.empty);
    root.append(this.frame);
    this.painting = new Painting(this.code);
    this.tooltip = new Tooltip(root);
    this.selected = null;
    // How many tokens the selection covers, from the selected one on.
    this.extent = 1;
    this.hovered = null;
    this.picks = new Picks((selection) => this.receive(selection));
    // Whether growing text scrolls along: until the person scrolls back or picks a token, and again
    // once they scroll to its end or select none.
    this.following = true;
    this.lastTop = 0;
    this.listen();
  }

  listen() {
    this.code.addEventListener("pointerover", (event) => this.hover(event));
    this.code.addEventListener("pointerleave", () => this.clearHover());
    this.code.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.code.addEventListener("pointerdown", (event) => (this.pressed = event));
    this.code.addEventListener("click", (event) => this.click(event));
    this.code.addEventListener("keydown", (event) => moveByKey(this, event));
    // Whatever the person turns to next must not be overtaken by a pick still waiting here.
    this.code.addEventListener("focusout", () => this.picks.flush());
  }

  // ---- data from Python

  update(data) {
    if (data === this.data) return;
    this.data = data;
    const message = new TextDecoder().decode(data);
    const headerEnd = message.indexOf("\n");
    const { strip, height } = JSON.parse(message.slice(0, headerEnd));
    const own = height === "window" ? "var(--ts-beside)" : `${height}px`;
    this.frame.style.maxHeight = height ? own : "";
    this.frame.classList.toggle("bounded", Boolean(height));
    this.show(JSON.parse(message.slice(headerEnd + 1)));
    this.picks.attend(strip);
  }

  show(payload) {
    const { code } = this;
    const growing = payload.running || this.payload?.running;
    // A text that goes on is followed from wherever it was left, unless a token is selected.
    if (payload.running && !this.payload?.running) this.following = this.selected === null;
    this.payload = payload;
    const kept = this.painting.show(payload);
    this.describeAll(payload.running ? kept : 0);
    drawLegend(this.legend, payload);
    const count = payload.text.length;
    this.frame.classList.toggle("mark-prompt", promptMarked(payload));
    this.frame.classList.toggle("running", Boolean(payload.running));
    this.frame.classList.toggle("show-invisibles", Boolean(payload.invisibles));
    this.frame.classList.toggle("no-tokens", count === 0);
    this.empty.textContent = payload.running ? "Waiting for the first token" : "No tokens";
    code.setAttribute("aria-label", `${count} ${payload.item ?? "token"}s by ${payload.scale.label}`);
    code.style.setProperty("--gutter", `${Math.max(2, String(this.painting.lines).length)}ch`);
    if (kept === 0) {
      code.scrollTop = 0;
      this.following = true;
    } else if (growing && this.following) code.scrollTop = code.scrollHeight;
    this.paintSelection(this.selected, this.extent);
    this.paintEdges(this.edges ?? []);
    if (this.hovered !== null && this.hovered.index < kept) this.showTooltip();
    else this.clearHover();
  }

  receive({ index, extent = 1, edges = [] }) {
    this.paintEdges(edges);
    if (index === this.selected && extent === this.extent) return;
    this.picks.drop();
    if (index === null) this.following = Boolean(this.payload?.running);
    this.paintSelection(index, extent);
    // As much of it as fits, its beginning in any case.
    this.reveal(this.painted.at(-1));
    this.reveal();
  }

  // ---- selection

  // Where what the selected token stands in begins and ends.
  paintEdges(edges) {
    const { pieces } = this.painting;
    for (const piece of this.edged ?? []) piece.classList.remove("edge");
    this.edges = edges;
    this.edged = edges.flatMap((at) => pieces[at] ?? []);
    for (const piece of this.edged) piece.classList.add("edge");
    this.frame.classList.toggle("with-edges", this.edged.length > 0);
  }

  paintSelection(index, extent = 1) {
    const { pieces } = this.painting;
    for (const piece of this.painted ?? []) piece.classList.remove("selected", "within");
    pieces[this.selected]?.[0]?.removeAttribute("aria-selected");
    if (index !== this.selected) this.caret = undefined;
    this.selected = index;
    this.extent = extent;
    this.painted = index === null ? [] : pieces.slice(index, index + extent).flat();
    const [first] = this.painted;
    if (!first) {
      this.code.removeAttribute("aria-activedescendant");
      return;
    }
    for (const piece of this.painted) piece.classList.add(extent > 1 ? "within" : "selected");
    first.id = `token-${index}`;
    first.setAttribute("aria-selected", "true");
    this.code.setAttribute("aria-activedescendant", first.id);
  }

  // A token may be nothing but white space, which names nothing.
  describeAll(from) {
    const { pieces } = this.painting;
    for (let index = from; index < pieces.length; index += 1) {
      pieces[index][0].setAttribute("aria-label", this.describe(index));
    }
  }

  describe(index) {
    const { text, hover = [], reasons, item = "token" } = this.payload;
    const figures = hover.map(({ label, values }) => `${label} ${values[index] ?? "not available"}`);
    const name = `${item} ${visibleText(text[index])}`;
    const parts = [placeOf(this.payload, index), name, ...figures];
    if (this.payload.flags[index] & FLAG.notFavourite) parts.push(NOT_FAVOURITE);
    if (reasons?.[index]) parts.push(reasons[index]);
    return parts.join(", ");
  }

  pick(index, { piece, x, wait = false } = {}) {
    this.following = false;
    this.paintEdges([]);
    this.paintSelection(index);
    this.caret = { piece: piece ?? this.painting.pieces[index][0], x };
    this.reveal();
    this.picks.pick({ index }, wait ? KEY_REPEAT_PAUSE_MS : 0);
  }

  // Scrolls this strip, never the page.
  reveal(piece = this.caret?.piece ?? this.painting.pieces[this.selected]?.[0]) {
    if (!piece) return;
    const scroll = () => {
      const [box] = piece.getClientRects();
      if (!box) return; // taken off the page before the next frame
      const view = this.code.getBoundingClientRect();
      const margin = Math.min(box.height, view.height / 4);
      const above = box.top - margin - view.top;
      const below = box.bottom + margin - view.bottom;
      if (above < 0) this.code.scrollTop += above;
      else if (below > 0) this.code.scrollTop += below;
    };
    scroll();
    // Blocks that were off screen take their true height once shown.
    requestAnimationFrame(scroll);
  }

  // ---- pointer

  tokenOf(event) {
    const piece = event.target.closest?.("[data-i]");
    return piece ? { piece, index: Number(piece.dataset.i) } : null;
  }

  hover(event) {
    if (event.pointerType === "touch") return;
    const token = this.tokenOf(event);
    if (!token) return this.clearHover();
    if (token.piece === this.hovered?.piece) return;
    this.hovered = { ...token, y: event.clientY };
    this.showTooltip();
  }

  showTooltip() {
    const { piece, index, y } = this.hovered;
    // A token wrapped over several rows has a box for each.
    const boxes = Array.from(piece.getClientRects());
    const anchor = boxes.find((box) => y >= box.top && y <= box.bottom) ?? boxes[0];
    if (anchor) this.tooltip.show(anchor, this.payload, index);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.code;
    if (scrollTop < this.lastTop) this.following = false;
    if (scrollHeight - scrollTop - clientHeight < 4) this.following = true;
    this.lastTop = scrollTop;
    if (this.hovered?.piece.matches(":hover")) this.showTooltip();
    else this.clearHover();
  }

  clearHover() {
    this.hovered = null;
    this.tooltip.hide();
  }

  click(event) {
    const token = this.tokenOf(event);
    const { clientX: x = event.clientX, clientY: y = event.clientY } = this.pressed ?? {};
    const dragged = Math.hypot(event.clientX - x, event.clientY - y) > DRAG_PX;
    if (token && !dragged) this.pick(token.index, { piece: token.piece });
  }
}

const strips = new WeakMap();

export default function strip({ data, parentElement, setStateValue }) {
  let shown = strips.get(parentElement);
  if (!shown) strips.set(parentElement, (shown = new Strip(parentElement)));
  shown.picks.setStateValue = setStateValue;
  shown.update(data);
  return () => {
    // Streamlit also calls this when newer data overtook the call: only a removed element counts.
    if (parentElement.isConnected) return;
    shown.picks.dispose();
    shown.find.dispose();
  };
}
