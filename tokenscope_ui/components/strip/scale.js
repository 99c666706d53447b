// From a value to one of the tint classes t0 .. t32, which the style sheet colours per theme.

const TOP_LEVEL = 32;

function levelOf(value, scale) {
  if (scale.kind === "diverging") {
    const reach = Math.max(Math.abs(scale.low), Math.abs(scale.high)) || 1;
    const signed = Math.max(-1, Math.min(1, value / reach)) * (scale.reverse ? -1 : 1);
    return Math.round(((signed + 1) / 2) * TOP_LEVEL);
  }
  const share = Math.max(0, Math.min(1, (value - scale.low) / (scale.high - scale.low || 1)));
  return Math.round((scale.reverse ? 1 - share : share) * TOP_LEVEL);
}

function tintOf(value, scale) {
  return Number.isFinite(value) ? "t" + levelOf(value, scale) : "missing";
}
