"""A strip for a terminal: the tints of the page's strip.css, as the colours that terminals know.

Foreground and background are both set, so that it can be read whatever the terminal's own are; and
hidden characters are spelled out, so that nothing in a text is obeyed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from tokenscope_core.display.painting import PaintedToken
from tokenscope_core.display.ramp import TOP_LEVEL
from tokenscope_core.display.scales import Scale
from tokenscope_core.display.tokens import TokenFlag
from tokenscope_core.display.visible import name_of_hidden

Depth = Literal["none", "256", "truecolor"]
Oklab = tuple[float, float, float]
Rgb = tuple[int, int, int]

_RESET = "\x1b[0m"
_FILL_LINE = "\x1b[K"
_ITALIC, _BOLD_UNDERLINED = "\x1b[3m", "\x1b[1;4m"
_TAB = "→   "
# Steps of the colour cube among the 256 colours of xterm, and its first and last grey.
_CUBE = (0, 95, 135, 175, 215, 255)
_GREYS = range(8, 239, 10)


@dataclass(frozen=True, slots=True)
class Palette:
    """How a strip is coloured; without colours with the depth `none`."""

    depth: Depth
    light: bool = False

    @property
    def _page(self) -> tuple[Oklab, Oklab]:
        panel, text = ((255, 255, 255), (49, 51, 63)) if self.light else ((14, 17, 23), (250,) * 3)
        return _oklab(panel), _oklab(text)

    def tint(self, level: int | None, kind: str) -> Rgb:
        """The background of a tint, as strip.css and `ramp_css` mix it."""
        panel, text = self._page
        lightness = panel[0]
        warm = _from_polar(0.237 + 0.693 * lightness, 0.08, 62 + 30 * lightness)
        hot = _from_polar(0.447 + 0.288 * lightness, 0.125 + 0.03 * lightness, 48)
        cold = _from_polar(0.447 + 0.288 * lightness, 0.12, 250)
        if level is None:
            return _rgb(_mix(text, 0.12, panel))
        reach = 2 * level / TOP_LEVEL - 1
        if kind == "diverging":
            return _rgb(_mix(hot if reach > 0 else cold, abs(reach), panel))
        return _rgb(_mix(hot, reach, warm) if reach > 0 else _mix(warm, 1 + reach, panel))

    @property
    def text(self) -> Rgb:
        """The colour of text: 4.5:1 or better on every tint."""
        return _rgb(self._page[1])

    def code(self, plane: Literal[38, 48], colour: Rgb) -> str:
        """The escape sequence that sets a foreground (38) or background (48)."""
        if self.depth == "truecolor":
            return f"\x1b[{plane};2;{';'.join(map(str, colour))}m"
        return f"\x1b[{plane};5;{_nearest(colour)}m"


def terminal_strip(tokens: Sequence[PaintedToken], scale: Scale, palette: Palette) -> str:
    """The text of the tokens, and below it what its tint says; without colours the text alone."""
    body = "".join(_painted(tokens, scale, palette))
    end = "" if body.endswith("\n") else "\n"
    if palette.depth == "none":
        return body + end
    # Below the text, where it is still seen when the text has run through.
    return f"{body}{_FILL_LINE}{_RESET}{end}{_legend(tokens, scale, palette)}\n"


def _painted(tokens: Sequence[PaintedToken], scale: Scale, palette: Palette) -> Iterator[str]:
    if palette.depth == "none":
        yield from (
            _spelled(token, following)
            for token, following in _with_following(tokens)
            if not token.flags & TokenFlag.CONTINUES
        )
        return
    panel = _RESET + palette.code(48, palette.tint(0, "sequential"))
    for token, following in _with_following(tokens):
        style = _RESET + palette.code(48, palette.tint(token.level, scale.kind))
        style += palette.code(38, palette.text)
        if token.flags & TokenFlag.FORCED:
            style += _BOLD_UNDERLINED
        elif token.flags & TokenFlag.PROMPT:
            style += _ITALIC
        # The rest of a character was shown with its beginning; its tint is a figure of its own.
        continues = token.flags & TokenFlag.CONTINUES
        parts = [" "] if continues else _spelled(token, following).split("\n")
        # The rest of a line has the page's colour, or a tint would run on to the margin.
        yield f"{panel}{_FILL_LINE}{_RESET}\n".join(style + part if part else "" for part in parts)
    yield panel


def _with_following(tokens: Sequence[PaintedToken]) -> Iterator[tuple[PaintedToken, str]]:
    """Each token with the text of the next one."""
    for token, following in pairwise([*tokens, None]):
        assert token is not None
        yield token, following.text if following else ""


def _spelled(token: PaintedToken, following: str) -> str:
    if token.flags & TokenFlag.INCOMPLETE:
        return f"⟨{token.text}⟩"
    if token.flags & TokenFlag.SPECIAL:
        return "".join("⟨LF⟩" if one == "\n" else _shown(one) for one in token.text) or "∅"
    ending = "\r" if following.startswith("\n") else ""
    text = token.text.replace("\r\n", "\n").removesuffix(ending)
    return "".join(map(_shown, text)) or ("" if token.text else "∅")


def _shown(character: str) -> str:
    if character == "\n":
        return character
    if character == "\t":
        return _TAB
    name = name_of_hidden(character)
    return character if name is None else f"⟨{name}⟩"


def _legend(tokens: Sequence[PaintedToken], scale: Scale, palette: Palette) -> str:
    levels = range(TOP_LEVEL, -1, -2) if scale.reverse else range(0, TOP_LEVEL + 1, 2)
    ramp = "".join(palette.code(48, palette.tint(level, scale.kind)) + " " for level in levels)
    low, high = scale.ticks[0][1], scale.ticks[-1][1]
    there = {TokenFlag(flag) for token in tokens for flag in TokenFlag if token.flags & flag}
    keys = [
        f"  {style}{meaning}{_RESET}"
        for flag, style, meaning in (
            (TokenFlag.PROMPT, _ITALIC, "prompt"),
            (TokenFlag.FORCED, _BOLD_UNDERLINED, "put there by a person"),
        )
        if flag in there
    ]
    span = f"{scale.label} {low} {ramp}{_RESET} {high} {scale.unit}".rstrip()
    return f"{span} ({scale.note})" + "".join(keys)


def _mix(colour: Oklab, share: float, base: Oklab) -> Oklab:
    first, second, third = (b + share * (c - b) for c, b in zip(colour, base, strict=True))
    return first, second, third


def _from_polar(lightness: float, chroma: float, hue: float) -> Oklab:
    return (
        lightness,
        chroma * math.cos(math.radians(hue)),
        chroma * math.sin(math.radians(hue)),
    )


def _oklab(colour: Sequence[int]) -> Oklab:
    """OKLab of an sRGB colour (Ottosson 2020)."""
    r, g, b = (_linear(channel / 255) for channel in colour)
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    middle = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _rgb(colour: Oklab) -> Rgb:
    """The sRGB colour, with channels that it cannot reach at their bounds."""
    lightness, a, b = colour
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red, green, blue = (
        round(255 * _encoded(min(1.0, max(0.0, channel))))
        for channel in (
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        )
    )
    return red, green, blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _encoded(channel: float) -> float:
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def _nearest(colour: Rgb) -> int:
    """The nearest of the colours 16 to 255 of xterm, by distance in OKLab."""
    steps = [int(np.abs(np.subtract(_CUBE, channel)).argmin()) for channel in colour]
    cube = 16 + 36 * steps[0] + 6 * steps[1] + steps[2], tuple(_CUBE[step] for step in steps)
    grey = min(_GREYS, key=lambda value: abs(value - sum(colour) / 3))
    greys = 232 + _GREYS.index(grey), (grey, grey, grey)
    return min(cube, greys, key=lambda found: math.dist(_oklab(found[1]), _oklab(colour)))[0]
