"""What every view of code is drawn with: the metric, its scale and unit, and what is spelled out.

The pages share these choices: what is set on one is set on all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import streamlit as st

from tokenscope_core.metric_registry import metric_named
from tokenscope_ui.scales import STRIP_METRICS, LogUnit


def metric(label: str, options: Sequence[str] = STRIP_METRICS) -> str:
    """Which metric is shown. One chosen elsewhere that is none of the options gives way."""
    if st.session_state.get("metric") not in options:
        st.session_state.pop("metric", None)
    return str(
        st.selectbox(
            label, options, key="metric", width=220, persist_state="session",
            format_func=lambda name: metric_named(name).label,
        )
    )  # fmt: skip


def relative(*, what: str, over: str, key: str = "scale") -> bool:
    """Whether tints are stretched `over` what is shown; else they mean the same in every `what`."""
    # No default of the control: a link sets the value before it is drawn.
    st.session_state.setdefault(key, "absolute")
    scale = st.segmented_control(
        "Scale", ("absolute", "relative"), key=key, required=True, persist_state="session",
        help=f"Absolute: the same tint is the same number in every {what}. "
        f"Relative: stretched over {over}.",
    )  # fmt: skip
    return bool(scale == "relative")


def unit() -> LogUnit:
    """The unit of log quantities on screen."""
    st.session_state.setdefault("unit", "bits")
    chosen = st.segmented_control(
        "Unit", ("bits", "nats"), key="unit", required=True, persist_state="session",
        help="Of log quantities on screen; files always say nats.",
    )  # fmt: skip
    return cast(LogUnit, chosen)


def invisibles() -> bool:
    """Whether white space and bytes are spelled out."""
    return st.toggle("Show white space and bytes", key="invisibles", persist_state="session")
