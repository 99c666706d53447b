// Which nodes there is room for, and where: a row a level, below the node that is zoomed into.

const ROWS = 12;
const LEAST_PX = 2;

// Each node's depth, and the last node below it.
function shapeOf(parent) {
  const depth = [];
  const last = parent.map((_, index) => index);
  parent.forEach((above, index) => depth.push(above < 0 ? 0 : depth[above] + 1));
  for (let index = parent.length - 1; index > 0; index -= 1) {
    last[parent[index]] = Math.max(last[parent[index]], last[index]);
  }
  return { depth, last };
}

// The nodes to draw below `focus`, which comes first, and how many there is no room for. Where a
// node is too narrow, so is all below it.
function visibleNodes({ left, width }, { depth, last }, focus, pixels) {
  const whole = width[focus] || 1;
  const nodes = [];
  let hidden = 0;
  let index = focus;
  while (index <= last[focus]) {
    const row = depth[index] - depth[focus];
    const narrow = (width[index] / whole) * pixels < LEAST_PX;
    if (row >= ROWS || (narrow && index !== focus)) {
      hidden += last[index] - index + 1;
      index = last[index] + 1;
      continue;
    }
    const x = width[focus] ? (left[index] - left[focus]) / whole : 0;
    nodes.push({ index, row, x, share: width[focus] ? width[index] / whole : 1 });
    index += 1;
  }
  return { nodes, hidden };
}

function isAbove(parent, above, index) {
  for (let at = index; at >= 0; at = parent[at]) if (at === above) return true;
  return false;
}

// From the first node down to `index`.
function pathTo(parent, index) {
  const path = [];
  for (let at = index; at >= 0; at = parent[at]) path.unshift(at);
  return path;
}

// The nearest node on the same level to the right (+1) or to the left (-1).
function beside(depth, index, step) {
  for (let at = index + step; at >= 0 && at < depth.length; at += step) {
    if (depth[at] === depth[index]) return at;
  }
  return index;
}
