"""What every view of code is drawn with: the metric, its scale and unit, and what is spelled out.

The pages share these choices: what is set on one is set on all. The address holds what differs
from the defaults: `metric`, `scale`, `unit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import streamlit as st

from tokenscope_core.metric_registry import metric_named
from tokenscope_ui.address import choices
from tokenscope_ui.scales import STRIP_METRICS, LogUnit

_SCALES = ("absolute", "relative")
_UNITS: tuple[LogUnit, ...] = ("bits", "nats")


def metric(label: str, options: Sequence[str] = STRIP_METRICS) -> str:
    """Which metric is shown. One chosen elsewhere that is none of the options gives way."""
    choices.take("metric", "metric", options)
    if st.session_state.get("metric") not in options:
        st.session_state.pop("metric", None)
    chosen = str(
        st.selectbox(
            label, options, key="metric", width=220, persist_state="session",
            format_func=lambda name: metric_named(name).label,
        )
    )  # fmt: skip
    choices.tell("metric", chosen, options[0])
    return chosen


def relative(*, what: str, over: str, key: str = "scale") -> bool:
    """Whether tints are stretched `over` what is shown; else they mean the same in every `what`."""
    # No default of the control: a link sets the value before it is drawn.
    choices.take(key, key, _SCALES)
    st.session_state.setdefault(key, _SCALES[0])
    scale = st.segmented_control(
        "Scale", _SCALES, key=key, required=True, persist_state="session",
        help=f"Absolute: the same tint is the same number in every {what}. "
        f"Relative: stretched over {over}.",
    )  # fmt: skip
    choices.tell(key, str(scale), _SCALES[0])
    return bool(scale == "relative")


def unit() -> LogUnit:
    """The unit of log quantities on screen."""
    choices.take("unit", "unit", _UNITS)
    st.session_state.setdefault("unit", _UNITS[0])
    chosen = st.segmented_control(
        "Unit", _UNITS, key="unit", required=True, persist_state="session",
        help="Of log quantities on screen; files always say nats.",
    )  # fmt: skip
    choices.tell("unit", str(chosen), _UNITS[0])
    return cast(LogUnit, chosen)


def invisibles() -> bool:
    """Whether white space and bytes are spelled out."""
    return st.toggle("Show white space and bytes", key="invisibles", persist_state="session")
