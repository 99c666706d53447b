// Small multiples: the surprisal of each branch from its fork on, all on one axis of positions and
// one scale. Pointing at a position reads it in every branch at once.

const SVG = "http://www.w3.org/2000/svg";
const MISSING = "–";

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// A step a token: horizontal over it, with a gap where it has no value.
function outline(values, start, high) {
  let path = "";
  let drawing = false;
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const y = (high - value).toFixed(4);
    path += `${drawing ? "L" : "M"}${start + index} ${y}H${start + index + 1}`;
    drawing = true;
  });
  return path;
}

function sparkline({ values, start, label }, { first, last, high }) {
  const svg = shape("svg", {
    viewBox: `${first} 0 ${Math.max(1, last - first)} ${high || 1}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": label,
  });
  svg.append(shape("path", { d: outline(values, start, high || 1) }));
  return svg;
}

function sparkRow(branch, data) {
  const row = element("div", `spark-row colour${branch.colour}`);
  const name = element("div", "name");
  name.title = branch.name;
  name.append(element("i", "swatch"), element("span", "text", branch.name));
  const track = element("div", "spark");
  const cursor = element("div", "cursor");
  track.append(sparkline(branch, data), cursor);
  row.append(name, track, element("div", "readout", branch.figures));
  return row;
}

class Overview {
  constructor(root) {
    this.frame = element("section", "tree overview");
    this.head = element("div", "header");
    this.rows = element("div", "sparks");
    this.frame.append(this.head, this.rows);
    root.append(this.frame);
    this.rows.addEventListener("pointermove", (event) => this.point(event));
    this.rows.addEventListener("pointerleave", () => this.read(null));
  }

  update(bytes) {
    this.frame.classList.toggle("dark", pageIsDark(this.frame));
    const content = new TextDecoder().decode(bytes);
    if (content === this.content) return;
    this.content = content;
    this.data = JSON.parse(content);
    const { first, last, high, unit, branches } = this.data;
    const scale = `surprisal, 0 to ${high.toFixed(1)} ${unit}, at positions ${first} to ${last - 1}`;
    this.head.replaceChildren(element("div", "row-title", scale));
    this.rows.replaceChildren(...branches.map((branch) => sparkRow(branch, this.data)));
  }

  point(event) {
    const track = event.target.closest?.(".spark");
    if (!track) return this.read(null);
    const box = track.getBoundingClientRect();
    const { first, last } = this.data;
    const share = (event.clientX - box.left) / box.width;
    this.read(Math.max(first, Math.min(last - 1, first + Math.floor(share * (last - first)))));
  }

  read(position) {
    const { first, last, unit, branches } = this.data;
    this.frame.classList.toggle("reading", position !== null);
    branches.forEach((branch, index) => {
      const [, track, readout] = this.rows.children[index].children;
      if (position === null) {
        readout.textContent = branch.figures;
        return;
      }
      track.lastChild.style.left = `${(100 * (position + 0.5 - first)) / (last - first)}%`;
      const at = position - branch.start;
      const inside = at >= 0 && at < branch.values.length;
      const value = inside ? branch.values[at] : null;
      const figure = value === null ? MISSING : `${value.toFixed(2)} ${unit}`;
      readout.textContent = inside
        ? `${position}: ${visibleText(branch.tokens[at], 16)} ${figure}`
        : `${position}: ${at < 0 ? "shared" : "ended"}`;
    });
  }
}

const overviews = new WeakMap();

export default function overview({ data, parentElement }) {
  let shown = overviews.get(parentElement);
  if (!shown) overviews.set(parentElement, (shown = new Overview(parentElement)));
  shown.update(data);
}
