// Colours of a drawing, from the theme: ramps from the page's own background to the far end of
// lightness, through hues that stay apart for colour-blind eyes (Machado et al. 2009).

const RAMP_STEPS = 256;
const LIGHT = {
  warm: ["oklch(0.91 0.07 85)", "oklch(0.78 0.14 65)", "oklch(0.6 0.17 42)", "oklch(0.43 0.14 30)", "oklch(0.26 0.08 20)"],
  cold: ["oklch(0.9 0.05 240)", "oklch(0.76 0.1 245)", "oklch(0.58 0.14 250)", "oklch(0.42 0.13 258)", "oklch(0.27 0.09 265)"],
  zero: 4,
};
const DARK = {
  warm: ["oklch(0.34 0.08 25)", "oklch(0.48 0.14 35)", "oklch(0.65 0.16 52)", "oklch(0.81 0.14 75)", "oklch(0.95 0.09 98)"],
  cold: ["oklch(0.34 0.07 262)", "oklch(0.47 0.12 256)", "oklch(0.63 0.13 248)", "oklch(0.79 0.1 238)", "oklch(0.94 0.05 220)"],
  zero: 7,
};

const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

// [red, green, blue] of any colour CSS can say.
function channels(css) {
  brush.fillStyle = css;
  brush.fillRect(0, 0, 1, 1);
  return Array.from(brush.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

function pack([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

function ramp(colours) {
  const stops = colours.map(channels);
  return Uint32Array.from({ length: RAMP_STEPS }, (_, step) => {
    const place = (step / (RAMP_STEPS - 1)) * (stops.length - 1);
    const lower = Math.min(Math.floor(place), stops.length - 2);
    const share = place - lower;
    return pack(stops[lower].map((from, i) => Math.round(from + share * (stops[lower + 1][i] - from))));
  });
}

// Colours and fonts of `host`, as strings a canvas takes, and the two ramps as packed pixels.
function readTheme(host) {
  const probe = document.createElement("i");
  host.append(probe);
  const read = (css) => {
    probe.style.color = css;
    return getComputedStyle(probe).color;
  };
  const mixed = (share) => read(`color-mix(in oklab, var(--st-text-color) ${share}%, var(--st-background-color))`);
  const panel = read("var(--st-background-color)");
  const [red, green, blue] = channels(panel);
  const dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  const hues = dark ? DARK : LIGHT;
  const zero = mixed(hues.zero);
  probe.style.fontFamily = "var(--st-code-font)";
  const codeFont = getComputedStyle(probe).fontFamily;
  probe.style.fontFamily = "var(--st-font)";
  const theme = {
    dark,
    panel,
    zero,
    text: read("var(--st-text-color)"),
    muted: mixed(66),
    faint: mixed(40),
    hair: mixed(16),
    missing: mixed(dark ? 30 : 26),
    accent: read("var(--st-primary-color)"),
    codeFont,
    font: getComputedStyle(probe).fontFamily,
    warm: ramp([zero, ...hues.warm]),
    cold: ramp([zero, ...hues.cold]),
  };
  probe.remove();
  return theme;
}

function cssOf(pixel) {
  return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
}

// A gradient as a style sheet takes it, for the bar of a legend.
function barOf(theme, difference) {
  const stops = (pixels) => [0, 32, 64, 96, 128, 160, 192, 224, 255].map((i) => cssOf(pixels[i]));
  const colours = difference ? [...stops(theme.cold).reverse(), ...stops(theme.warm)] : stops(theme.warm);
  return `linear-gradient(90deg, ${colours.join(", ")})`;
}

// Diagonal lines in a colour, for what has no number.
function hatching(context, colour) {
  const tile = new OffscreenCanvas(6, 6);
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.2;
  pen.beginPath();
  for (const x of [-6, 0, 6]) {
    pen.moveTo(x, 6);
    pen.lineTo(x + 6, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
