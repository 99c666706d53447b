// The key to the colours, what the drawing leaves out, and the buttons.

function powersWithin(low, high) {
  const powers = [];
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const step = Math.max(1, Math.ceil((last - first) / 4));
  for (let power = last; power >= first; power -= step) powers.unshift(Number(`1e${power}`));
  return powers;
}

function numberText(value) {
  const size = Math.abs(value);
  const short = Number(size.toPrecision(3));
  return (value < 0 ? "−" : "") + (size && size < 1e-4 ? powerText(short.toExponential()) : String(short));
}

// [place on the bar from 0 to 1, label]
function ticksOf(scale, difference) {
  const steps = difference ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1];
  let upper = steps.map((share) => scale.high * share);
  if (scale.shape === "log") {
    upper = powersWithin(scale.low, scale.high);
    if (difference) upper = upper.length > 2 ? [upper[0], upper.at(-1)] : upper;
    if (!upper.length) upper = [scale.low, scale.high];
  }
  const label = (value) => {
    const beyond = value >= scale.high && scale.largest > scale.high * 1.005 ? "≥\u2009" : "";
    const below = scale.shape === "log" && value <= scale.low ? "≤\u2009" : "";
    return beyond + below;
  };
  const right = upper.map((value) => [placeOf(value, scale), label(value), numberText(value)]);
  if (!difference) return right.map(([place, sign, text]) => [place, sign + text]);
  const log = scale.shape === "log";
  const outer = right.filter(([place]) => place > 0.02);
  return [
    ...outer.map(([place, sign, text]) => [0.5 - place / 2, `${sign.replace("≥", "≤")}−${text}`]).reverse(),
    [0.5, log ? `±${numberText(scale.low)}` : "0"],
    ...outer.map(([place, sign, text]) => [0.5 + place / 2, sign + text]),
  ];
}

function swatch(className, label) {
  const key = element("span", "key");
  key.append(element("i", className), label);
  return key;
}

class Legend {
  constructor(host, actions, saving) {
    this.title = element("div", "title");
    this.bar = element("div", "bar");
    this.ticks = element("div", "ticks");
    this.note = element("div", "note");
    this.keys = element("div", "keys");
    const gauge = element("div", "gauge");
    gauge.append(this.bar, this.ticks);
    const buttons = element("div", "buttons");
    buttons.dataset.offPicture = "";
    for (const [text, name, action] of actions) {
      const button = element("button", "", text);
      button.type = "button";
      button.setAttribute("aria-label", name);
      button.title = name;
      button.addEventListener("click", action);
      buttons.append(button);
    }
    buttons.append(saving);
    host.append(this.title, gauge, this.note, this.keys, buttons);
  }

  show(map, scale, theme) {
    this.title.replaceChildren(map.title, element("span", "unit", map.value));
    this.bar.style.background = barOf(theme, map.difference);
    this.ticks.replaceChildren(
      ...ticksOf(scale, map.difference).map(([place, label]) => {
        const tick = element("span", "", label);
        tick.style.left = `${100 * place}%`;
        return tick;
      }),
    );
    const notes = [scale.shape === "log" ? "log scale" : "linear scale"];
    if (scale.relative) notes.push("up to the largest shown");
    this.note.textContent = notes.join(", ");
    const keys = [];
    if (map.masked.length) keys.push(swatch("hatched", `masked key${map.masked.length > 1 ? "s" : ""}`));
    if (map.hasMissing) keys.push(swatch("missing", "not available"));
    this.pooling = element("span", "pooling");
    this.keys.replaceChildren(...keys, this.pooling);
  }

  // Says how many cells a pixel stands for.
  tellPooling(cells) {
    const text = cells > 1.01 ? `each pixel: the largest of about ${cells < 9.5 ? cells.toFixed(1) : Math.round(cells)} cells` : "";
    if (this.pooling && this.pooling.textContent !== text) this.pooling.textContent = text;
  }
}
