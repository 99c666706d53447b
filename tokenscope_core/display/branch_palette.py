"""The colours of branches: eight that are told apart with any colour vision, on either theme.

Found by search: of any two, also as protanopes, deuteranopes and tritanopes see them (Machado et
al. 2009), the distance in OKLab (Ottosson 2020) is at least 0.09; the palette of Okabe and Ito
reaches 0.076. Each stands out from its page by a contrast of 3:1 or more (WCAG 2.2, 1.4.11).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour by name, and as it is on a light and on a dark page."""

    name: str
    light: str
    dark: str


PALETTE = (
    Colour("blue", "#006CF7", "#5951D4"),
    Colour("orange", "#C0480A", "#FFAA14"),
    Colour("green", "#247A5B", "#07A574"),
    Colour("purple", "#A7659B", "#AB82E4"),
    Colour("grey", "#495055", "#B3C6A2"),
    Colour("red", "#973102", "#FF5212"),
    Colour("sky blue", "#009CEB", "#74DAFF"),
    Colour("yellow", "#929C06", "#F0FF1F"),
)


def style_rules() -> str:
    """CSS: in `.colour0` and so on, `--branch` is the colour on the theme of the page."""
    return "\n".join(
        f".colour{index} {{ --branch: {colour.light}; }} "
        f".dark .colour{index} {{ --branch: {colour.dark}; }}"
        for index, colour in enumerate(PALETTE)
    )
