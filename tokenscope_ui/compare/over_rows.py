"""What changed over the rows of a comparison, as charts to click in."""

from __future__ import annotations

import numpy as np
import streamlit as st

from tokenscope_core import Comparison
from tokenscope_core.display.scales import difference_scale
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_ui.compare import measuring, state
from tokenscope_ui.compare.chart import (
    difference_chart,
    difference_table,
    divergence_chart,
    divergence_table,
)
from tokenscope_ui.compare.payload import ComparisonLook, difference_texts, differences
from tokenscope_ui.drawing import chart_files, files
from tokenscope_ui.trace.sampled_choices import token_code

_LARGEST = 6
_CHART_KEYS = ("difference chart", "divergence chart")


def show_over_rows(comparison: Comparison, look: ComparisonLook, row: int | None) -> None:
    """Draw the charts; clicking a point selects its row."""
    last = len(comparison) - 1
    table = difference_table(comparison, look.metric, look.unit)
    label = BY_NAME[look.metric].label
    st.markdown(f"**How {label} changed**, from where they part on")
    if len(table):
        values = differences(comparison, look.metric, look.unit)
        scale = difference_scale(look.metric, values, relative=look.relative, unit=look.unit)
        chart_files.draw_chart(
            difference_chart(table, scale, last=last, selected=row),
            key=_CHART_KEYS[0], name=f"{_stem(comparison)}.{look.metric}",
            on_select=_take_difference, selection_mode="pick",
        )  # fmt: skip
        _largest(comparison, look)
    else:
        st.caption("No two tokens that face each other both have a value of it.")
    moved = divergence_table(comparison, look.unit)
    if comparison.measured == "none" or not len(moved):
        return
    st.markdown("**How far the model’s distributions moved**", help=measuring.HELP)
    chart_files.draw_chart(
        divergence_chart(moved, look.unit, last=last, selected=row),
        key=_CHART_KEYS[1], name=f"{_stem(comparison)}.divergence", on_select=_take_divergence,
        selection_mode="pick",
    )  # fmt: skip


def _stem(comparison: Comparison) -> str:
    a, b = comparison.a, comparison.b
    return files.stem(a.model.name, a.key[:8], b.key[:8])


def _largest(comparison: Comparison, look: ComparisonLook) -> None:
    """Ways to the rows where the metric changed most."""
    size = np.nan_to_num(np.abs(differences(comparison, look.metric, look.unit)), nan=0.0)
    size[~np.isfinite(size)] = 0.0
    order = np.argsort(-size, kind="stable")[:_LARGEST]
    texts = difference_texts(comparison, look.metric, look.unit)
    with st.container(horizontal=True, vertical_alignment="center", key="largest differences"):
        for row in (int(row) for row in order if size[row] > 0):
            position = int(comparison.alignment.position_b[row])
            st.button(
                f"{token_code(comparison.b, position)} {texts[row]}", key=f"jump row {row}",
                help=f"Select row {row:,}", on_click=state.select, args=(row,), type="tertiary",
            )  # fmt: skip


def _take_difference() -> None:
    _take_point(_CHART_KEYS[0])


def _take_divergence() -> None:
    _take_point(_CHART_KEYS[1])


def _take_point(key: str) -> None:
    points = st.session_state[key].selection.get("pick") or []
    if points:
        state.select(int(points[0]["row"]))
