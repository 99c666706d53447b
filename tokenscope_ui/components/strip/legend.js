// The key to the colours: metric, unit, gradient with ticks, and the marks that occur in this text.

function legendBar(scale) {
  const bar = element("div", "bar");
  bar.dataset.kind = scale.kind;
  const [first, last] = [placeOn(scale.low, scale), placeOn(scale.high, scale)];
  for (let step = 0; step <= TOP_LEVEL; step += 1) {
    const place = first + ((last - first) * step) / TOP_LEVEL;
    bar.append(element("i", `t${levelAt(place, scale)}`));
  }
  return bar;
}

function legendTicks(scale, values) {
  const ticks = element("div", "ticks");
  const above = values.some((value) => Number.isFinite(value) && value > scale.high);
  const below = values.some((value) => Number.isFinite(value) && value < scale.low);
  const [first, last] = [placeOn(scale.low, scale), placeOn(scale.high, scale)];
  for (const [value, label] of scale.ticks ?? []) {
    const place = (placeOn(value, scale) - first) / (last - first || 1);
    const beyond = value >= scale.high && above ? "≥\u2009" : value <= scale.low && below ? "≤\u2009" : "";
    const tick = element("span", "", beyond + label);
    tick.style.left = `${place * 100}%`;
    ticks.append(tick);
  }
  return ticks;
}

// Hebrew, Arabic and their like, with their forms for presentation.
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// Whether the given and the written stand side by side; a text that was only scored is neither.
function promptMarked({ flags, running }) {
  return Boolean(running) || flags.some((flag) => !(flag & FLAG.prompt));
}

function legendKeys(payload) {
  const { flags, values, text } = payload;
  const has = (bit) => flags.some((flag) => flag & bit);
  const keys = element("div", "keys");
  const add = (className, sample, label) => {
    const key = element("span", "key");
    key.append(element("span", `token ${className}`, sample), label);
    keys.append(key);
  };
  if (has(FLAG.prompt) && promptMarked(payload)) add("prompt", "ab", "prompt");
  if (has(FLAG.forced)) add("forced", "ab", "forced");
  if (has(FLAG.notFavourite)) add("not-favourite", "ab", "drawn, not the favourite");
  if (has(FLAG.special) || text.includes("")) add("special", "<s>", "special");
  if (has(FLAG.incomplete)) add("incomplete", "F0", "part of a character");
  if (has(FLAG.continues)) add("thin continues t16", "\u00a0", "rest of a character");
  if (has(FLAG.shared)) add("shared", "ab", "in both from the start");
  if (has(FLAG.changed)) add("changed", "ab", "changed");
  if (has(FLAG.alone)) add("alone", "ab", "only here");
  if (has(FLAG.begins)) add("begins", "ab", "a piece begins");
  if (has(FLAG.seam)) add("seam", "ab", "a window begins");
  if (has(FLAG.marked)) add("marked", "ab", "remark: point at it");
  if (has(FLAG.broke)) add("broke", "ab", "the code breaks here");
  if (values.some((value) => !Number.isFinite(value))) add("missing", "ab", "not available");
  if (text.some((one) => RIGHT_TO_LEFT.test(one))) {
    keys.append(element("span", "key", "right-to-left text: tokens in the order they are read in"));
  }
  // Shown while there are any.
  add("edge", "ab", "what encloses the token begins or ends");
  keys.lastChild.classList.add("edges-key");
  return keys;
}

function drawLegend(host, payload) {
  const { scale, values } = payload;
  const title = element("div", "title", scale.label);
  if (scale.unit) title.append(element("span", "unit", scale.unit));
  const gauge = element("div", "gauge");
  gauge.append(legendBar(scale), legendTicks(scale, values));
  const note = element("div", "note", scale.note ?? "");
  host.replaceChildren(title, gauge, note, legendKeys(payload));
}
