"""What the outputs of a notebook are made of. Whatever is put in as text is escaped here."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from tokenscope_core.caching import cache
from tokenscope_core.display.painting import PaintedToken, strip_lines
from tokenscope_core.display.ramp import fill_css, sequential_css
from tokenscope_core.display.scales import Scale
from tokenscope_core.display.style import STRIP_CSS
from tokenscope_core.display.tokens import SEAM_WORDS, TokenFlag
from tokenscope_core.display.visible import visible_text

# Some 300 bytes a token: more would make a notebook heavy.
MOST_TOKENS = 1_000
_KEYS = (
    (TokenFlag.PROMPT, "prompt", "prompt"),
    (TokenFlag.FORCED, "forced", "put there by a person"),
    (TokenFlag.NOT_FAVOURITE, "not-favourite", "drawn, not the favourite"),
    (TokenFlag.SEAM, "seam", SEAM_WORDS),
    (TokenFlag.CHANGED, "changed", "another in the other text"),
    (TokenFlag.ALONE, "alone", "none in the other text"),
)


def output(label: str, *parts: str, drawn: bool = False) -> str:
    """A whole output: it holds its style, and loads and runs nothing.

    Args:
        label: what it is, for a screen reader.
        parts: its HTML.
        drawn: whether tints fill what is drawn, and do not lie behind text.
    """
    return (
        f'<div class="tokenscope"><style>{_style(drawn)}</style>'
        f'<div class="strip mark-prompt" role="group" aria-label="{escape(label)}">'
        f"{''.join(parts)}</div></div>"
    )


@cache
def _style(drawn: bool) -> str:
    own = Path(__file__).with_name("notebook.css").read_text(encoding="utf-8")
    # Nested, so that nothing of it reaches the notebook around.
    return f".tokenscope {{\n{STRIP_CSS}{fill_css() if drawn else sequential_css()}\n{own}}}"


def text(value: object) -> str:
    """Text on one line, escaped, hidden characters spelled out."""
    return escape(visible_text(str(value).encode("utf-8", "replace")))


def row(kind: str, *parts: str) -> str:
    """Facts side by side; the parts are HTML, and nothing is made of none."""
    shown = "".join(f"<span>{part}</span>" for part in parts if part)
    return f'<div class="{kind}">{shown}</div>' if shown else ""


def fact(label: str, value: object) -> str:
    """A figure with its name."""
    return f"{escape(label)} <b>{text(value)}</b>"


def legend(scale: Scale) -> str:
    """The ramp of a scale with what its ends stand for."""
    low, high = scale.ticks[0][1], scale.ticks[-1][1]
    unit = f"{scale.unit} ({scale.note})"
    return (
        f'<span class="legend">{escape(scale.label)} {escape(low)}'
        f'<span class="bar"></span>{escape(high)} {escape(unit)}</span>'
    )


def keys(flags: Iterable[int]) -> list[str]:
    """What the marks mean that are there."""
    there = functools.reduce(lambda a, b: a | b, flags, 0)
    return [
        f'<span class="key"><span class="token {name}">ab</span> {escape(meaning)}</span>'
        for flag, name, meaning in _KEYS
        if there & flag
    ]


def code(
    tokens: Sequence[PaintedToken],
    *,
    around: int | None = None,
    most: int = MOST_TOKENS,
    first_line: int = 1,
    all_of: str,
) -> str:
    """A strip of at most `most` tokens, and a sentence in the place of those left out.

    Args:
        tokens: all of a text.
        around: the position that is to be seen; without it beginning and end are.
        most: how many are shown.
        first_line: the number of the first line.
        all_of: the call that gives all of them.
    """
    parts = []
    done = 0
    for start, end in _shown(len(tokens), around, most):
        if start > done:
            parts.append(_left_out(done, start, all_of))
        before = (token for token in tokens[:start] if not token.flags & TokenFlag.SPECIAL)
        line = first_line + sum(token.text.count("\n") for token in before)
        parts.append(strip_lines(tokens[start:end], first_line=line))
        done = end
    if done < len(tokens):
        parts.append(_left_out(done, len(tokens), all_of))
    return f'<div class="code" tabindex="0">{"".join(parts)}</div>'


def _shown(length: int, around: int | None, most: int) -> list[tuple[int, int]]:
    if length <= most:
        return [(0, length)]
    if around is None:
        return [(0, most // 2), (length - most // 2, length)]
    start = max(0, min(around - most // 4, length - most))
    return [(start, start + most)]


def _left_out(start: int, end: int, all_of: str) -> str:
    return (
        f'<div class="left-out">{end - start:,} tokens are left out here, positions {start:,} to '
        f"{end - 1:,}. <code>{escape(all_of)}</code> has all of them.</div>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; heads are texts, cells are HTML."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
