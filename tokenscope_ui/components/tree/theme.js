// Whether the page is dark: the palette of branches has a variant for each.

function pageIsDark(host) {
  const probe = document.createElement("i");
  probe.style.color = "var(--st-background-color)";
  host.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
  probe.remove();
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}
