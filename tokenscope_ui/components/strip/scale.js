// From a value to one of the tint classes t0 .. t32, which the style sheet colours per theme.

const TOP_LEVEL = 32;

// Where a value lies along the scale as it is drawn: 0 where there is no tint, 1 or -1 where it is
// full. The tint grows with the root of the distance.
function placeOn(value, scale) {
  const signed = scale.kind === "diverging";
  const pale = signed ? 0 : scale.reverse ? scale.high : scale.low;
  const reach = signed ? Math.max(Math.abs(scale.low), Math.abs(scale.high)) : scale.high - scale.low;
  const share = (value - pale) / (reach || 1);
  return Math.sign(share) * Math.abs(share) ** (1 / scale.root);
}

function levelOf(value, scale) {
  return levelAt(placeOn(value, scale), scale);
}

function levelAt(place, scale) {
  const least = scale.kind === "diverging" ? -1 : 0;
  const share = Math.max(least, Math.min(1, scale.reverse ? -place : place));
  return Math.round(((share - least) / (1 - least)) * TOP_LEVEL);
}

function tintOf(value, scale) {
  return Number.isFinite(value) ? "t" + levelOf(value, scale) : "missing";
}
