"""Where to look first: the tokens that stand out by what the code is tinted by."""

from __future__ import annotations

import numpy as np
import streamlit as st

from tokenscope_core import Influence, Trace
from tokenscope_core.display.formatting import metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.record.metric_registry import metric_named
from tokenscope_ui.runs import runs
from tokenscope_ui.trace.sampled_choices import token_code

MOST = 6
_HEADINGS = {
    "surprisal": "Most surprising tokens",
    "entropy": "Tokens before which the model was least certain",
    "prob": "Least probable tokens",
    "margin": "Closest decisions, by margin",
    "influence": "Tokens that the rest depends on most",
}
_BY_END = {"high": "Highest", "low": "Lowest", "both": "Furthest from 0:"}


def standing_out(trace: Trace, metric: str, measured: Influence | None = None) -> list[int]:
    """The positions whose tokens are tinted most strongly by a metric, the strongest first: at most
    `MOST`, of the generated tokens where there are any."""
    values = measured.column_of(trace, metric) if measured else trace.column(metric)
    strong = metric_named(metric).strong
    strength = {"high": values, "low": -values, "both": np.abs(values)}[strong]
    start = trace.prompt_length if len(trace) > trace.prompt_length else 0
    order = start + np.argsort(-np.nan_to_num(strength[start:], nan=-np.inf), kind="stable")
    return [int(i) for i in order[:MOST] if not np.isnan(values[i])]


def show_standing_out(
    trace: Trace, metric: str, unit: LogUnit, measured: Influence | None = None
) -> None:
    """List them, each a button that selects it; nothing where no token has a value."""
    found = standing_out(trace, metric, measured)
    if not found:
        return
    row = metric_named(metric)
    heading = _HEADINGS.get(metric, f"{_BY_END[row.strong]} {row.label}")
    st.markdown(f"**{heading}**")
    values = measured.column_of(trace, metric) if measured else trace.column(metric)
    shown = to_screen(metric, values[found], unit)
    for position, value in zip(found, shown.tolist(), strict=True):
        st.button(
            f"{token_code(trace, position)} {metric_text(metric, value, unit)}",
            key=f"jump {position}", help=f"Select the token at position {position:,}",
            on_click=runs.select, args=(position,), type="tertiary",
        )  # fmt: skip
