"""How far the model's distributions moved: asked for, followed, stopped."""

from __future__ import annotations

import numpy as np
import streamlit as st

from tokenscope_core import Comparison
from tokenscope_core.display.formatting import count_text
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_ui.compare import state
from tokenscope_ui.compare.words import comparable_rows, measured_rows
from tokenscope_ui.request import problems
from tokenscope_ui.runs import progress
from tokenscope_ui.runs.following import polled

_POLL_S = 0.2
HELP = (
    "How far the model’s next-token distributions lie apart before the two tokens of a row, each "
    "after all that precedes it in its own text; exact, over the whole vocabulary. "
    "KL(A‖B) = Σ p_A ln(p_A / p_B), and the other way round (Kullback and Leibler 1951). "
    "Jensen-Shannon: the mean of KL(A‖M) and KL(B‖M) with M = (p_A + p_B) / 2, at most 1 bit = "
    "ln 2 nats (Lin 1991)."
)


def draw_measuring(comparison: Comparison) -> None:
    """Draw the button, the progress, or why there is nothing to measure."""
    if comparison.relation != "diverge":
        st.caption(
            "No distributions to compare: every token that both have stands after the same text."
        )
    elif not comparable_rows(comparison):
        st.caption("No distributions to compare: after they part, no token is the same in both.")
    elif comparison.measured != "all":
        polled(
            _measuring, lambda: state.follow(comparison), lambda: state.goes_on(comparison), _POLL_S
        )(comparison)


def _measuring(view: AnalysisView | None, comparison: Comparison) -> None:
    failed = state.failed(comparison)
    if failed is not None:
        problems.box(failed, title="The distributions were not measured", key="problem measuring")
    if view is None:
        _offer(comparison)
        return
    progress.show_progress(
        view, key="compare", on_stop=state.stop,
        help="Stops now and keeps the part that was measured.",
        text=f"Reading both texts … {progress.steps_text(view, 'token', ' compared')}",
    )  # fmt: skip


def _offer(comparison: Comparison) -> None:
    measured = measured_rows(comparison)
    if measured:
        st.caption(f"Stopped: {count_text(measured, 'token')} measured, the rest is missing.")
    with st.container(horizontal=True, vertical_alignment="center", key="compare measure"):
        st.button(
            "Measure the rest" if measured else "Measure how far the distributions moved",
            icon=":material/straighten:", on_click=state.measure, args=(comparison,), help=HELP,
        )  # fmt: skip
        st.caption(cost_text(comparison), width="content")


def cost_text(comparison: Comparison) -> str:
    """What has to be read for it, in words."""
    shared = comparison.shared_prefix
    last = int(np.flatnonzero(comparison.alignment.kind == "same")[-1])
    alignment = comparison.alignment
    in_a, in_b = (
        max(0, int(own[last]) - shared) for own in (alignment.position_a, alignment.position_b)
    )
    return (
        f"Reads {count_text(in_a, 'token')} of A and {in_b:,} of B again, and the {shared:,} "
        "before them unless they are still in memory. Nothing is written."
    )
