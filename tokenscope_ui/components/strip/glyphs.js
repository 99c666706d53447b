// Visible forms of characters that a page would otherwise hide, reorder or swallow.

// Controls, format characters (bidi marks, zero-width), surrogates, private use, line separators,
// unusual spaces and everything a font may ignore. Plain space, tab, CR and LF are handled apart.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u;
const SEGMENT =
  / +|\t|\r|[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;
// Mnemonics rather than the control pictures of U+2400, which few monospace fonts have.
const CONTROLS = (
  "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI " +
  "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split(" ");
const LEADING_MARK = /^\p{M}/u;

function escapeOf(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return CONTROLS[code];
  if (code === 0x7f) return "DEL";
  return "U+" + code.toString(16).toUpperCase().padStart(4, "0");
}

// A label with nothing hidden in it; spaces stay spaces.
function escapeHidden(text) {
  return Array.from(text, (one) => (HIDDEN.test(one) ? escapeOf(one) : one)).join("");
}

// One line of text, every character visible: for the tooltip and for screen readers.
function visibleText(text, limit = 80) {
  const short = text.length > limit ? text.slice(0, limit).replace(/\p{Cs}$/u, "") + "…" : text;
  return escapeHidden(short.replace(/ /g, "·").replace(/\t/g, "→").replace(/\n/g, "↵"));
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Text and the overlay that makes it visible: the real character stays in the page, so copying
// and column positions are exact.
function whitespace(text, glyph) {
  const node = element("span", "ws", text);
  node.dataset.glyph = glyph;
  return node;
}

// Fills `target` with one line's worth of a token. `beforeNewline` says that a line feed follows,
// which is what makes a carriage return an ordinary line ending instead of a surprise.
function appendVisible(target, text, invisibles, beforeNewline) {
  if (LEADING_MARK.test(text)) target.classList.add("mark");
  let done = 0;
  for (const match of text.matchAll(SEGMENT)) {
    const [segment] = match;
    const end = match.index + segment.length;
    const lineEnding = segment === "\r" && end === text.length && beforeNewline;
    const plain = segment[0] === " " || segment === "\t";
    if (plain && !invisibles) continue;
    if (match.index > done) target.append(text.slice(done, match.index));
    if (segment[0] === " ") target.append(whitespace(segment, "·".repeat(segment.length)));
    else if (segment === "\t") target.append(whitespace(segment, "→"));
    else if (!lineEnding) target.append(element("span", "escape", escapeOf(segment)));
    else if (invisibles) target.append(element("span", "escape", "CR"));
    done = end;
  }
  if (done < text.length) target.append(text.slice(done));
}

const TAB_COLUMNS = 4;

// How many columns of white space a line begins with. Where it holds a tab, whole tab stops: they
// are counted from where the line hangs.
function indentOf(text) {
  let columns = 0;
  for (const character of text) {
    if (character === " ") columns += 1;
    else if (character === "\t") columns += TAB_COLUMNS - (columns % TAB_COLUMNS);
    else break;
  }
  return text.includes("\t") ? columns - (columns % TAB_COLUMNS) : columns;
}
