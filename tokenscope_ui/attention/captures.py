"""What has been captured: kept at hand, computed by the model where it is not, followed, stopped.

What an analysis names never changes, so that all visitors share what is at hand.
"""

from __future__ import annotations

from typing import Any, cast

import streamlit as st

from tokenscope_core import ModelChoice, RecordError, TokenScopeError
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.analysis_tasks import Analysis, key_of
from tokenscope_ui.runs.following import Following
from tokenscope_ui.server.lru_cache import Remembered, bytes_of
from tokenscope_ui.server.server import service

_PARTS = "captured in part"
# All heads of a layer at 1,024 tokens are some 25 MB.
_MOST_BYTES = 400 * 10**6


@st.cache_resource(show_spinner=False)
def _at_hand() -> Remembered[Any]:
    return Remembered(_MOST_BYTES)


def _parts() -> dict[str, Any]:
    """What there was of an analysis when it ended before its end, by name; of the last one."""
    return cast("dict[str, Any]", st.session_state.setdefault(_PARTS, {}))


def _take(name: str, view: AnalysisView) -> None:
    if view.phase == "done":
        _at_hand().put(name, view.result, bytes_of(view.result))
    else:
        _parts()[name] = view.result


_run = Following("attention_captures", _take)


def is_stored(analysis: Analysis) -> bool:
    """Whether the store has what it comes to, so that no model is needed."""
    try:
        return service().store.get_capture(key_of(analysis)) is not None
    except RecordError:
        return False


def result(analysis: Analysis) -> Any:
    """What it came to, or the part there was when it was stopped; None where nothing is at hand."""
    found = _at_hand().get(key_of(analysis))
    return _parts().get(key_of(analysis)) if found is None else found


def problem(analysis: Analysis) -> TokenScopeError | None:
    """Why it could not be computed."""
    return _run.problem(key_of(analysis))


def stopped(analysis: Analysis) -> bool:
    """Whether a person stopped it, and no other went on with it."""
    return _run.stopped(key_of(analysis)) and _at_hand().get(key_of(analysis)) is None


def start(model: ModelChoice, analysis: Analysis) -> None:
    """Have it computed, in the place of what is being computed now."""
    _run.start(key_of(analysis), model, analysis)
    _parts().clear()


def follow(analysis: Analysis) -> AnalysisView | None:
    """Look at what is being computed, which is this analysis where a view comes back; takes over
    its result once it has ended."""
    return _run.follow(key_of(analysis))


def goes_on(analysis: Analysis) -> bool:
    """Whether it is being computed."""
    return _run.goes_on(key_of(analysis))


def busy() -> bool:
    """Whether anything is being computed."""
    return _run.busy


def stop() -> None:
    """Stop what is being computed, keeping what there is of it."""
    _run.stop()
