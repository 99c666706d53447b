"""The parts of a program that attention flows between, and which token belongs to which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenscope_core.attention.flow.flow import LEVELS, Level
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.syntax.alignment import align
from tokenscope_core.syntax.folding.frames import Syntax, labelling_pairs
from tokenscope_core.syntax.grammar.categories import CATEGORIES
from tokenscope_core.syntax.program import line_ends

SPECIAL = "special token"
_LABEL_LENGTH = 40


@dataclass(frozen=True, slots=True, eq=False)
class ProgramParts:
    """G parts, in the order they are to be drawn, and float64 [T, G]: how much of each token is in.

    The shares of a token sum to 1. A token without bytes is in the part `SPECIAL`.
    """

    names: tuple[str, ...]
    share: Floats


def parts_of(syntax: Syntax, by: Level, *, whole_tokens: bool = True) -> ProgramParts:
    """Sort the tokens of a text into parts.

    Names: those of the level, "" for what is in no scope or function; a line's number; a unit's
    line and how it begins, "" for what is in no statement. Of functions of one name the second is
    "name (2)". Categories come in the order of `CATEGORIES`, others in that of the text.

    Args:
        syntax: of the text.
        by: the level.
        whole_tokens: a token is where most of its bytes are, as in `syntax_frame`, so that " foo"
            is a name. A model attends to whole tokens; shared out by bytes, as `aggregate` does
            with figures, a third of what goes to " in" would seem to go to white space.

    Raises:
        RequestError: no such level.
    """
    if by not in LEVELS:
        raise RequestError(
            asked=f"Attention between the parts {by!r} was asked for.",
            found="There is no such level.",
            action=f"Choose of {', '.join(LEVELS)}.",
        )
    token, label, share = _pairs(syntax, by, whole_tokens)
    length = len(syntax.trace)
    placed = np.zeros(length, dtype=np.bool_)
    placed[token] = True
    without_bytes = np.flatnonzero(~placed)
    token = np.concatenate([token, without_bytes])
    labels = pd.Series([*label, *[SPECIAL] * len(without_bytes)], dtype=object)
    order = np.argsort(token, kind="stable")
    codes, names = pd.factorize(labels.iloc[order])
    shares = np.zeros((length, len(names)))
    np.add.at(
        shares,
        (token[order], codes),
        np.concatenate([share, np.ones(len(without_bytes))])[order],
    )
    if by == "category":
        drawn = np.argsort([_PLACE.get(name, len(_PLACE)) for name in names], kind="stable")
        names, shares = names[drawn], shares[:, drawn]
    return ProgramParts(tuple(map(str, names)), shares)


_PLACE = {name: place for place, name in enumerate(CATEGORIES)}


def _pairs(
    syntax: Syntax, by: Level, whole_tokens: bool
) -> tuple[Ints, NDArray[np.object_], Floats]:
    """Token, part and share of each pair of a token and a part."""
    trace, pieces, alignment = syntax.trace, syntax.pieces, syntax.alignment
    if by == "line":
        ends = np.unique(np.append(line_ends(trace), len(trace.text_bytes)))
        alignment = align(trace.byte_end, ends)
        labels = np.array([str(1 + line) for line in range(len(ends))], dtype=object)
        # A token is in the line of its first byte.
        chosen = np.flatnonzero(np.diff(alignment.token, prepend=-1))
    else:
        levels = pieces.levels
        told_apart = {"unit": _units, "function": _functions}
        names = told_apart[by](syntax) if by in told_apart else levels[by].tolist()
        labels = np.array(names, dtype=object)
        chosen = labelling_pairs(pieces, alignment)
    share = alignment.share()
    if whole_tokens:
        return alignment.token[chosen], labels[alignment.piece[chosen]], np.ones(len(chosen))
    return alignment.token, labels[alignment.piece], share


def _units(syntax: Syntax) -> list[str]:
    """The name of the whole statement that each piece is in."""
    text, ends, levels = syntax.trace.text_bytes, line_ends(syntax.trace), syntax.pieces.levels
    starts = levels["unit_start"].to_numpy(dtype=np.int64)
    lines = 1 + np.searchsorted(ends, starts, side="right")
    names = []
    for line, start, end in zip(lines, starts, levels["unit_end"], strict=True):
        # As many bytes as so many characters can have: a statement may be as long as the text.
        first = text[start : min(end, start + 4 * _LABEL_LENGTH + 4)].split(b"\n", 1)[0]
        begins = first.decode("utf-8", "replace").strip()
        short = begins if len(begins) <= _LABEL_LENGTH else f"{begins[: _LABEL_LENGTH - 1]}…"
        names.append(f"{line}: {short}")
    return _told_apart(syntax.pieces.unit, names)


def _functions(syntax: Syntax) -> list[str]:
    """The name of the function that each piece is in."""
    return _told_apart(syntax.pieces.body, syntax.pieces.levels["function"].tolist())


def _told_apart(numbers: Ints, names: list[str]) -> list[str]:
    """Names of what has different numbers made different; "" for what has none."""
    found: dict[int, str] = {-1: ""}
    taken: dict[str, int] = {}
    for number, name in zip(numbers.tolist(), names, strict=True):
        if number not in found:
            taken[name] = taken.get(name, 0) + 1
            found[number] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    return [found[number] for number in numbers.tolist()]
