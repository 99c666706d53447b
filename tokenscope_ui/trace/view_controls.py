"""What every view of code is drawn with: the metric, its scale and unit, and what is spelled out.

The pages share these choices: what is set on one is set on all. The address holds what differs
from the defaults: `metric`, `scale`, `unit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tokenscope_core.display.scales import STRIP_METRICS, LogUnit
from tokenscope_core.record.metric_registry import metric_named
from tokenscope_ui.components.address import url_choices
from tokenscope_ui.drawing import definitions

_SCALES = ("absolute", "relative")
_UNITS: tuple[LogUnit, ...] = ("bits", "nats")


def metric(label: str, options: Sequence[str] = STRIP_METRICS) -> str:
    """Which metric is shown. One chosen elsewhere that is none of the options gives way."""
    url_choices.take("metric", "metric", options)
    hold("metric", options)
    chosen = str(
        st.selectbox(
            label, options, key="metric", width=220, persist_state="session",
            help=definitions.in_words(metric_named(st.session_state["metric"])),
            format_func=lambda name: metric_named(name).label,
        )
    )  # fmt: skip
    url_choices.tell("metric", chosen, options[0])
    return chosen


def seldom_changed() -> DeltaGenerator:
    """The place for what a view is drawn with and is seldom changed: one click away."""
    return st.popover("View", icon=":material/tune:", key="view options")


def relative(*, what: str, over: str, key: str = "scale") -> bool:
    """Whether tints are stretched `over` what is shown; else they mean the same in every `what`."""
    url_choices.take(key, key, _SCALES)
    hold(key, _SCALES)
    scale = st.segmented_control(
        "Scale", _SCALES, key=key, required=True, persist_state="session",
        help=f"Absolute: the same tint is the same number in every {what}. "
        f"Relative: stretched over {over}.",
    )  # fmt: skip
    url_choices.tell(key, str(scale), _SCALES[0])
    return bool(scale == "relative")


def unit() -> LogUnit:
    """The unit of log quantities on screen."""
    url_choices.take("unit", "unit", _UNITS)
    hold("unit", _UNITS)
    chosen = st.segmented_control(
        "Unit", _UNITS, key="unit", required=True, persist_state="session",
        help="Of log quantities on screen; files always say nats.",
    )  # fmt: skip
    url_choices.tell("unit", str(chosen), _UNITS[0])
    return cast(LogUnit, chosen)


def invisibles() -> bool:
    """Whether white space and bytes are spelled out."""
    hold("invisibles", (False, True))
    return st.toggle("Show white space and bytes", key="invisibles", persist_state="session")


def hold(key: str, allowed: Sequence[object]) -> None:
    """Before a control that several pages draw: what was chosen, or else the first that is allowed.

    A value that is set anew is sent to the browser. One that merely stays is not, and a browser
    that draws the control for the first time on another page takes it for not chosen at all.
    """
    chosen = st.session_state.get(key)
    st.session_state[key] = chosen if chosen in allowed else allowed[0]
