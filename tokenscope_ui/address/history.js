// Which changes of the address are steps of the browser's history.

const STEPS = ["run", "session", "a", "b"];
const INSTALLED = Symbol.for("tokenscope history");

function isStep(before, after, provisional) {
  return STEPS.some((name) => {
    const [old, now] = [before.get(name), after.get(name)];
    return old !== null && now !== null && old !== now && old !== provisional;
  });
}

function install() {
  const shared = { provisional: new Set() };
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const next = new URL(url ?? location.href, location.href);
    const here = new URL(location.href);
    const provisional = here.searchParams.get("run");
    const known = shared.provisional.has(provisional) ? provisional : undefined;
    const samePage = next.pathname === here.pathname;
    if (samePage && !isStep(here.searchParams, next.searchParams, known)) {
      history.replaceState(state, title, url);
    } else {
      push(state, title, url);
    }
  };
  return shared;
}

export default function ({ data }) {
  window[INSTALLED] ??= install();
  if (data.provisional) window[INSTALLED].provisional.add(data.provisional);
}
