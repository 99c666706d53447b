// One listener for the whole page, which outlives the component: pages come and go.

const SHOWN = Symbol.for("tokenscope.keys");
const FIND_EVENT = "tokenscope:find";
// The guide has buttons of the same kind that run nothing.
const RUN = '[data-testid="stMain"] [data-testid="stBaseButton-primary"]:not(:disabled)';
const GUIDE = '[class*="st-key-guide"]';

function element(tag, text) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  return node;
}

function runButton() {
  const buttons = Array.from(document.querySelectorAll(RUN));
  return buttons.find((button) => !button.closest(GUIDE) && button.offsetParent);
}

// Whether a strip of code has taken it.
function find() {
  return !document.dispatchEvent(new CustomEvent(FIND_EVENT, { cancelable: true }));
}

function typed(event) {
  const [target] = event.composedPath();
  const words = 'textarea, select, [contenteditable="true"], input:not([type="checkbox"], [type="radio"])';
  return target instanceof Element && target.matches(words);
}

function onKey(event) {
  if (event.isComposing || event.altKey) return;
  const { dialog } = window[SHOWN];
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    // After the field has told its page what was typed.
    setTimeout(() => runButton()?.click());
    return;
  }
  if (event.ctrlKey || event.metaKey || typed(event) || !dialog.isConnected) return;
  if (event.key === "/" && find()) event.preventDefault();
  else if (event.key === "?") dialog.open ? dialog.close() : dialog.showModal();
}

function button(words, act) {
  const made = element("button", words);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

export default function keys({ data, parentElement }) {
  if (parentElement.querySelector("dialog")) return;
  const dialog = element("dialog");
  dialog.setAttribute("aria-label", "Keys");
  const list = element("dl");
  for (const [key, does] of data.keys) {
    const name = element("dt");
    name.append(element("kbd", key));
    list.append(name, element("dd", does));
  }
  dialog.append(element("h2", "Keys"), list, button("Close", () => dialog.close()));
  const ways = element("div");
  ways.className = "ways";
  ways.append(
    button("To the button that runs", () => runButton()?.focus()),
    button("Find in the code", find),
    button("Keys", () => dialog.showModal()),
  );
  parentElement.append(ways, dialog);
  if (!window[SHOWN]) window.addEventListener("keydown", onKey);
  window[SHOWN] = { dialog };
}
