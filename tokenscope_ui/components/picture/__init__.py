"""What saves a drawing of a component as a picture, in the browser: scripts and style, to be put
before the component's own."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
SCRIPTS = tuple(_HERE / name for name in ("colour.js", "reading.js", "writing.js", "picture.js"))
STYLE = _HERE / "picture.css"
