"""What a terminal can show, and what it must not be told."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from typing import IO, Any, Literal

from tokenscope_core.display.terminal_strip import Depth

When = Literal["auto", "always", "never"]

# Families of terminals that know 256 colours and whose names need not say so.
_CAPABLE = (
    "alacritty", "foot", "ghostty", "iterm", "kitty", "konsole", "rxvt", "screen", "st-", "tmux",
    "wezterm", "xterm",
)  # fmt: skip


def printable(text: str) -> str:
    """The text as a terminal can show it without obeying it: escape sequences, other controls and
    marks of direction are spelled out."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def colour_depth(when: When, stream: IO[str], environment: Mapping[str, str]) -> Depth:
    """How many colours to use.

    `never` and `always` are the person's word; `auto` follows NO_COLOR (no-color.org), then
    FORCE_COLOR (0 none, 2 for 256 colours, 3 for all, anything else as many as the terminal has),
    then whether the stream is a terminal that knows 256 colours.
    """
    forced = environment.get("FORCE_COLOR", "")
    if when == "never" or (when == "auto" and environment.get("NO_COLOR")):
        return "none"
    if when == "auto" and forced in ("0", "false"):
        return "none"
    if forced in ("2", "3"):
        return "256" if forced == "2" else "truecolor"
    able = _depth_of_terminal(environment)
    if when == "always" or forced:
        return "256" if able == "none" else able
    return able if stream.isatty() else "none"


def _depth_of_terminal(environment: Mapping[str, str]) -> Depth:
    term = environment.get("TERM", "")
    if term == "dumb":
        return "none"
    if environment.get("COLORTERM", "") in ("truecolor", "24bit") or term.endswith("-direct"):
        return "truecolor"
    if environment.get("WT_SESSION"):  # Windows Terminal sets no TERM
        return "truecolor"
    return "256" if "256" in term or term.startswith(_CAPABLE) else "none"


def has_light_background(environment: Mapping[str, str]) -> bool:
    """Whether the terminal says that its background is light; most say nothing.

    COLORFGBG ends in the number of the background among the 16 colours (rxvt, Konsole).
    """
    return environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


def use_any_encoding(*streams: Any) -> None:
    """Let streams spell out what their encoding lacks rather than fail on it."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def close_output() -> None:
    """Let nothing more be written: whoever read standard output has left.

    Without it the interpreter would complain once more while flushing at its end.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
