"""A strip as HTML: tokens in numbered lines, tinted and marked as the app's strip has them.

It is the markup that the app's script makes, so that one style sheet, strip.css, serves both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise

from tokenscope_core.display.formatting import NOT_AVAILABLE, metric_text
from tokenscope_core.display.ramp import tint_levels
from tokenscope_core.display.scales import Scale, to_screen
from tokenscope_core.display.tokens import TokenFlag, seam_remarks, tokens
from tokenscope_core.display.visible import name_of_hidden, on_one_line
from tokenscope_core.record.trace import Trace

HOVER_METRICS = ("prob", "surprisal", "entropy", "rank", "margin")
# As plain integers: an operation on an IntFlag takes twenty times as long, and there are many.
_CLASSES = tuple(
    (int(flag), name)
    for flag, name in (
        (TokenFlag.PROMPT, "prompt"), (TokenFlag.FORCED, "forced"),
        (TokenFlag.SPECIAL, "special"), (TokenFlag.INCOMPLETE, "incomplete"),
        (TokenFlag.SHARED, "shared"), (TokenFlag.CHANGED, "changed"), (TokenFlag.ALONE, "alone"),
        (TokenFlag.NOT_FAVOURITE, "not-favourite"), (TokenFlag.SEAM, "seam"),
    )
)  # fmt: skip
_CONTINUES = int(TokenFlag.CONTINUES)
_LABELLED = int(TokenFlag.SPECIAL | TokenFlag.INCOMPLETE)
_FIRST_PIECE_ONLY = int(TokenFlag.NOT_FAVOURITE | TokenFlag.SEAM)


@dataclass(frozen=True, slots=True)
class PaintedToken:
    """One token of a strip: its position and text, `TokenFlag`s, tint (`ramp.tint_levels`), and
    what is said of it beside the pointer."""

    position: int
    text: str
    flags: int
    level: int | None
    tip: str


def painted_tokens(
    trace: Trace, metric: str = "surprisal", *, tips: bool = True
) -> tuple[list[PaintedToken], Scale]:
    """The tokens of a trace tinted by a metric, and the scale of the tint, in bits.

    Args:
        trace: whose tokens.
        metric: a column of a trace.
        tips: whether figures are said beside the pointer.
    """
    texts, flags = tokens(trace, show_bytes=False)
    levels, scale = tint_levels(metric, trace.column(metric))
    said = _tips(trace, metric) if tips else [""] * len(trace)
    return [
        PaintedToken(position, *token)
        for position, token in enumerate(zip(texts, flags, levels, said, strict=True))
    ], scale


def hover_label(metric: str) -> str:
    """What a metric is called beside the pointer."""
    return "probability" if metric == "prob" else metric


def _tips(trace: Trace, metric: str) -> list[str]:
    named = dict.fromkeys((metric, *HOVER_METRICS))
    figures = {name: to_screen(name, trace.column(name)).tolist() for name in named}
    seams = seam_remarks(trace)
    return [_tip(trace, position, figures, seams) for position in range(len(trace))]


def _tip(
    trace: Trace, position: int, figures: dict[str, list[float]], seams: dict[int, str]
) -> str:
    spelled = on_one_line(trace.vocabulary.token_bytes[int(trace.token_ids[position])])
    lines = [f"{spelled}  position {position}, {trace.source[position]}"]
    if position in seams:
        lines.append(seams[position])
    metric, values = next(iter(figures.items()))
    if math.isnan(values[position]):
        lines.append(f"{NOT_AVAILABLE}: {trace.missing_reason(metric, position)}")
    else:
        lines += [
            f"{hover_label(name)}: {metric_text(name, of[position])}"
            for name, of in figures.items()
        ]
    return "\n".join(lines)


def strip_lines(painted: Iterable[PaintedToken], *, first_line: int = 1) -> str:
    """The lines of a strip, `div.line`s of `span.token`s. All texts are escaped."""
    number = first_line
    line: list[str] = []
    made: list[str] = []
    for token, following in pairwise([*painted, None]):
        assert token is not None
        for piece, ends_line in _pieces(token, following.text if following else ""):
            line.append(piece)
            if ends_line:
                made.append(_line(number, line))
                number, line = number + 1, []
    if line:
        made.append(_line(number, line))
    return "".join(made)


def _line(number: int, pieces: Sequence[str]) -> str:
    return f'<div class="line" data-number="{number}">{"".join(pieces)}</div>'


def _pieces(token: PaintedToken, following: str) -> Iterator[tuple[str, bool]]:
    """The parts of a token, none of which crosses a line feed, and whether a line ends there.

    A carriage return before a line feed, which may be in the following token, is an ordinary line
    end; any other is a surprise and shown.
    """
    if token.flags & _CONTINUES:
        yield _piece(token, "", "thin continues"), False
    elif not token.text:
        yield _piece(token, "∅", "special"), False
    elif token.flags & _LABELLED:
        yield _piece(token, _text_html(token.text)), False
    else:
        *whole, last = token.text.split("\n")
        later = replace(token, flags=token.flags & ~_FIRST_PIECE_ONLY) if whole else token
        for index, part in enumerate(whole):
            piece = later if index else token
            yield _piece(piece, _text_html(part.removesuffix("\r")), "thin newline"), True
        if last:
            ending = "\r" if following.startswith("\n") else ""
            yield _piece(later, _text_html(last.removesuffix(ending))), False


def _piece(token: PaintedToken, content: str, more: str = "") -> str:
    tint = "missing" if token.level is None else f"t{token.level}"
    classes = ["token", tint, *(name for flag, name in _CLASSES if token.flags & flag)]
    if more:
        classes.append(more)
    title = f' title="{escape(token.tip)}"' if token.tip else ""
    return f'<span class="{" ".join(classes)}" data-i="{token.position}"{title}>{content}</span>'


def _text_html(text: str) -> str:
    """Escaped text in which hidden characters are chips with their names; tabs stay tabs."""
    return "".join(
        escape(one)
        if one == "\t" or (name := name_of_hidden(one)) is None
        else f'<span class="escape">{name}</span>'
        for one in text
    )
