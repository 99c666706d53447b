// The component: one TreeView per mounted element, kept across Streamlit's repeated calls.

const KEY_PAUSE_MS = 120;
// In the order of a lane's `to`.
const WAYS = { ArrowLeft: 0, ArrowRight: 1, "Shift+ArrowUp": 2, "Shift+ArrowDown": 3 };

class TreeView {
  constructor(root) {
    this.frame = element("section", "tree");
    this.head = element("div", "header");
    this.body = element("div", "lanes");
    this.body.tabIndex = 0;
    this.body.setAttribute("role", "tree");
    this.body.setAttribute("aria-label", "Branches");
    const foot = element("div", "foot");
    const nameOf = () => fileStem("branches", this.lanes[0]?.name ?? "");
    foot.append(pictureButtons(this.frame, nameOf, () => this.takeTheme()));
    foot.dataset.offPicture = "";
    this.frame.append(this.head, this.body, foot);
    root.append(this.frame);
    this.lanes = [];
    this.selected = -1;
    // When the browser last picked a lane. Python's selection is older than that until it has seen
    // the pick, and must not undo it.
    this.stamp = 0;
    this.body.addEventListener("click", (event) => this.click(event));
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusout", () => this.flush());
  }

  takeTheme() {
    this.frame.classList.toggle("dark", pageIsDark(this.frame));
  }

  update(data) {
    this.takeTheme();
    const message = new TextDecoder().decode(data);
    const headerEnd = message.indexOf("\n");
    const { selected, stamp, height } = JSON.parse(message.slice(0, headerEnd));
    const content = message.slice(headerEnd + 1);
    const picked = this.lanes[this.selected]?.key;
    this.body.style.maxHeight = `${height}px`;
    const changed = content !== this.content;
    if (changed) this.draw(content);
    const stale = stamp < this.stamp && this.indexOf(picked) >= 0;
    this.stamp = Math.max(this.stamp, stamp);
    this.mark(this.indexOf(stale ? picked : selected), changed);
  }

  indexOf(key) {
    return this.lanes.findIndex((lane) => lane.key === key);
  }

  draw(content) {
    this.content = content;
    const { lanes, unit } = JSON.parse(content);
    this.lanes = lanes;
    const length = axisLength(this.lanes);
    this.head.replaceChildren(headRow(length, unit));
    this.body.replaceChildren(...this.lanes.map((lane, index) => laneRow(lane, index, length)));
    this.selected = -1;
  }

  mark(index, redrawn) {
    if (index === this.selected && !redrawn) return;
    const rows = this.body.children;
    rows[this.selected]?.classList.remove("selected");
    rows[this.selected]?.setAttribute("aria-selected", "false");
    this.selected = index;
    const path = new Set();
    for (let at = index; this.lanes[at]; at = this.lanes[at].on ?? -1) path.add(at);
    for (const [at, lane] of Array.from(rows).entries()) lane.classList.toggle("on-path", path.has(at));
    const row = rows[index];
    if (!row) {
      this.body.removeAttribute("aria-activedescendant");
      return;
    }
    row.classList.add("selected");
    row.setAttribute("aria-selected", "true");
    this.body.setAttribute("aria-activedescendant", row.id);
    this.reveal(row);
  }

  // Scrolls the lanes, never the page.
  reveal(row) {
    const above = row.offsetTop - this.body.scrollTop;
    const below = row.offsetTop + row.offsetHeight - this.body.scrollTop - this.body.clientHeight;
    if (above < 0) this.body.scrollTop += above;
    else if (below > 0) this.body.scrollTop += below;
  }

  click(event) {
    const row = event.target.closest?.("[data-i]");
    if (row) this.pick(Number(row.dataset.i));
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const here = this.lanes[this.selected];
    const last = this.lanes.length - 1;
    const steps = { ArrowUp: this.selected - 1, ArrowDown: this.selected + 1, Home: 0, End: last };
    const name = (event.shiftKey ? "Shift+" : "") + event.key;
    const target = here && name in WAYS ? here.to[WAYS[name]] : steps[name];
    if (target === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.pick(Math.max(0, Math.min(last, target)), KEY_PAUSE_MS);
  }

  // While a key is held, only where it comes to rest is told.
  pick(index, pause = 0) {
    if (index === this.selected) return;
    this.mark(index, false);
    this.stamp = Math.max(Date.now(), this.stamp + 1);
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.flush(), pause);
    if (!pause) this.flush();
  }

  flush() {
    if (this.pending === undefined) return;
    clearTimeout(this.pending);
    this.pending = undefined;
    const lane = this.lanes[this.selected];
    if (lane) this.setStateValue("pick", { branch: lane.key, stamp: this.stamp });
  }
}

const trees = new WeakMap();

export default function tree({ data, parentElement, setStateValue }) {
  let shown = trees.get(parentElement);
  if (!shown) trees.set(parentElement, (shown = new TreeView(parentElement)));
  shown.setStateValue = setStateValue;
  shown.update(data);
}
