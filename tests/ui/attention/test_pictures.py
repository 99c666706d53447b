"""Small pictures of heads: on a light and on a dark page nothing is the page's own colour."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tokenscope_ui.attention.heads.pictures import levels, png_address


def pixels(weights: list[list[float]], *, dark: bool) -> np.ndarray:
    address = png_address(levels(np.array(weights, dtype=np.float16)), dark=dark)
    blob = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(blob)).convert("L"), dtype=int)


@pytest.mark.parametrize("dark", [False, True])
def test_more_attention_stands_out_more_from_the_page(dark: bool) -> None:
    row = pixels([[0.0, 0.01, 0.1, 1.0]], dark=dark)[0]
    steps = np.diff(row)
    assert (steps > 0).all() if dark else (steps < 0).all()
    assert row[0] < 40 if dark else row[0] == 255
