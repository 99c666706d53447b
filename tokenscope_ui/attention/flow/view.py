"""Attention meets syntax: how much the parts of the program attend to each other."""

from __future__ import annotations

import functools

import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.flow.flow import Flow
from tokenscope_core.attention.flow.sums import flow_in
from tokenscope_core.display.formatting import count_text
from tokenscope_core.syntax.documents.texts import language_label
from tokenscope_core.syntax.folding.aggregation import THIN
from tokenscope_ui.attention import controls
from tokenscope_ui.attention.crop import read
from tokenscope_ui.attention.flow.chart import MOST_PARTS, flow_chart, flow_table
from tokenscope_ui.attention.matrix_in_view import masked
from tokenscope_ui.attention.view_choice import AttentionLook, FlowTint, Head, Parts
from tokenscope_ui.drawing import chart_files, files
from tokenscope_ui.server.lru_cache import remembering

CHART_KEY = "attention_flow"
PARTS: dict[Parts, str] = {
    "category": "categories",
    "statement": "kinds of statement",
    "unit": "single statements",
    "function": "functions",
}
TINTS: dict[FlowTint, str] = {"ratio": "against even", "share": "share"}
_NOWHERE = {"function": "(outside of functions)", "unit": "(in no statement)"}
_MOST_BYTES = 200 * 10**6


def tools(look: AttentionLook) -> None:
    """Draw the choice of the parts, and what is tinted."""
    controls.segmented("Parts", "parts", look.parts, PARTS)
    controls.segmented(
        "Tint", "tint", look.tint, TINTS,
        help="Against even: how many times the share that attention spread evenly over all that "
        "a row can see would give to the same tokens. A part with many "
        "tokens gets much of any attention; only what differs from even says something.",
    )  # fmt: skip
    controls.switch("Mean over all layers and heads", "whole", look.whole)


@remembering(_MOST_BYTES)
def flow_of(
    captured: AttentionMap, trace: Trace, parts: Parts, layer: int, head: Head, *, mask: bool
) -> Flow:
    """The flow in a captured head, or the mean over the heads of its layer."""
    source = masked(captured, layer) if mask else captured
    alone = head if isinstance(head, int) and captured.fold is None else None
    return flow_in(source, read(trace), parts, layer=layer, head=alone)


def show_flow(trace: Trace, flow: Flow, look: AttentionLook) -> None:
    """Draw the heat map, and its cells as a table."""
    language = language_label(flow.language) if flow.language else "plain text"
    table = flow_table(flow, {"": _NOWHERE.get(flow.by, "(none)")})
    if not len(table):
        st.info(
            "Only the first token, which has nothing to choose from, was read."
            if len(trace) < 2 or not flow.query_tokens.any()
            else "The text has no such parts.", icon=":material/info:",
        )  # fmt: skip
        return
    st.markdown(
        f"**From the part on the left to the part above**, read as {language}: of a token’s "
        "attention, by its own row, the share that goes there."
    )
    grid = functools.partial(flow_chart, table, look.tint)
    chart_files.draw_chart(
        grid(dark=st.context.theme.type == "dark"), on_white=grid, key=CHART_KEY,
        name=f"{files.of_trace(trace)}.attention-{flow.by}",
    )  # fmt: skip
    st.caption(_note(flow, look.tint))
    with st.expander("The cells as a table", icon=":material/table_rows:"):
        _cells(table)


def _note(flow: Flow, tint: FlowTint) -> str:
    present = int(((flow.query_tokens > 0) | (flow.key_tokens > 0)).sum())
    note = (
        "Colour: the share itself."
        if tint == "share"
        else "Colour: the share over that of even attention on the same rows, which says what the "
        "numbers and places of the tokens alone would give."
    )
    if flow.thin.any():
        note += f" Parts with fewer than {THIN} rows are few: their means say little."
    if present > MOST_PARTS:
        note += (
            f" Of {count_text(present, 'part')} the {MOST_PARTS} with the most tokens are drawn: "
            "what a row lacks of 100 % goes to the others."
        )
    else:
        note += " Each row sums to 100 %."
    return note


def _cells(table: pd.DataFrame) -> None:
    possible = table[table["even"] > 0].sort_values("ratio", ascending=False)
    st.dataframe(
        pd.DataFrame(
            {
                "attends": possible["query"],
                "is attended to": possible["key"],
                "share (%)": 100 * possible["share"],
                "even (%)": 100 * possible["even"],
                "ratio": possible["ratio"],
                "rows": possible["rows"],
                "tokens there": possible["tokens"],
                "": possible["few"],
            }
        ),
        hide_index=True, key="attention flow cells", height=320,
        column_config={
            name: st.column_config.NumberColumn(format="%.2f")
            for name in ("share (%)", "even (%)", "ratio")
        },
    )  # fmt: skip
