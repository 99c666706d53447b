"""More than two branches at once: small multiples of their surprisal."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from tokenscope_core import Session, Trace
from tokenscope_core.display.scales import LogUnit
from tokenscope_ui.branches import small_multiples
from tokenscope_ui.components import tree

MOST = 12


def show_overview(
    session: Session, ordered: pd.DataFrame, traces: Mapping[str, Trace], unit: LogUnit
) -> None:
    """Draw the first branches of the table that are stored; nothing where they are two or less."""
    stored = [key for key in ordered["key"] if key in traces]
    if len(stored) <= 2:
        return
    shown = stored[:MOST]
    st.markdown("**Surprisal from the fork on**")
    if len(shown) < len(stored):
        st.caption(f"The first {MOST} of {len(stored):,}, in the order of the table.")
    rows = [
        (session.branch(key), traces[key], float(ordered.loc[key, "mean_surprisal"]))
        for key in shown
    ]
    tree.mount_overview(small_multiples.encode(rows, unit), key="branches overview")
