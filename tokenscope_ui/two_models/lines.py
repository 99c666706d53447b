"""The lines of a compared text, where the models differ most first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import ModelComparison, line_frame
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_ui.two_models import state
from tokenscope_ui.two_models.payload import DIFFERENCE, compared
from tokenscope_ui.two_models.state import Selection

_TABLE_HEIGHT = 320


def show_lines(comparison: ModelComparison, unit: LogUnit) -> None:
    """Draw the table; a click on a cell selects its line."""
    st.markdown("**Lines, where they differ most first**")
    table = line_table(comparison, unit)
    figures = {
        name: st.column_config.NumberColumn(f"{name} ({unit})", format=form, width=90)
        for name, form in (("A", "%.2f"), ("B", "%.2f"), (DIFFERENCE, "%+.2f"))
    }
    st.dataframe(
        table, key=_lines_key(), hide_index=True, height=min(_TABLE_HEIGHT, 40 + 35 * len(table)),
        on_select=_take_line, selection_mode="single-cell",
        column_config={
            "line": st.column_config.NumberColumn("line", width=60, format="%d"),
            **figures,
        },
    )  # fmt: skip


@lru_cache(maxsize=8)
def line_table(comparison: ModelComparison, unit: LogUnit) -> pd.DataFrame:
    """`line`, both surprisals of it and their difference in screen units, and its `code`; the
    largest difference first, lines without one last."""
    lines = line_frame(comparison)
    order = np.argsort(-lines["difference"].abs().fillna(-1.0).to_numpy(), kind="stable")
    lines = lines.iloc[order].reset_index(drop=True)
    shown = {
        name: to_screen("surprisal", lines[column].to_numpy(), unit)
        for name, column in (
            ("A", "surprisal_a"), ("B", "surprisal_b"), (DIFFERENCE, "difference"),
        )
    }  # fmt: skip
    code = [on_one_line(text.encode()).replace("·", " ") for text in lines["text"]]
    return pd.DataFrame({"line": lines["line"], **shown, "code": code})


def shown_comparison() -> ModelComparison | None:
    """The comparison of what this session shows, None where a side has no trace.

    Raises: as `compare_models`.
    """
    a, b = (side.trace for side in state.current().sides)
    return None if a is None or b is None else compared(a, b)


def _take_line() -> None:
    cells = st.session_state[_lines_key()].selection.cells
    comparison = shown_comparison()
    if not cells or comparison is None:
        return
    # The order of lines is the same in either unit.
    table = line_table(comparison, "bits")
    row = int(cells[0][0])
    if row < len(table):
        state.select(Selection("line", int(table["line"].iloc[row])), in_table=True)


def _lines_key() -> str:
    return f"two_models_lines_{state.current().lines}"
