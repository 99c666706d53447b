"""The style sheets of a strip and of a notebook's outputs."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


STRIP_CSS = _read("strip.css")
