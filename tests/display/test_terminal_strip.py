"""A strip at a terminal: it can be read on any background, and no text is obeyed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_traces import forked, made

from tokenscope_core.display.painting import PaintedToken, painted_tokens
from tokenscope_core.display.ramp import TOP_LEVEL
from tokenscope_core.display.terminal_strip import Depth, Palette, Rgb, terminal_strip
from tokenscope_core.display.tokens import TokenFlag
from tokenscope_core.display.visible import name_of_hidden

STYLES = re.compile(r"\x1b\[(?:[0-9;]*m|K)")
PALETTES = [Palette(depth, light) for depth in ("256", "truecolor") for light in (False, True)]


def strip_of(palette: Palette, *words: str) -> str:
    return terminal_strip(*painted_tokens(made(words)), palette)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.sampled_from(PALETTES))
def test_no_text_is_obeyed(words: list[str], palette: Palette) -> None:
    shown = strip_of(palette, *[word.encode("utf-8", "replace").decode() for word in words])
    left = set(STYLES.sub("", shown)) - {"\n"}
    assert not any(map(name_of_hidden, left))


def test_without_colours_the_text_stands_alone() -> None:
    assert strip_of(Palette("none"), "a", "\r\n", "\tb\x1b") == "a\n→   b⟨ESC⟩\n"


@pytest.mark.parametrize("palette", PALETTES)
def test_colours_change_nothing_but_colours(palette: Palette) -> None:
    shown = STYLES.sub("", strip_of(palette, "a", "\n\n", "b"))
    assert shown.startswith("a\n\nb\nsurprisal 0 ")
    assert shown.endswith(" 12 bits (absolute, by cube root)  prompt\n")


def test_forced_tokens_are_underlined_and_every_line_ends_in_the_page_s_colour() -> None:
    root = made(["a", "b\n", "c"])
    shown = terminal_strip(*painted_tokens(forked(root, 1, ["x"], ["\n"])), PALETTES[0])
    assert re.search(r"\x1b\[1;4mx", shown)
    assert "put there by a person" in shown
    for line in shown.splitlines()[:-1]:
        assert line.endswith("\x1b[K\x1b[0m")


def luminance(colour: Rgb) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("kind", ["sequential", "diverging"])
def test_text_is_legible_on_every_tint(light: bool, kind: str) -> None:
    depth: Depth = "truecolor"
    palette = Palette(depth, light)
    for level in (None, *range(TOP_LEVEL + 1)):
        dark, bright = sorted(map(luminance, (palette.text, palette.tint(level, kind))))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_a_line_end_in_two_tokens_is_an_ordinary_one() -> None:
    assert strip_of(Palette("none"), "a\r", "\nb") == "a\nb\n"
    assert strip_of(Palette("none"), "a\r", "b") == "a⟨CR⟩b\n"


def test_every_token_has_its_tint_also_the_rest_of_a_character() -> None:
    fox = "🦊".encode()
    tokens = [
        PaintedToken(0, "🦊", 0, 0, ""),
        PaintedToken(1, fox[2:].hex(" "), int(TokenFlag.CONTINUES), TOP_LEVEL, ""),
    ]
    palette = Palette("truecolor")
    _, scale = painted_tokens(made(["a"]))
    tint = palette.code(48, palette.tint(TOP_LEVEL, scale.kind))
    assert tint in terminal_strip(tokens, scale, palette).split("\n")[0]


def test_a_special_token_breaks_no_line() -> None:
    _, scale = painted_tokens(made(["a"]))
    special = PaintedToken(0, "<\n>", int(TokenFlag.SPECIAL), None, "")
    assert terminal_strip([special], scale, Palette("none")) == "<⟨LF⟩>\n"
