"""What saves a drawing of a component as a picture, in the browser: script and style, to be put
before the component's own."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
SCRIPT = _HERE / "picture.js"
STYLE = _HERE / "picture.css"
