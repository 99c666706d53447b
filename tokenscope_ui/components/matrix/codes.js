// Numbers of 16 bits, three significant digits and a sign, as `payload.quantise` makes them. Larger
// codes are larger magnitudes and 1 is missing, so pooling is taking the maximum.

const EMPTY = 0;
const MISSING = 1;
const ZERO = 2;
const TINY = 1;

function rankOf(code) {
  return (code - 1) >> 1;
}

function isNegative(code) {
  return code > ZERO && code % 2 === 0;
}

// "1.23e-4" of a code that is neither missing nor zero nor tiny, exactly.
function numeralOf(code) {
  const place = rankOf(code) - TINY - 1;
  const mantissa = String(100 + (place % 900));
  return `${isNegative(code) ? "-" : ""}${mantissa[0]}.${mantissa.slice(1)}e${Math.floor(place / 900) - 35}`;
}

// "1.23×10⁻⁵" of "1.23e-5".
function powerText(numeral) {
  const [mantissa, power] = numeral.split("e");
  const raised = Array.from(power, (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
  return `${mantissa === "1" ? "" : `${mantissa}×`}10${raised}`;
}

function valueOf(code) {
  if (code <= MISSING) return NaN;
  if (code === ZERO) return 0;
  if (rankOf(code) === TINY) return isNegative(code) ? -1e-36 : 1e-36;
  return Number(numeralOf(code));
}

function textOf(code) {
  if (code <= MISSING) return "not available";
  if (code === ZERO) return "0";
  const minus = isNegative(code) ? "−" : "";
  if (rankOf(code) === TINY) return `${minus}less than 10⁻³⁵`;
  const numeral = numeralOf(code).replace(/^-/, "");
  const value = Number(numeral);
  return minus + (value < 1e-4 ? powerText(numeral) : value.toPrecision(3));
}

// Where a magnitude lies between the palest (0) and the strongest colour (1).
function placeOf(magnitude, { shape, low, high }) {
  if (magnitude <= 0) return 0;
  const place =
    shape === "log" ? Math.log(magnitude / low) / Math.log(high / low) : magnitude / high;
  return Math.max(0, Math.min(1, place));
}

const MAGNITUDES = Float64Array.from({ length: 32768 }, (_, rank) => {
  const place = rank - TINY - 1;
  return place < 0 ? 0 : (100 + (place % 900)) * 10 ** (Math.floor(place / 900) - 37);
});

// The colour of every code, as packed pixels.
function paletteOf(scale, theme) {
  const palette = new Uint32Array(65536);
  palette[MISSING] = pack(channels(theme.missing));
  palette[ZERO] = theme.warm[0];
  const last = RAMP_STEPS - 1;
  for (let code = ZERO + 1; code < palette.length; code += 2) {
    const step = Math.round(placeOf(MAGNITUDES[rankOf(code)], scale) * last);
    palette[code] = theme.warm[step];
    palette[code + 1] = theme.cold[step];
  }
  return palette;
}
