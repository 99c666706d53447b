"""Below the strips: the two tokens of a row, every figure of both, and what else was likely."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import METRICS, Comparison
from tokenscope_core.display.formatting import NOT_AVAILABLE, metric_text
from tokenscope_core.display.scales import LogUnit, screen_unit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_ui.compare import state
from tokenscope_ui.compare.chart import DIVERGENCES, divergence_text
from tokenscope_ui.compare.payload import difference_texts, positions, rows, side_trace
from tokenscope_ui.compare.state import SIDES, Side
from tokenscope_ui.compare.words import DIFFERENCE
from tokenscope_ui.drawing import chart_files, code_box, files
from tokenscope_ui.drawing.charts import candidate_chart, candidate_table
from tokenscope_ui.drawing.icon_buttons import icon_button

_CANDIDATES = 8
_UNIT = re.compile(" (?=%|points)")
_KINDS = {
    "same": "the same token in both",
    "changed": "another token in each",
    "only a": "only A has a token here",
    "only b": "only B has a token here",
}


def show_row(comparison: Comparison, row: int | None, unit: LogUnit) -> None:
    """Draw the panel."""
    if row is None:
        st.caption(
            "Click a token in either text, or a point in a chart, to see both tokens with all "
            "their figures and what else the model considered."
        )
        return
    _header(comparison, row)
    columns = st.columns([0.4, 0.3, 0.3], gap="medium")
    with columns[0]:
        st.table(metric_table(comparison, row, unit), hide_index=True)
    for column, side in zip(columns[1:], SIDES, strict=True):
        with column:
            _token(comparison, side, row)


def _header(comparison: Comparison, row: int) -> None:
    last = len(comparison) - 1
    differing = np.flatnonzero(comparison.alignment.kind != "same")
    before, after = differing[differing < row], differing[differing > row]
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="left", key="row buttons"
    ):
        _step("Previous row", ":material/chevron_left:", row - 1 if row else None)
        _step("Next row", ":material/chevron_right:", row + 1 if row < last else None)
        _step(
            "Previous difference", ":material/skip_previous:",
            int(before[-1]) if len(before) else None,
        )  # fmt: skip
        _step("Next difference", ":material/skip_next:", int(after[0]) if len(after) else None)
        icon_button("Select nothing", ":material/close:", key="no row",
                    on_click=state.select, args=(None,))  # fmt: skip
        kind = _KINDS[str(comparison.alignment.kind[row])]
        st.text(f"Row {row:,} (0 to {last:,}): {kind}", width="content")


def _step(label: str, icon: str, target: int | None) -> None:
    icon_button(
        label, icon, key=label.lower(), on_click=state.select, args=(target,),
        disabled=target is None,
    )  # fmt: skip


def _token(comparison: Comparison, side: Side, row: int) -> None:
    name, trace = side.upper(), side_trace(comparison, side)
    position = int(positions(comparison, side)[row])
    if position < 0:
        st.markdown(f"**{name}**")
        st.caption(f"{name} has no token here: {_between(comparison, side, row)}.")
        return
    token_id = int(trace.token_ids[position])
    st.markdown(f"**{name}** · position {position:,}")
    code_box.show_code(on_one_line(trace.vocabulary.token_bytes[token_id]), key=side)
    st.caption(f"{trace.source[position]} · id {token_id:,}")
    table = candidate_table(trace, position, _CANDIDATES)
    if not len(table):
        st.caption("No candidates: nothing precedes the first token.")
        return
    chart_files.draw_chart(
        candidate_chart(table), key=f"compare candidates {name}", file_width=chart_files.NARROW,
        name=f"{files.of_trace(trace)}.candidates-{position}",
    )  # fmt: skip


def _between(comparison: Comparison, side: Side, row: int) -> str:
    own = positions(comparison, side)
    earlier = own[:row][own[:row] >= 0]
    after = int(earlier[-1]) if len(earlier) else None
    length = len(side_trace(comparison, side))
    if after is None:
        return "before its first token"
    if after + 1 == length:
        return f"it ends at position {after:,}"
    return f"between its positions {after:,} and {after + 1:,}"


def metric_table(comparison: Comparison, row: int, unit: LogUnit) -> pd.DataFrame:
    """Every metric of a row, of both tokens and the difference, as texts; then the divergences."""
    values = rows(comparison).iloc[row]
    lines = []
    for metric in METRICS:
        shown_in = screen_unit(metric, unit)
        line = {"metric": f"{metric.label} ({shown_in})" if shown_in else metric.label}
        for side in SIDES:
            stored = values[f"{metric.name}_{side}"]
            known = np.array([np.nan if pd.isna(stored) else float(stored)])
            value = float(to_screen(metric.name, known, unit)[0])
            line[side.upper()] = metric_text(metric.name, value, unit).removesuffix(f" {shown_in}")
        moved = difference_texts(comparison, metric.name, unit)[row]
        line[DIFFERENCE] = moved.removesuffix(f" {shown_in}")
        # A figure and its unit stay on one line.
        lines.append({name: _UNIT.sub("\u00a0", text) for name, text in line.items()})
    missing = comparison.measured == "some" and values["kind"] == "same"
    for name, (label, _, _) in DIVERGENCES.items():
        nats = float(values[name])
        text = divergence_text(nats / NATS_PER_BIT if unit == "bits" else nats, unit)
        if text != NOT_AVAILABLE or missing:
            lines.append({"metric": label, "A": "", "B": "", DIFFERENCE: text})
    return pd.DataFrame(lines)
