// What is selected, as the browser and Python agree on it: the browser picks, Python may select too.

const SELECTIONS = Symbol.for("tokenscope.strip.selections");
const SELECTION_EVENT = "tokenscope:strip-selection";

class Picks {
  // `receive` is given what Python selects, unless Python had not yet seen the browser's last pick:
  // then it is out of date and must not undo it.
  constructor(receive) {
    this.receive = receive;
    // When the browser last picked, in ms.
    this.stamp = 0;
    // The newest pick Python is known to have seen, perhaps of an earlier mount.
    this.seen = 0;
    this.onSelection = ({ detail }) => this.take(detail);
    document.addEventListener(SELECTION_EVENT, this.onSelection);
  }

  dispose() {
    document.removeEventListener(SELECTION_EVENT, this.onSelection);
    this.drop();
  }

  // Takes what was selected under that name, perhaps before this was there.
  attend(name) {
    this.name = name;
    const waiting = globalThis[SELECTIONS]?.get(name);
    if (waiting) this.take(waiting);
  }

  take(selection) {
    if (selection.strip !== this.name) return;
    this.seen = Math.max(this.seen, selection.stamp);
    if (selection.stamp >= this.stamp) this.receive(selection);
  }

  // Tells Python, after a pause in ms: while a key is held, only where it comes to rest is told.
  pick(picked, pause = 0) {
    this.stamp = Math.max(Date.now(), this.stamp + 1, this.seen + 1);
    this.picked = { ...picked, stamp: this.stamp };
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.flush(), pause);
    if (!pause) this.flush();
  }

  drop() {
    this.pending = clearTimeout(this.pending);
  }

  flush() {
    if (this.pending === undefined) return;
    this.drop();
    this.setStateValue("pick", this.picked);
  }
}
