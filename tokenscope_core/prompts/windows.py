"""How a text longer than a model's context is cut: into windows that overlap.

A window is read by itself. It gives figures to the tokens that no window before it has, and begins
`overlap` tokens before them, so that each has at least so many to go by. The first is the beginning
of the text, and its figures are those of the text read whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenscope_core.errors import RequestError

# A quarter of a small model's context: windows then read a third more tokens than the text has.
DEFAULT_OVERLAP = 256


@dataclass(frozen=True, slots=True)
class Window:
    """The tokens of a text from `start` to `end`, of which those from `scored` on get figures."""

    start: int
    scored: int
    end: int


def windows_of(length: int, context: int, overlap: int, *, lead: int = 0) -> tuple[Window, ...]:
    """The windows of a text, in order.

    Args:
        length: how many tokens it has.
        context: how many a window holds.
        overlap: how many each window but the first reads before those that it scores.
        lead: how many tokens stand before every text (a beginning-of-sequence token): they begin
            the text, and stand before each later window too.

    Raises:
        RequestError: the overlap leaves no room in a window.
    """
    most = context - lead - 1
    if not 0 <= overlap <= most:
        raise RequestError(
            asked=f"Windows that overlap by {overlap:,} tokens were asked for.",
            found=f"The model's context holds {context:,}"
            + (f", {lead:,} of them the tokens that begin every text." if lead else "."),
            action=f"Choose an overlap of 0 to {most:,}."
            if most >= 0
            else "Choose a model with a longer context.",
        )
    windows = [Window(0, 0, min(length, context))]
    while (scored := windows[-1].end) < length:
        start = scored - overlap
        windows.append(Window(start, scored, min(length, start + context - lead)))
    return tuple(windows)
