"""Scripts that tests run in the page of a strip."""

from __future__ import annotations

CONTRASTS = """(code, kind) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (channel) => {
      const c = channel / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  code.dataset.kind = kind;
  return Array.from({ length: 33 }, (_, level) => {
    const sample = document.createElement("span");
    sample.className = `token t${level}`;
    code.append(sample);
    const { color, backgroundColor } = getComputedStyle(sample);
    const [dark, light] = [luminance(color), luminance(backgroundColor)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  });
}"""


HELD_ARROW = """(code, times) => {
  for (let i = 0; i < times; i++) {
    const held = { key: "ArrowRight", repeat: i > 0, bubbles: true, cancelable: true };
    code.dispatchEvent(new KeyboardEvent("keydown", held));
  }
}"""
