// From codes to pixels. Where several cells fall on one pixel it shows the largest of them, so that
// a line one token wide does not vanish.

// The cells under each of `count` pixels, first and last, up to the end of the map.
function spansOf(start, scale, count, end) {
  const first = new Int32Array(count);
  const last = new Int32Array(count);
  let used = 0;
  for (; used < count; used += 1) {
    const [from, to] = spanAt(start, scale, used);
    if (from >= end) break;
    first[used] = from;
    last[used] = Math.min(to, end - 1);
  }
  return { first, last, used };
}

function spanAt(start, scale, pixel) {
  if (scale >= 1) {
    const cell = Math.floor(start + (pixel + 0.5) / scale);
    return [cell, cell];
  }
  const from = Math.floor(start + pixel / scale + 1e-6);
  return [from, Math.max(from, Math.ceil(start + (pixel + 1) / scale - 1e-6) - 1)];
}

// `ratio` is device pixels per pixel of the page.
function rasterise(map, space, palette, image, ratio) {
  const pixels = new Uint32Array(image.data.buffer);
  const { width, height } = image;
  const columns = spansOf(space.x, space.scaleX * ratio, width, space.whole.right);
  const rows = spansOf(space.y, space.scaleY * ratio, height, space.whole.bottom);
  const strongest = new Uint16Array(columns.used);
  for (let line = 0; line < rows.used; line += 1) {
    const at = line * width;
    const [from, to] = [rows.first[line], rows.last[line]];
    if (line && from === rows.first[line - 1] && to === rows.last[line - 1]) {
      pixels.copyWithin(at, at - width, at - width + columns.used);
      continue;
    }
    strongest.fill(EMPTY);
    for (let row = from; row <= to; row += 1) poolRow(map, row, columns, strongest);
    for (let x = 0; x < columns.used; x += 1) pixels[at + x] = palette[strongest[x]];
  }
}

function poolRow({ codes, offsets, queries }, row, { first, last, used }, strongest) {
  const base = offsets[row];
  const limit = queries[row];
  for (let x = 0; x < used && first[x] <= limit; x += 1) {
    const end = base + Math.min(last[x], limit);
    let best = strongest[x];
    for (let at = base + first[x]; at <= end; at += 1) if (codes[at] > best) best = codes[at];
    strongest[x] = best;
  }
}

// The cell that a pixel of the plot shows, and of how many it is the largest; null outside.
function cellAt(map, space, px, py, ratio) {
  const [fromKey, toKey] = spanAt(space.x, space.scaleX * ratio, Math.floor(px * ratio));
  const [fromRow, toRow] = spanAt(space.y, space.scaleY * ratio, Math.floor(py * ratio));
  const { right, bottom, left, top } = space.whole;
  if (fromKey < left || fromRow < top) return null;
  let found = null;
  let cells = 0;
  for (let row = fromRow; row <= Math.min(toRow, bottom - 1); row += 1) {
    for (let key = fromKey; key <= Math.min(toKey, right - 1, map.queries[row]); key += 1) {
      const code = map.codes[map.offsets[row] + key];
      cells += 1;
      if (!found || code > found.code) found = { row, key, code };
    }
  }
  return found && { ...found, cells };
}

// 1-based rank of a cell among the keys of its row, by magnitude, and how many there are.
function rankInRow({ codes, offsets }, row, code) {
  const magnitude = rankOf(code);
  let larger = 0;
  let known = 0;
  for (let at = offsets[row]; at < offsets[row + 1]; at += 1) {
    if (codes[at] > MISSING) known += 1;
    if (rankOf(codes[at]) > magnitude) larger += 1;
  }
  return { rank: larger + 1, of: known };
}
