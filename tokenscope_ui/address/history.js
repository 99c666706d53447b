// Which changes of the address are steps of the browser's history.

const STEPS = ["run", "session", "a", "b"];
const INSTALLED = Symbol.for("tokenscope history");

function isStep(before, after, provisional) {
  // What a run in progress is called gives way to what it has made.
  if (provisional.has(before.get("run"))) return false;
  return STEPS.some((name) => {
    const [old, now] = [before.get(name), after.get(name)];
    return old !== null && now !== null && old !== now;
  });
}

// Going back on the page of a run in progress would leave it: it stays until it has ended or is
// stopped, and the steps before it stay too.
function stay(event, shared) {
  const run = new URL(location.href).searchParams.get("run");
  const leaves = run !== null && run !== shared.running && location.pathname === shared.page;
  if (shared.running === null || !leaves) return;
  event.stopImmediatePropagation();
  history.forward();
}

function install() {
  const shared = { provisional: new Set(), running: null, page: null };
  window.addEventListener("popstate", (event) => stay(event, shared), true);
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const next = new URL(url ?? location.href, location.href);
    const here = new URL(location.href);
    const samePage = next.pathname === here.pathname;
    if (samePage && !isStep(here.searchParams, next.searchParams, shared.provisional)) {
      history.replaceState(state, title, url);
    } else {
      push(state, title, url);
    }
  };
  return shared;
}

export default function ({ data }) {
  window[INSTALLED] ??= install();
  const shared = window[INSTALLED];
  shared.running = data.provisional;
  shared.page = location.pathname;
  if (data.provisional) shared.provisional.add(data.provisional);
}
