// What is said about a node: its label, its tooltip, and the key to the colours.

function visibleLabel({ label, kinds, kind }, index) {
  return visibleText(label[index], 60).replaceAll("·", " ") || kinds[kind[index]];
}

class NodeTooltip extends Tooltip {
  fill(payload, index) {
    const head = element("div", "head");
    head.append(
      element("code", "", visibleLabel(payload, index)),
      element("span", "position", payload.place[index]),
    );
    const figures = element("dl");
    figures.append(element("dt", "", "kind"), element("dd", "", payload.kinds[payload.kind[index]]));
    for (const { label, values } of payload.figures) {
      const value = values[index];
      figures.append(element("dt", "", label));
      figures.append(element("dd", value == null ? "none" : "", value ?? "not available"));
    }
    this.box.replaceChildren(head, figures);
    const remark = remarkOn(payload, index);
    if (remark) this.box.append(element("div", "reason", remark));
  }
}

function remarkOn({ values, thin, thin_words: thinWords, missing_words: missingWords }, index) {
  if (values[index] === null) return missingWords;
  return thin[index] ? thinWords : "";
}

function drawNodeLegend(host, { scale, values, thin, thin_words: thinWords }) {
  const title = element("div", "title", scale.label);
  if (scale.unit) title.append(element("span", "unit", scale.unit));
  const gauge = element("div", "gauge");
  gauge.append(legendBar(scale), legendTicks(scale, values));
  const keys = element("div", "keys");
  const add = (className, label) => {
    const key = element("span", "key");
    key.append(element("span", `node sample ${className}`, "ab"), label);
    keys.append(key);
  };
  if (thin.includes(1)) add("thin", thinWords);
  if (values.includes(null)) add("missing", "not available");
  host.replaceChildren(title, gauge, element("div", "note", scale.note), keys);
}
