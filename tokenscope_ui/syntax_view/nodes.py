"""The syntax tree of a trace as the icicle draws it, and which of its nodes is where."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from tokenscope_core import Trace, icicle_frame
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.scales import tint_values
from tokenscope_core.syntax.grammar.tree import ERROR
from tokenscope_ui.components import icicle
from tokenscope_ui.syntax_view.payload import piece_scale
from tokenscope_ui.syntax_view.reading import SyntaxLook, analysed, mean_label, shown_cut
from tokenscope_ui.syntax_view.words import (
    THIN_WORDS,
    interval_words,
    mean_text,
    number_text,
    one_line,
)
from tokenscope_ui.trace.strip_payload import numbers

Width = Literal["tokens", "bytes"]
_LABEL_BYTES = 60
_DIGITS = 4


@lru_cache(maxsize=16)
def nodes(trace: Trace, language: str, metric: str, prompt: bool) -> pd.DataFrame:
    """The nodes with their figures, in stored units; see `icicle_frame`."""
    return icicle_frame(analysed(trace, language), metric, generated_only=not prompt)


def shown_nodes(trace: Trace, look: SyntaxLook) -> pd.DataFrame:
    """The nodes that the page shows."""
    return nodes(trace, look.language, look.metric, look.prompt)


@lru_cache(maxsize=16)
def node_payload(trace: Trace, look: SyntaxLook, width: Width) -> bytes:
    """The payload of `shown_nodes`. Cached, since equal bytes are not sent again."""
    frame = shown_nodes(trace, look)
    kinds = pd.Categorical(frame["kind"])
    mean = frame["mean"].to_numpy(float)
    figures: list[icicle.NodeFigures] = [
        {
            "label": mean_label(look.metric),
            "values": [_known(mean_text(look.metric, m, look.unit), m) for m in mean.tolist()],
        },
        {
            "label": "95 % interval, for this text",
            "values": [
                _known(interval_words(look.metric, look.unit, low, high, note), m)
                for low, high, note, m in zip(
                    frame["ci_low"], frame["ci_high"], frame["ci_note"], mean.tolist(), strict=True
                )
            ],
        },
        {"label": "tokens", "values": [number_text(n) for n in frame["tokens"].tolist()]},
        {"label": "bytes", "values": [f"{n:,}" for n in frame["bytes"].tolist()]},
    ]
    return icicle.encode(
        {
            "key": f"{trace.key} {look.language} {look.prompt}",
            "parent": frame["parent"].tolist(),
            "left": frame[f"{width}_before"].round(_DIGITS).tolist(),
            "width": frame[width].round(_DIGITS).tolist(),
            "label": _labels(trace, frame),
            "kind": kinds.codes.tolist(),
            "kinds": [_kind_name(str(kind)) for kind in kinds.categories],
            "place": [f"line {line:,}" for line in _lines(trace, frame["byte_start"].to_numpy())],
            "values": numbers(tint_values(look.metric, mean, look.unit)),
            "thin": frame["thin"].astype(int).tolist(),
            "thin_words": THIN_WORDS,
            "missing_words": "none of its tokens has a value",
            "scale": piece_scale(trace, look, "node"),
            "figures": figures,
        }
    )


def _known(text: str, value: float) -> str | None:
    return text if value == value else None


def _labels(trace: Trace, frame: pd.DataFrame) -> list[str]:
    """Names of classes and functions, the text of leaves; of all else its kind says enough."""
    text = trace.text_bytes
    return [
        name or (one_line(text[start:end].strip()[:_LABEL_BYTES]) if leaf else "")
        for name, leaf, start, end in zip(
            frame["name"], frame["leaf"], frame["byte_start"], frame["byte_end"], strict=True
        )
    ]


def _lines(trace: Trace, byte: np.ndarray) -> list[int]:
    ends = np.flatnonzero(np.frombuffer(trace.text_bytes, dtype=np.uint8) == ord("\n"))
    found: list[int] = (1 + np.searchsorted(ends, byte, side="left")).tolist()
    return found


def node_name(trace: Trace, frame: pd.DataFrame, index: int) -> str:
    """What a node is called: its name, or its kind."""
    row = frame.iloc[index]
    return str(row["name"] or _kind_name(str(row["kind"])))


def _kind_name(kind: str) -> str:
    return "cannot be parsed" if kind == ERROR else kind.replace("_", " ")


def node_of(frame: pd.DataFrame, start: int, end: int) -> int | None:
    """The innermost node that holds those bytes."""
    holds = (frame["byte_start"] <= start) & (frame["byte_end"] >= end)
    found = np.flatnonzero(holds.to_numpy())
    return int(found[-1]) if len(found) else None


def selected_node(
    trace: Trace, look: SyntaxLook, byte: int | None, node: tuple[int, int] | None
) -> int | None:
    """The node to show as selected: the one that was, or the innermost around the selected place
    of the code; None where nothing is selected or nothing in it counts."""
    if node is None:
        node = _visible_place(trace, look, byte)
    return None if node is None else node_of(shown_nodes(trace, look), *node)


def _visible_place(trace: Trace, look: SyntaxLook, byte: int | None) -> tuple[int, int] | None:
    """The bytes of the selected place without the white space around it."""
    cut = shown_cut(trace, look)
    span = None if byte is None else cut.span_at(byte)
    if span is None:
        return None
    start, end = cut.bounds(span)
    code = trace.text_bytes[start:end]
    if not code.strip():
        return None
    return end - len(code.lstrip()), start + len(code.rstrip())
