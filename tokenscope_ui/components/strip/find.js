// A field above the code that finds text in it, token boundaries or not.

const FIND_EVENT = "tokenscope:find";

class Find {
  constructor(strip) {
    this.strip = strip;
    this.bar = element("div", "find");
    this.bar.hidden = true;
    this.field = element("input");
    this.field.type = "search";
    this.field.placeholder = "Find in the code";
    this.field.setAttribute("aria-label", "Find in the code");
    this.said = element("span");
    this.said.setAttribute("role", "status");
    this.bar.append(this.field, this.said);
    this.field.addEventListener("input", () => this.go(0));
    this.field.addEventListener("keydown", (event) => this.key(event));
    // The first strip of a page takes it.
    this.onFind = (event) => {
      if (event.defaultPrevented) return;
      event.preventDefault();
      this.open();
    };
    document.addEventListener(FIND_EVENT, this.onFind);
  }

  dispose() {
    document.removeEventListener(FIND_EVENT, this.onFind);
  }

  open() {
    this.bar.hidden = false;
    this.field.focus();
    this.field.select();
  }

  close() {
    this.bar.hidden = true;
    this.strip.code.focus();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter") this.go(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  }

  // The tokens in which what is looked for begins. Capitals count where any are typed.
  matches() {
    const wanted = this.field.value;
    if (!wanted) return [];
    const exact = wanted !== wanted.toLowerCase();
    const fold = (text) => (exact ? text : text.toLowerCase());
    const texts = this.strip.payload.text.map(fold);
    const all = texts.join("");
    const found = [];
    let [token, end] = [0, texts[0]?.length ?? 0];
    for (let at = all.indexOf(wanted); at >= 0; at = all.indexOf(wanted, at + 1)) {
      while (end <= at) end += texts[(token += 1)].length;
      if (found.at(-1) !== token) found.push(token);
    }
    return found;
  }

  // To the first from the selection on (0), the next (1) or the one before (-1), round and round.
  go(step) {
    const found = this.matches();
    if (!found.length) {
      this.said.textContent = this.field.value ? "Not found" : "";
      return;
    }
    const from = this.strip.selected ?? 0;
    const onward = found.findIndex((token) => (step > 0 ? token > from : token >= from));
    const next = onward < 0 ? found.length : onward;
    const at = (next + (step < 0 ? -1 : 0) + found.length) % found.length;
    this.strip.pick(found[at], { wait: true });
    this.said.textContent = `${at + 1} of ${found.length}`;
  }
}
