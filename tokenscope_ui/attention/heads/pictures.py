"""Small pictures of heads, as addresses that a chart can draw."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

from tokenscope_core.attention.heads.overview import Thumbnails
from tokenscope_ui.attention.weights import LOG_FLOOR

Levels = npt.NDArray[np.uint8]
# From the page's own background to what stands out most from it, over orange.
_RAMPS = {
    False: [[255, 255, 255], [253, 174, 97], [214, 72, 17], [96, 20, 16]],
    True: [[24, 23, 21], [116, 48, 18], [236, 124, 38], [255, 232, 190]],
}


def levels(weights: Thumbnails) -> Levels:
    """Weights on a logarithmic scale from 0.1 to 100 % as 0 to 255; 0 is that or less, or none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.log10(np.maximum(weights.astype(np.float32), LOG_FLOOR)) / -np.log10(LOG_FLOOR)
    return np.asarray(np.nan_to_num(255 * (1 + decades)).round().clip(0, 255), dtype=np.uint8)


def png_address(picture: Levels, *, dark: bool = False) -> str:
    """A `data:` address of a picture, uint8 [row, column], for a light or a dark page: a PNG with a
    palette (W3C, PNG third edition)."""
    height, width = picture.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = picture
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", _palette(dark=dark)),
            _chunk(b"IDAT", zlib.compress(rows.tobytes())),
            _chunk(b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _palette(*, dark: bool) -> bytes:
    ramp = np.array(_RAMPS[dark], dtype=np.float64)
    at = np.linspace(0, len(ramp) - 1, 256)
    channels = [np.interp(at, np.arange(len(ramp)), ramp[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8).tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
