const WATCHED = Symbol.for("tokenscope typed text");
const HALF = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

function mend(event) {
  const field = event.composedPath()[0];
  const kind = [HTMLTextAreaElement, HTMLInputElement].find((one) => field instanceof one);
  if (!kind || field.value.search(HALF) < 0) return;
  const { selectionStart, selectionEnd } = field;
  // The field's own setter would tell React that nothing was typed.
  const { set } = Object.getOwnPropertyDescriptor(kind.prototype, "value");
  set.call(field, field.value.replace(HALF, "\uFFFD"));
  if (selectionStart !== null) field.setSelectionRange(selectionStart, selectionEnd);
}

export default function () {
  if (window[WATCHED]) return;
  window[WATCHED] = true;
  // Before anybody else learns of what was typed.
  window.addEventListener("input", mend, true);
}
