// A box beside the pointer. It lives in the top layer, so nothing clips it.

const TOOLTIP_GAP = 14;

class Tooltip {
  constructor(root) {
    this.box = element("div", "tooltip");
    this.box.setAttribute("role", "tooltip");
    this.box.popover = "manual";
    root.append(this.box);
  }

  // Right of and below (x, y) where there is room, else on the other side.
  show(x, y, nodes) {
    this.box.replaceChildren(...nodes);
    if (!this.box.matches(":popover-open")) this.box.showPopover();
    const { width, height } = this.box.getBoundingClientRect();
    const beside = (at, size, room) => {
      const after = at + TOOLTIP_GAP;
      const place = after + size <= room ? after : at - TOOLTIP_GAP - size;
      return Math.max(4, Math.min(place, room - size - 4));
    };
    this.box.style.left = `${beside(x, width, document.documentElement.clientWidth)}px`;
    this.box.style.top = `${beside(y, height, window.innerHeight)}px`;
  }

  hide() {
    if (this.box.matches(":popover-open")) this.box.hidePopover();
  }
}

// Lines of names and values.
function figureList(figures) {
  const list = element("dl");
  for (const [name, value] of figures) list.append(element("dt", "", name), element("dd", "", value));
  return list;
}
