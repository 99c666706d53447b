// The rows of a tree: each branch's name, its lane on the axis of positions, and its figures.

const COLUMNS = ["tokens", "surprisal", "ends", "code"];
// Labels of the axis beside the figures, on a lane of 240 pixels.
const TICKS = 3;

// Round steps of 1, 2 or 5 times a power of ten.
function axisTicks(length) {
  const rough = Math.max(1, length / TICKS);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let at = 0; at <= length; at += step) ticks.push(at);
  return ticks;
}

function percent(position, length) {
  return `${(100 * position) / length}%`;
}

// Longest lane there is to draw; one that is not stored has some room after its fork.
function axisLength(lanes) {
  return Math.max(1, ...lanes.map(({ start, end }) => end ?? start + 1));
}

function figureCells(texts) {
  return texts.map((text, index) => element("div", `figure ${COLUMNS[index]}`, text));
}

function headRow(length, unit) {
  const row = element("div", "row head");
  row.setAttribute("aria-hidden", "true");
  const track = element("div", "track");
  for (const at of axisTicks(length)) {
    const tick = element("span", "tick", at.toLocaleString("en"));
    tick.style.left = percent(at, length);
    // The last label would hang over the edge.
    if (at > 0.95 * length) tick.classList.add("last");
    track.append(tick);
  }
  row.append(element("div", "name", "branch"), track);
  const labels = ["tokens", `mean surprisal, ${unit}`, "ends", "code"];
  row.append(...figureCells(labels));
  return row;
}

function barOf({ start, prompt, end }, length) {
  const bar = element("div", end === null ? "bar unknown" : "bar");
  bar.style.left = percent(start, length);
  if (end === null) return bar;
  bar.style.width = percent(end - start, length);
  if (prompt > start) {
    const read = element("div", "read");
    read.style.width = percent(Math.min(prompt, end) - start, end - start || 1);
    bar.append(read);
  }
  return bar;
}

function connection(lane, index, length) {
  const line = element("div", "connection");
  line.style.left = percent(lane.start, length);
  line.style.setProperty("--rows", index - lane.on);
  return line;
}

function markOf({ mark, start }, length) {
  const node = element("span", "mark-text", mark);
  const share = start / length;
  node.style.left = percent(start, length);
  // Slides from left- to right-aligned as the fork nears the end, so that it stays inside.
  node.style.transform = `translateX(${-100 * share ** 2}%)`;
  return node;
}

function describeLane(lane) {
  const where = lane.on === null ? "the first run" : `leaves at position ${lane.start}: ${lane.mark}`;
  return [lane.name, where, lane.spoken, lane.note ? "has a note" : ""].filter(Boolean).join(", ");
}

function laneRow(lane, index, length) {
  const row = element("div", `row lane colour${lane.colour}`);
  row.id = `lane-${index}`;
  row.dataset.i = index;
  row.setAttribute("role", "treeitem");
  row.setAttribute("aria-level", lane.level);
  row.setAttribute("aria-selected", "false");
  row.setAttribute("aria-label", describeLane(lane));
  const name = element("div", "name");
  const text = element("span", "text", lane.name);
  name.title = lane.name;
  name.append(element("i", "swatch"), text);
  if (lane.note) name.append(element("span", "noted", "✎"));
  const track = element("div", "track");
  if (lane.on !== null) track.append(connection(lane, index, length));
  track.append(barOf(lane, length));
  if (lane.mark) track.append(markOf(lane, length));
  row.append(name, track);
  row.append(...figureCells(lane.figures));
  return row;
}
