"""What a row leans on: how sure the model had been of the tokens that it attends to."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.attention.tokens.leaning import LEANED_ON, Leaning, leaning
from tokenscope_core.display.formatting import NOT_AVAILABLE, metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_ui.attention.matrix_in_view import Shown
from tokenscope_ui.attention.one_token.together import as_captured
from tokenscope_ui.attention.weights import share_text

HELP = (
    "The figures of the tokens that this row attends to, each weighted by its attention, the sinks "
    "set apart; beside it the same for attention spread evenly over all the row can see. Less "
    "probability or more surprisal than even: it leans on tokens that the model was unsure of."
)
# What is further from knowing all is said.
_ALL = 0.995


def leaning_of(trace: Trace, shown: Shown, query: int) -> Leaning:
    """What one captured row leans on, as the matrix in view has it."""
    return leaning(as_captured(shown), trace, apart=shown.sink_positions, positions=[query])


def show_leaning(trace: Trace, shown: Shown, query: int) -> None:
    """Draw the figures of what a row attends to, and its shares on prompt and output."""
    found = leaning_of(trace, shown, query)
    unit = cast(LogUnit, st.session_state.get("unit") or "bits")
    st.markdown("**What it leans on**", help=HELP)
    st.table(
        pd.DataFrame(
            [
                {
                    "of what it attends to": BY_NAME[name].label,
                    "weighted": _text(name, found.values[name], unit),
                    "evenly": _text(name, found.even[name], unit),
                }
                for name in LEANED_ON
            ]
        ),
        hide_index=True,
    )
    st.caption(_shares(found, shown, query))


def _text(name: str, values: np.ndarray, unit: LogUnit) -> str:
    return metric_text(name, float(to_screen(name, values, unit)[0]), unit)


def _shares(found: Leaning, shown: Shown, query: int) -> str:
    prompt, output = float(found.prompt_share[0]), float(found.output_share[0])
    sinks = "sinks" if len(found.apart) > 1 else "sink"
    if np.isnan(prompt):
        return f"All of this row is on the {sinks}: {NOT_AVAILABLE}."
    mass = share_text(shown.sink_mass_of_row(query))
    words = (
        f"Without the {mass} of the row on the {sinks}, {share_text(prompt)} of the rest is on the "
        f"prompt, {share_text(output)} on the output."
    )
    known = float(np.min([found.known[name][0] for name in LEANED_ON]))
    if known < _ALL:
        words += f" Figures are known for {share_text(known)} of it."
    return words
