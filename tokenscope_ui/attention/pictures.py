"""Small pictures of heads, as addresses that a chart can draw."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

from tokenscope_core.attention.overview import Thumbnails
from tokenscope_ui.attention.weights import LOG_FLOOR

Levels = npt.NDArray[np.uint8]
# White, as on paper in both themes, over orange to brown.
_RAMP = np.array([[255, 255, 255], [253, 174, 97], [214, 72, 17], [96, 20, 16]], dtype=np.float64)


def levels(weights: Thumbnails) -> Levels:
    """Weights on a logarithmic scale from 0.1 to 100 % as 0 to 255; 0 is that or less, or none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.log10(np.maximum(weights.astype(np.float32), LOG_FLOOR)) / -np.log10(LOG_FLOOR)
    return np.asarray(np.nan_to_num(255 * (1 + decades)).round().clip(0, 255), dtype=np.uint8)


def png_address(picture: Levels) -> str:
    """A `data:` address of a picture, uint8 [row, column]: a PNG with a palette (W3C, PNG third
    edition)."""
    height, width = picture.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = picture
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", _palette()),
            _chunk(b"IDAT", zlib.compress(rows.tobytes())),
            _chunk(b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _palette() -> bytes:
    at = np.linspace(0, len(_RAMP) - 1, 256)
    channels = [np.interp(at, np.arange(len(_RAMP)), _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8).tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
