"""The parts of a program: their table and their chart, alone or beside those of another text."""

from __future__ import annotations

import functools

import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.display.formatting import count_text
from tokenscope_ui.drawing import chart_files, files
from tokenscope_ui.drawing.markdown import as_markdown
from tokenscope_ui.syntax_view import controls, state, tables
from tokenscope_ui.syntax_view.chart import FEW, bar_chart, bar_table, point_table
from tokenscope_ui.syntax_view.other import Other, comparable, compared_parts
from tokenscope_ui.syntax_view.reading import (
    SyntaxLook,
    counted,
    mean_label,
    shown_cut,
    shown_parts,
)
from tokenscope_ui.syntax_view.words import COUNTED, FOR_THIS_TEXT, LEAST_STATEMENTS, LEVELS

CHART_KEY = "syntax chart"


def show_parts(trace: Trace, look: SyntaxLook, other: Other | None, byte: int | None) -> None:
    """Draw the heading, the table and the chart."""
    which = COUNTED[counted(trace, look)]
    if not (look.prompt or (trace.source != "prompt").any()):
        which += " (nothing was generated)"
    beside = "" if other is None else f", beside {as_markdown(other.name)}"
    st.markdown(
        f"**{mean_label(look.metric).capitalize()} by {LEVELS[look.level]}**, over {which}{beside}",
        help="A token that lies in several parts is shared out between them by its bytes. "
        f'{FOR_THIS_TEXT} From Python: `ts.aggregate(trace, by="{look.level}", '
        f'metric="{look.metric}")`, in nats.',
    )
    if other is not None and not comparable(look):
        st.caption(
            ":material/info: Lines of two texts have nothing to do with each other. Choose another "
            "level to compare by."
        )
        other = None
    if other is not None:
        # More columns than half a page holds.
        tables.show_parts(trace, look, other)
        st.caption(_compared_words(other))
        _chart(trace, look, other, byte)
        return
    left, right = st.columns([0.56, 0.44], gap="medium")
    with left:
        tables.show_parts(trace, look, other)
    with right:
        _chart(trace, look, other, byte)


def _compared_words(other: Other) -> str:
    name = as_markdown(other.name)
    words = (
        f"There: in {name}. Difference: the mean here less the mean there, with its 95 % interval, "
        "for these two texts and not for others like them."
    )
    if other.shared:
        words += (
            f" Both begin with the same {count_text(other.shared, 'generated token')}, which "
            "count on both sides; the interval is then too wide rather than too narrow."
        )
    return words


def _chart(trace: Trace, look: SyntaxLook, other: Other | None, byte: int | None) -> None:
    whole = len(compared_parts(trace, look, other))
    most = whole
    if whole > FEW and not st.toggle(
        f"Show all {whole:,} parts, not only the first {FEW}", key="syntax all parts",
        persist_state="session",
    ):  # fmt: skip
        most = FEW
    bars = bar_table(trace, look, other)
    chart_files.draw_chart(
        bar_chart(
            bars[bars["row"] < most], point_table(trace, look, most, other), look,
            chosen=_chosen_row(trace, look, byte),
        ),
        key=CHART_KEY, name=f"{files.of_trace(trace)}.{look.metric}-by-{look.level}",
        on_select=functools.partial(_take_bar, trace, look, other),
        selection_mode="pick",
    )  # fmt: skip
    both = "" if other is None else f" Blue: here; violet: {as_markdown(other.name)}."
    st.caption(
        f"Bar: mean; line: its 95 % interval for this text, where it lies in {LEAST_STATEMENTS} "
        f"statements or more; points: the tokens behind it; in brackets: how many.{both} Click a "
        "bar to see its places in the code."
    )


def _chosen_row(trace: Trace, look: SyntaxLook, byte: int | None) -> int | None:
    """The row of the part that the selected byte is in."""
    cut = shown_cut(trace, look)
    span = None if byte is None or look.kind != "part" else cut.span_at(byte)
    if span is None:
        return None
    labels = shown_parts(trace, look)[look.level].tolist()
    label = cut.labels[int(cut.piece[span])]
    return labels.index(label) if label in labels else None


def _take_bar(trace: Trace, look: SyntaxLook, other: Other | None) -> None:
    chosen = st.session_state[CHART_KEY].selection.get("pick") or []
    places = tables.first_bytes(trace, look, other)
    row = int(chosen[0]["row"]) if chosen else -1
    place = places[row] if 0 <= row < len(places) else None
    if place is not None:
        controls.show_parts()
        state.select(trace, place)
