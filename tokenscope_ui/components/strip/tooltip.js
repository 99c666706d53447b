// What a token is, beside the pointer. It lives in the top layer, so nothing clips it.

const TOOLTIP_GAP = 8;
const NOT_FAVOURITE = "drawn by sampling, not the favourite";

function placeOf({ item, first_position: from }, index) {
  return `${item === "span" ? "span" : "position"} ${from + index}`;
}

class Tooltip {
  constructor(root) {
    this.box = element("div", "tooltip");
    this.box.setAttribute("role", "tooltip");
    this.box.popover = "manual";
    root.append(this.box);
  }

  show(anchor, payload, index) {
    this.fill(payload, index);
    if (!this.box.matches(":popover-open")) this.box.showPopover();
    const { width, height } = this.box.getBoundingClientRect();
    const room = { width: document.documentElement.clientWidth, height: window.innerHeight };
    const below = anchor.bottom + TOOLTIP_GAP;
    const above = anchor.top - TOOLTIP_GAP - height;
    const top = below + height <= room.height || above < 0 ? below : above;
    const left = Math.min(anchor.left, room.width - width - TOOLTIP_GAP);
    this.box.style.left = `${Math.max(TOOLTIP_GAP, left)}px`;
    this.box.style.top = `${Math.max(TOOLTIP_GAP, Math.min(top, room.height - height - TOOLTIP_GAP))}px`;
  }

  fill(payload, index) {
    const head = element("div", "head");
    head.append(
      element("code", "", visibleText(payload.text[index]) || "∅"),
      element("span", "position", placeOf(payload, index)),
    );
    const figures = element("dl");
    for (const field of payload.hover ?? []) {
      const value = field.values[index];
      const figure = element("dd", value == null ? "none" : "", value ?? "not available");
      figures.append(element("dt", "", field.label), figure);
    }
    this.box.replaceChildren(head, figures);
    if (payload.flags[index] & FLAG.notFavourite) {
      this.box.append(element("div", "reason", NOT_FAVOURITE));
    }
    const reason = payload.reasons?.[index];
    if (reason) this.box.append(element("div", "reason", reason));
  }

  hide() {
    if (this.box.matches(":popover-open")) this.box.hidePopover();
  }
}
