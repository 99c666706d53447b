"""On the page Share: the link and the tables of what two models made of one text."""

from __future__ import annotations

from functools import partial

import streamlit as st

from tokenscope_core import (
    ModelComparison,
    TokenScopeError,
    Trace,
    export,
    line_frame,
    span_frame,
)
from tokenscope_core.sessions.screen_state import View
from tokenscope_core.sharing import links as share
from tokenscope_ui.components import copy_field
from tokenscope_ui.drawing import files
from tokenscope_ui.drawing.files import File
from tokenscope_ui.request import problems
from tokenscope_ui.server import visitors
from tokenscope_ui.share import links, short_link_view, short_links
from tokenscope_ui.two_models import state
from tokenscope_ui.two_models.payload import compared

# What the address of that page says beside the two.
_CHOICES = {"tint": "two_models_tint", "two_models_scale": "two_models_scale", "unit": "unit"}


def in_hand() -> tuple[Trace, Trace] | None:
    """The two traces that the page Two models shows."""
    a, b = (side.trace for side in state.current().sides)
    return None if a is None or b is None else (a, b)


def view() -> dict[str, View]:
    """What that page is drawn by."""
    seen: dict[str, View] = {
        name: value
        for name, key in _CHOICES.items()
        if isinstance(value := st.session_state.get(key), str)
    }
    selected = state.current().selected
    return seen if selected is None else {**seen, selected.kind: selected.number}


def draw_readings(a: Trace, b: Trace) -> None:
    """Draw the link, and the tables as files."""
    st.header("Two models")
    st.text(f"One text, scored by “{a.model.name}” and “{b.model.name}”")
    left, right = st.columns([0.5, 0.5], gap="large")
    with left:
        _link(a, b)
    with right:
        _tables(a, b)


def _link(a: Trace, b: Trace) -> None:
    seen = view()
    try:
        address = links.of_readings(a, b, seen)
    except TokenScopeError as problem:
        problems.box(problem, title="There is no link to these two", key="problem readings link")
    else:
        copy_field.mount(address, label="Link to the two models", key="readings link")
        st.caption(
            f"{len(address):,} of {share.MAX_LINK:,} characters. It carries the text and which "
            "models read it; a server that has both in the same version reads it again."
        )
    if a.request == b.request:
        short_link_view.draw_short_link(
            lambda: (a.key, b.key, seen),
            partial(short_links.of_readings, a, b, seen),
            label="Short link to the two models",
            until="Opens on this server for everybody who has it, until you delete it under “Kept "
            "sessions” on the page Branches"
            + ("." if visitors.owner() else "; after this visit only the operator can."),
        )
    st.caption(
        "The address of the page Two models opens it too, on this server, as long as the store "
        "keeps both traces."
    )


def _tables(a: Trace, b: Trace) -> None:
    try:
        comparison = compared(a, b)
    except TokenScopeError:
        return  # the page Two models says why they cannot be compared
    st.text("Tables, as CSV, in nats")
    files.buttons(_files(comparison), "readings")


def _files(comparison: ModelComparison) -> tuple[File, ...]:
    a, b = comparison.a.trace, comparison.b.trace
    name = files.stem(a.model.name, b.model.name, a.key[:8])
    csv = partial(export.csv, for_spreadsheet=bool(st.session_state.get("for spreadsheet")))
    return (
        File("Spans", "One row a stretch of text between boundaries of both.",
             f"{name}.spans.csv", "text/csv", lambda: csv(span_frame(comparison))),
        File("Lines", "One row a line.",
             f"{name}.lines.csv", "text/csv", lambda: csv(line_frame(comparison))),
    )  # fmt: skip
