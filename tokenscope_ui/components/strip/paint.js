// The painted tokens. A token is one or more pieces (a piece never crosses a line feed), pieces sit
// in lines, lines in blocks that the browser skips while they are off screen.

const FLAG = {
  prompt: 1, forced: 2, special: 4, incomplete: 8, continues: 32, notFavourite: 64,
  shared: 128, changed: 256, alone: 512, begins: 1024, marked: 2048, broke: 4096,
  seam: 8192,
};
const LINES_PER_BLOCK = 24;

function commonPrefix(old, next) {
  const limit = Math.min(old.text.length, next.text.length);
  let same = 0;
  while (same < limit && old.text[same] === next.text[same] && old.flags[same] === next.flags[same]) {
    same += 1;
  }
  // A carriage return is drawn according to what follows it.
  if (same > 0 && same < next.text.length && next.text[same - 1].endsWith("\r")) same -= 1;
  return same;
}

class Painting {
  constructor(host) {
    this.host = host;
    this.clear();
  }

  clear(firstLine = 1) {
    this.host.replaceChildren();
    this.source = { text: [], flags: [], invisibles: false };
    this.pieces = [];
    this.tints = [];
    this.lines = firstLine - 1;
    this.block = null;
    this.line = null;
  }

  // Brings the page in step with `payload`, touching only what differs: tokens both have keep their
  // elements. Returns how many tokens were kept.
  show(payload) {
    const { invisibles, first_line: firstLine = 1 } = payload;
    const { first_line: firstBefore = 1 } = this.source;
    const sameForm = invisibles === this.source.invisibles && firstLine === firstBefore;
    const kept = sameForm ? commonPrefix(this.source, payload) : 0;
    if (kept === 0) this.clear(firstLine);
    else if (kept < this.pieces.length) this.truncate(kept);
    this.source = payload;
    const added = document.createDocumentFragment();
    this.changed = new Set(this.line ? [this.line] : []);
    for (let index = kept; index < payload.text.length; index += 1) this.addToken(index, added);
    for (const line of this.changed) {
      line.style.setProperty("--indent", `${indentOf(line.textContent)}ch`);
    }
    this.host.append(added);
    this.tint(payload);
    return kept;
  }

  truncate(kept) {
    for (const pieces of this.pieces.splice(kept)) for (const piece of pieces) piece.remove();
    this.tints.length = kept;
    const last = this.pieces[kept - 1].at(-1);
    this.line = last.parentElement;
    this.block = this.line.parentElement;
    while (this.line.nextSibling) this.line.nextSibling.remove();
    while (this.block.nextSibling) this.block.nextSibling.remove();
    this.lines = Number(this.line.dataset.number);
    if (last.endsLine) this.line = null;
  }

  addToken(index, added) {
    const { text: texts, flags, invisibles } = this.source;
    const text = texts[index];
    const pieces = [];
    this.pieces.push(pieces);
    if (flags[index] & FLAG.continues) {
      this.addPiece(index, pieces, added).classList.add("thin", "continues");
      return;
    }
    if (flags[index] & (FLAG.special | FLAG.incomplete) || text === "") {
      const piece = this.addPiece(index, pieces, added);
      piece.textContent = text === "" ? "∅" : escapeHidden(text);
      return;
    }
    const parts = text.split("\n");
    parts.forEach((part, at) => {
      const endsLine = at < parts.length - 1;
      if (part === "" && !endsLine) return;
      const piece = this.addPiece(index, pieces, added);
      const beforeNewline = endsLine || (texts[index + 1] ?? "").startsWith("\n");
      appendVisible(piece, part, invisibles, beforeNewline);
      // Nothing to see must still be something to click.
      if (endsLine || !piece.hasChildNodes()) piece.classList.add("thin");
      if (endsLine) {
        piece.classList.add("newline");
        piece.endsLine = true;
        this.line = null;
      }
    });
  }

  addPiece(index, pieces, added) {
    const flags = this.source.flags[index];
    const piece = document.createElement("span");
    piece.className = "token";
    if (flags & FLAG.prompt) piece.classList.add("prompt");
    if (flags & FLAG.forced) piece.classList.add("forced");
    if (flags & FLAG.special || this.source.text[index] === "") piece.classList.add("special");
    if (flags & FLAG.incomplete) piece.classList.add("incomplete");
    if (flags & FLAG.shared) piece.classList.add("shared");
    if (flags & FLAG.changed) piece.classList.add("changed");
    if (flags & FLAG.alone) piece.classList.add("alone");
    if (flags & FLAG.marked) piece.classList.add("marked");
    if (flags & FLAG.broke) piece.classList.add("broke");
    piece.dataset.i = index;
    if (pieces.length === 0) {
      piece.setAttribute("role", "option");
      if (flags & FLAG.begins) piece.classList.add("begins");
      if (flags & FLAG.seam) piece.classList.add("seam");
      if (flags & FLAG.notFavourite) piece.classList.add("not-favourite");
    }
    pieces.push(piece);
    this.currentLine(added).append(piece);
    return piece;
  }

  currentLine(added) {
    if (this.line) return this.line;
    if (!this.block || this.block.childElementCount >= LINES_PER_BLOCK) {
      this.block = element("div", "block");
      added.append(this.block);
    }
    this.lines += 1;
    this.line = element("div", "line");
    this.line.dataset.number = this.lines;
    this.block.append(this.line);
    this.changed.add(this.line);
    return this.line;
  }

  tint({ values, scale }) {
    this.host.dataset.kind = scale.kind;
    this.pieces.forEach((pieces, index) => {
      const tint = tintOf(values[index], scale);
      const before = this.tints[index];
      if (tint === before) return;
      this.tints[index] = tint;
      for (const piece of pieces) {
        if (before) piece.classList.remove(before);
        piece.classList.add(tint);
      }
    });
  }

  // The piece whose box is nearest to a point of the viewport, on the visual line through it.
  pieceAt(x, y) {
    const within = (nodes) => {
      let best = null;
      let distance = Infinity;
      for (const node of nodes) {
        const box = node.getBoundingClientRect();
        const away = Math.max(box.top - y, y - box.bottom, 0);
        if (away < distance) [best, distance] = [node, away];
        if (away === 0) break;
      }
      return best;
    };
    const line = within(within(this.host.children)?.children ?? []);
    let best = null;
    let distance = Infinity;
    for (const piece of line?.children ?? []) {
      for (const box of piece.getClientRects()) {
        const rows = Math.max(box.top - y, y - box.bottom, 0);
        const columns = Math.max(box.left - x, x - box.right, 0);
        const away = rows * 1e4 + columns;
        if (away < distance) [best, distance] = [piece, away];
      }
    }
    return best;
  }
}
