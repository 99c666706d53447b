"""What every token receives, painted on the code, and who attends to the selected one."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Received, Trace
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.display.formatting import count_text
from tokenscope_core.record.arrays import Floats
from tokenscope_ui.attention import controls
from tokenscope_ui.attention.capturing import need
from tokenscope_ui.attention.one_token import attenders
from tokenscope_ui.attention.payload import plain_payload, received_payload
from tokenscope_ui.attention.required_captures import received_of
from tokenscope_ui.attention.tokens import labels, lines_of
from tokenscope_ui.attention.view_choice import AttentionLook, ReceivedTint
from tokenscope_ui.attention.weights import share_text, times_text
from tokenscope_ui.components.strip import mount, picked
from tokenscope_ui.runs import runs
from tokenscope_ui.trace import view_controls
from tokenscope_ui.trace.sampled_choices import token_code

STRIP_KEY = "attention_received_strip"
_STRIP_HEIGHT = 560
_MOST_RECEIVERS = 12
_ROW, _HEAD = 35, 40
_TINTS: dict[ReceivedTint, str] = {"mass": "amount", "ratio": "against even"}
_TINT_HELP = (
    "Amount: the attention of all later tokens added up, in units of a row: 3 is as much as three "
    "tokens have to give. Against even: divided by what attention spread evenly would have given; "
    "early tokens receive more because more tokens follow them."
)
_ROWS: dict[Rows, str] = {"all": "all later tokens", "predicting": "tokens that predict the output"}


def show_received(trace: Trace, layers: tuple[int, ...], heads: int, look: AttentionLook) -> None:
    """Draw the view; `layers` and `heads` are those of the model to choose among."""
    position = runs.current().selected
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention received tools"):
        controls.segmented("Tint", "received", look.received, _TINTS, help=_TINT_HELP)
        if trace.prompt_length < len(trace):
            controls.segmented("From", "received_rows", look.received_rows, _ROWS)
        controls.switch("One layer and head", "one_head", look.one_head)
        if look.one_head:
            controls.layer("layer", look.layer, layers, rollout=False)
            options = ["mean", *range(heads)]
            controls.select("Head", "head", look.head, options, controls.head_text, width=150)
        invisibles = view_controls.invisibles()
    rows: Rows = look.received_rows if trace.prompt_length < len(trace) else "all"
    found = need(trace, received_of(trace, rows), "What every token receives")
    if not isinstance(found, Received) or not found.layers:
        _strip(plain_payload(trace, invisibles=invisibles), position)
        return
    layer, head = place(found, look)
    frame = found.frame(layer, head)
    st.markdown(status(trace, found, layer, head, mask=look.masks))
    left, right = st.columns([0.55, 0.45], gap="medium")
    with left:
        apart = found.sinks.positions if look.masks else ()
        payload = received_payload(trace, frame, look.received, apart, invisibles=invisibles)
        _strip(payload, position)
    with right:
        if position is None or position >= len(trace):
            _receivers(trace, frame, look)
        else:
            _one(trace, frame, position)
            attenders.show_attenders(trace, position, look)


def place(found: Received, look: AttentionLook) -> tuple[int | None, int | None]:
    """The layer and head in view; None for the mean over all that were read."""
    if not look.one_head:
        return None, None
    layer = look.layer if look.layer in found.layers else found.layers[-1]
    head = look.head if isinstance(look.head, int) and look.head < found.heads else None
    return int(layer or 0), head


def status(
    trace: Trace, found: Received, layer: int | None, head: int | None, *, mask: bool
) -> str:
    """What is shown, over which layers, and what the sinks have of it, as Markdown."""
    name = (
        f"Mean of {count_text(len(found.layers), 'layer')} and their heads"
        if layer is None
        else f"Layer {layer}, {controls.head_text('mean' if head is None else head)}"
    )
    received = found.of(layer, head)
    whole = float(np.nansum(received))
    at = ", ".join(
        f"{token_code(trace, p)} at {p:,} "
        f"({share_text(float(received[p]) / whole if whole else float('nan'))})"
        for p in found.sinks.positions
    )
    sinks = "sinks" if len(found.sinks.positions) > 1 else "sink"
    if mask:
        return (
            f"**{name}** · attention received · :orange[:material/visibility_off: **{sinks} set "
            f"apart**]: {at} of all that is given to earlier tokens; untinted, and no part of the "
            "scale. The weights are as they are."
        )
    return (
        f"**{name}** · attention received · :material/visibility: {sinks} shown: {at} of all that "
        "is given to earlier tokens."
    )


def rows_text(rows: float) -> str:
    """An amount of attention, in units of what a token has to give."""
    return "not available" if rows != rows else f"{rows:.2f}" if rows >= 0.01 else f"{rows:.1g}"


def _receivers(trace: Trace, frame: pd.DataFrame, look: AttentionLook) -> None:
    by = "ratio" if look.received == "ratio" else "received"
    kept = frame[~frame["sink"]] if look.masks else frame
    best = kept.dropna(subset=by).sort_values(by, ascending=False, kind="stable")
    best = best[best["received"] > 0].head(_MOST_RECEIVERS)
    st.markdown("**What receives most**")
    at: Floats = best["position"].to_numpy()
    names, lines = labels(trace), lines_of(trace)
    key = f"attention receivers {trace.key[:12]} {by} {look.masks} {look.layer} {look.head}"
    st.dataframe(
        pd.DataFrame(
            {
                "token": [names[p] for p in at.tolist()],
                "at": at,
                "line": lines[at],
                "rows": [rows_text(v) for v in best["received"].tolist()],
                "mean": [share_text(v) for v in best["mean"].tolist()],
                "even": [times_text(v) for v in best["ratio"].tolist()],
            }
        ),
        key=key, hide_index=True, height=_HEAD + _ROW * max(1, len(best)),
        on_select=functools.partial(_take_row, key, tuple(at.tolist())),
        selection_mode="single-cell",
        column_config={
            "token": st.column_config.TextColumn(width=100),
            "at": st.column_config.NumberColumn(format="localized", width=52),
            "line": st.column_config.NumberColumn(format="localized", width=46),
            "rows": st.column_config.TextColumn(width=60),
            "mean": st.column_config.TextColumn("of a row", width=74),
            "even": st.column_config.TextColumn("× even", width=66),
        },
    )  # fmt: skip
    st.caption(
        "rows: all that later tokens give it, in units of a token’s whole attention; of a row: "
        "mean over the later tokens that can see it; × even: against attention spread evenly. "
        "Click one to see who attends to it."
    )


def _one(trace: Trace, frame: pd.DataFrame, position: int) -> None:
    row = frame.iloc[position]
    st.markdown(f"{token_code(trace, position)} at position {position:,}")
    if not row["even"] > 0:
        st.caption("No later token that counts can see it, so it receives nothing.")
        return
    st.markdown(
        f"Receives **{rows_text(float(row['received']))} rows**, {share_text(float(row['mean']))} "
        f"of each later row on average, {times_text(float(row['ratio']))} what even attention "
        "would give." + (" It is a sink." if row["sink"] else "")
    )


def _strip(payload: bytes, position: int | None) -> None:
    mount(payload, key=STRIP_KEY, selected=position, on_select=_take_pick, height=_STRIP_HEIGHT)


def _take_pick() -> None:
    runs.select(picked(STRIP_KEY))


def _take_row(key: str, places: tuple[int, ...]) -> None:
    cells = st.session_state[key].selection.cells
    if cells and 0 <= int(cells[0][0]) < len(places):
        runs.select(places[int(cells[0][0])])
