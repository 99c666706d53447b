// The way from the whole down to what is zoomed into, each step a button.

const FIRST_CRUMBS = 2;
const LAST_CRUMBS = 4;

function crumbButton(payload, index, here, zoom) {
  const button = element("button", here ? "crumb here" : "crumb", visibleLabel(payload, index));
  button.type = "button";
  button.dataset.to = index;
  if (here) button.setAttribute("aria-current", "true");
  else button.addEventListener("click", () => zoom(index));
  return button;
}

function drawCrumbs(host, payload, path, zoom) {
  host.replaceChildren();
  path.forEach((index, at) => {
    const fromEnd = path.length - at;
    if (at >= FIRST_CRUMBS && fromEnd > LAST_CRUMBS) {
      if (at === FIRST_CRUMBS) host.append(element("span", "step", "›"), "…");
      return;
    }
    if (at) host.append(element("span", "step", "›"));
    host.append(crumbButton(payload, index, fromEnd === 1, zoom));
  });
}
