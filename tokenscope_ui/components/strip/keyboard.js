// The keys of a text editor, moving from token to token.

function moveByKey(strip, event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const last = strip.painting.pieces.length - 1;
  const at = strip.selected;
  const row = () => parseFloat(getComputedStyle(strip.code).lineHeight);
  const page = () => Math.min(strip.code.clientHeight, window.innerHeight) * 0.9;
  const moves = {
    ArrowRight: () => pickIndex(strip, at === null ? 0 : at + strip.extent, event),
    ArrowLeft: () => pickIndex(strip, at === null ? last : at - 1, event),
    Home: () => pickIndex(strip, 0, event),
    End: () => pickIndex(strip, last, event),
    ArrowDown: () => pickBelow(strip, row(), event),
    ArrowUp: () => pickBelow(strip, -row(), event),
    PageDown: () => pickBelow(strip, page(), event),
    PageUp: () => pickBelow(strip, -page(), event),
    Escape: () => {},
  };
  const move = moves[event.key];
  if (!move) return;
  if (event.key !== "Escape") event.preventDefault();
  event.stopPropagation();
  strip.clearHover();
  if (last >= 0) move();
}

function pickIndex(strip, index, event, caret = {}) {
  const exists = index >= 0 && index < strip.painting.pieces.length;
  if (exists && index !== strip.selected) strip.pick(index, { ...caret, wait: event.repeat });
}

// The token nearest to a height, in the column where a run of such moves began.
function pickBelow(strip, distance, event) {
  const pieces = strip.painting.pieces[strip.selected];
  if (!pieces) return pickIndex(strip, 0, event);
  // What was painted before is on the page no more, and has no place.
  const here = strip.caret?.piece.isConnected ? strip.caret.piece : pieces[0];
  const [box] = here.getClientRects();
  if (!box) return;
  const x = strip.caret?.x ?? (box.left + box.right) / 2;
  const piece = strip.painting.pieceAt(x, (box.top + box.bottom) / 2 + distance);
  if (piece) pickIndex(strip, Number(piece.dataset.i), event, { piece, x });
}
