// Which changes of the address are steps of the browser's history.

const STEPS = ["run", "session", "a", "b"];
const INSTALLED = Symbol.for("tokenscope history");

function isStep(before, after, provisional) {
  // What a run in progress is called gives way to what it has made.
  if (STEPS.some((name) => provisional.has(before.get(name)))) return false;
  return STEPS.some((name) => {
    const [old, now] = [before.get(name), after.get(name)];
    return old !== null && now !== null && old !== now;
  });
}

// Going back on the page of a run in progress would leave it: it stays until it has ended or is
// stopped, and the steps before it stay too.
function stay(event, shared) {
  const shown = new URL(location.href).searchParams;
  const leaves = Object.entries(shared.running).some(
    ([name, run]) => shown.get(name) !== null && shown.get(name) !== run,
  );
  if (!leaves || location.pathname !== shared.page) return;
  event.stopImmediatePropagation();
  history.forward();
}

function install() {
  const shared = { provisional: new Set(), running: {}, page: null };
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
  for (const run of Object.values(data.provisional)) shared.provisional.add(run);
}
