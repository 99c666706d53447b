"""A program as the strip paints it: a piece an entry, tinted by the mean of its tokens."""

from __future__ import annotations

import numpy as np

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.scales import scale_of, tint_values
from tokenscope_core.display.tokens import spelled
from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.judging.structure import mark_frame
from tokenscope_ui.components import strip
from tokenscope_ui.components.strip import TokenFlag
from tokenscope_ui.syntax_view.pieces import Cut
from tokenscope_ui.syntax_view.reading import (
    SyntaxLook,
    counted,
    mean_label,
    shown_cut,
    shown_pieces,
)
from tokenscope_ui.syntax_view.words import mean_text, number_text, part_text
from tokenscope_ui.trace.programs import program_of
from tokenscope_ui.trace.strip_payload import numbers, strip_scale


@lru_cache(maxsize=16)
def spans(trace: Trace, look: SyntaxLook, node: tuple[int, int] | None = None) -> Cut:
    """The pieces on the strip: cut further where a name is marked, where bytes are no text, and
    around the selected node of the tree."""
    at = [*_incomplete(trace.text_bytes), *(node or ())]
    marks = mark_frame(program_of(trace, look.language), generated_only=not look.prompt)
    at += [*marks["byte_start"].tolist(), *marks["byte_end"].tolist()]
    return shown_cut(trace, look).split(at)


@lru_cache(maxsize=16)
def span_payload(trace: Trace, look: SyntaxLook, node: tuple[int, int] | None = None) -> bytes:
    """The payload of `spans`. Cached, since equal bytes are not sent again."""
    cut, figures = spans(trace, look, node), shown_pieces(trace, look)
    text = trace.text_bytes
    bounds = zip(cut.start.tolist(), cut.end.tolist(), strict=True)
    remarks = _remarks(trace, look, cut)
    texts, flags = spelled(
        [text[start:end] for start, end in bounds],
        _flags(trace, look, cut, remarks),
        show_bytes=look.invisibles,
    )
    means = figures["mean"].to_numpy(float)
    values = tint_values(look.metric, means, look.unit)[cut.piece]
    labels = [part_text(label, look) for label in cut.labels]
    tokens = [number_text(n) if n > 0 else None for n in figures["n"].tolist()]
    shown = [mean_text(look.metric, mean, look.unit) if mean == mean else None for mean in means]
    piece = cut.piece.tolist()
    hover: list[strip.HoverField] = [
        {"label": mean_label(look.metric), "values": [shown[p] for p in piece]},
        {"label": "tokens", "values": [tokens[p] for p in piece]},
    ]
    if look.kind in ("part", "function"):
        hover.insert(0, {"label": "part", "values": [labels[p] for p in piece]})
    return strip.encode(
        {
            "key": f"{trace.key} syntax",
            "text": texts,
            "flags": flags,
            "values": numbers(values),
            "reasons": _reasons(trace, look, cut, values == values) | remarks,
            "scale": piece_scale(trace, look, "piece"),
            "hover": hover,
            "invisibles": look.invisibles,
            "first_position": 1,
            "item": "span",
            "running": False,
        }
    )


def piece_scale(trace: Trace, look: SyntaxLook, what: str) -> strip.Scale:
    """The scale that pieces are tinted on, named for what it is drawn beside."""
    means = shown_pieces(trace, look)["mean"].to_numpy(float)
    scale = scale_of(look.metric, means, relative=look.relative, unit=look.unit)
    return {**strip_scale(scale), "label": f"{mean_label(look.metric)} of a {what}"}


def _flags(trace: Trace, look: SyntaxLook, cut: Cut, remarks: dict[int, str]) -> list[int]:
    flags = np.where(np.diff(cut.place, prepend=-1) != 0, int(TokenFlag.BEGINS), 0)
    prompt_end = _prompt_end(trace)
    flags[cut.end <= prompt_end] |= int(TokenFlag.PROMPT)
    flags[list(remarks)] |= int(TokenFlag.MARKED)
    return [int(flag) for flag in flags]


def _prompt_end(trace: Trace) -> int:
    return int(trace.byte_end[trace.prompt_length - 1]) if trace.prompt_length else 0


def _remarks(trace: Trace, look: SyntaxLook, cut: Cut) -> dict[int, str]:
    """What is said about a name, by the index of its span."""
    marks = mark_frame(program_of(trace, look.language), generated_only=not look.prompt)
    at = np.searchsorted(cut.end, marks["byte_start"].to_numpy(np.int64), side="right")
    return {
        int(span): f"{mark.finding}, {mark.certainty}: {mark.reason}"
        for span, mark in zip(at, marks.itertuples(), strict=True)
    }


def _reasons(trace: Trace, look: SyntaxLook, cut: Cut, known: np.ndarray) -> dict[int, str]:
    in_prompt = cut.end <= _prompt_end(trace)
    return {
        span: (
            "in the prompt, which is not counted"
            if in_prompt[span] and counted(trace, look) == "generated"
            else "none of its tokens has a value that counts"
        )
        for span in np.flatnonzero(~known).tolist()
    }


def _incomplete(text: bytes) -> Ints:
    """Where bytes begin and end that are no UTF-8."""
    at: list[int] = []
    start = 0
    while start < len(text):
        try:
            text[start:].decode("utf-8")
            break
        except UnicodeDecodeError as error:
            at += [start + error.start, start + error.end]
            start += error.end
    return np.array(at, dtype=np.int64)
