// The map: its numbers, one code a cell of the causal part, and its tokens in words.

const SHORT_TEXT = 40;

// The bytes that `payload.encode` made.
function decodeMap(bytes) {
  const end = bytes.indexOf(10);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  // Copied, since 16-bit numbers must begin at an even place.
  const codes = new Uint16Array(bytes.slice(end + 1).buffer);
  const { rows, queries: given } = header;
  const queries = Int32Array.from({ length: rows }, (_, row) => (Array.isArray(given) ? given[row] : given + row));
  const offsets = new Uint32Array(rows + 1);
  for (let row = 0; row < rows; row += 1) offsets[row + 1] = offsets[row] + queries[row] + 1;
  return { ...header, codes, queries, offsets, hasMissing: codes.includes(MISSING) };
}

// The largest magnitude within a part of the map.
function largestIn({ codes, queries, offsets }, { left, right, top, bottom }) {
  let largest = ZERO;
  for (let row = top; row < bottom; row += 1) {
    const end = offsets[row] + Math.min(right, queries[row] + 1);
    for (let at = offsets[row] + left; at < end; at += 1) if (codes[at] > largest) largest = codes[at];
  }
  return largest === ZERO ? 0 : MAGNITUDES[rankOf(largest)];
}

// The first row whose query is at or after a position.
function rowFrom({ queries }, position) {
  let low = 0;
  let high = queries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (queries[middle] < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function codeAt(map, row, key) {
  return map.codes[map.offsets[row] + key];
}

function queryText(map, row) {
  return visibleText(map.queryLabels?.[row] ?? map.labels[map.queries[row]], SHORT_TEXT) || "∅";
}

function keyText(map, key) {
  return visibleText(map.labels[key], SHORT_TEXT) || "∅";
}

// A cell as a sentence to be heard.
function sentenceOf(map, row, key) {
  const [rows, keys] = map.axes;
  const number = textOf(codeAt(map, row, key));
  return `${rows} ${queryText(map, row)}, position ${map.queries[row]}, ${keys} ${keyText(map, key)}, position ${key}, ${map.value} ${number}`;
}

// A cell as the nodes of a tooltip.
function describe(map, { row, key, code, cells }) {
  const token = (axis, text, place) => {
    const line = element("div", "token");
    line.append(element("span", "axis", axis), element("code", "", text), element("span", "position", `${place}`));
    return line;
  };
  const figures = [[map.value, textOf(code)]];
  if (code > MISSING) {
    const { rank, of } = rankInRow(map, row, code);
    figures.push([map.difference ? "rank in its row by size" : "rank in its row", `${rank} of ${of}`]);
  }
  const nodes = [
    token(map.axes[0], queryText(map, row), map.queries[row]),
    token(map.axes[1], keyText(map, key), key),
    figureList(figures),
  ];
  if (map.masked.includes(key)) nodes.push(element("div", "reason", "masked: its weight was taken out and shared among the rest of the row"));
  if (cells > 1) nodes.push(element("div", "reason", `the largest of ${cells} cells at this pixel`));
  return nodes;
}
