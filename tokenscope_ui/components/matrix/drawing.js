// Two canvases, one above the other: the cells with their axes, and what moves with the pointer.

const TALLEST = 760;
const SHORTEST = 380;
const TALL_SHARE = 0.74;

class Drawing {
  constructor(stage, space) {
    this.stage = stage;
    this.space = space;
    this.canvas = element("canvas");
    this.overlay = element("canvas");
    stage.append(this.canvas, this.overlay);
  }

  // Takes the size of the stage, whose height follows its width where none is given; whether it is
  // another than before.
  resize(given, ratio = window.devicePixelRatio || 1) {
    const width = this.stage.clientWidth;
    const height = given ?? Math.round(clamp(width * TALL_SHARE, SHORTEST, TALLEST));
    const size = [width, height, ratio].join();
    if (!width || size === this.size) return false;
    this.size = size;
    this.ratio = ratio;
    this.stage.style.height = `${height}px`;
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.space.setPlot(Math.max(1, width - MARGIN.left - MARGIN.right), Math.max(1, height - MARGIN.top - MARGIN.bottom));
    const { plot } = this.space;
    this.image = new ImageData(Math.max(1, Math.round(plot.width * ratio)), Math.max(1, Math.round(plot.height * ratio)));
    return true;
  }

  // Draws all of a scene: `map`, `theme`, `palette`, `guides`, and what `paintOverlay` needs.
  paint(scene) {
    if (!this.image) return;
    const { map, theme, palette, guides } = scene;
    const { space, ratio } = this;
    const context = this.cleared(this.canvas);
    new Uint32Array(this.image.data.buffer).fill(0);
    rasterise(map, space, palette, this.image, ratio);
    context.putImageData(this.image, Math.round(MARGIN.left * ratio), Math.round(MARGIN.top * ratio));
    this.inPlot(context, () => {
      drawMasked(context, theme, space, map);
      drawMissing(context, theme, space, map);
      drawLines(context, theme, space, map, guides);
    });
    this.origin(context);
    drawAxes(context, scene, space);
    this.paintOverlay(scene);
  }

  // Draws the `hovered` and the `selected` cell, and the corners of a `box`.
  paintOverlay({ map, theme, hovered, selected, box }) {
    if (!this.image) return;
    const context = this.cleared(this.overlay);
    this.inPlot(context, () => {
      if (hovered) drawCross(context, theme, this.space, map, hovered, theme.text, 1);
      drawCross(context, theme, this.space, map, selected, theme.accent, 2);
      if (box) drawBox(context, theme, ...box);
    });
  }

  // Of how many cells a pixel of the screen shows the largest.
  cellsAPixel() {
    const { scaleX, scaleY } = this.space;
    return Math.max(1, 1 / (scaleX * this.ratio)) * Math.max(1, 1 / (scaleY * this.ratio));
  }

  cleared(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    return context;
  }

  origin(context) {
    context.setTransform(this.ratio, 0, 0, this.ratio, Math.round(MARGIN.left * this.ratio), Math.round(MARGIN.top * this.ratio));
  }

  // Draws in pixels of the plot, and only there.
  inPlot(context, act) {
    this.origin(context);
    context.save();
    context.beginPath();
    // The marks of masked columns stand on the plot's edge.
    context.rect(-1, -7, this.space.plot.width + 2, this.space.plot.height + 8);
    context.clip();
    act();
    context.restore();
  }
}
