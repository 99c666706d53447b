"""What has been captured: kept at hand, computed by the model where it is not, followed, stopped.

What an analysis names never changes, so that all visitors share what is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from tokenscope_core import ModelChoice, RecordError, TokenScopeError
from tokenscope_core.jobs.analysis_jobs import AnalysisTicket, AnalysisView
from tokenscope_core.jobs.analysis_tasks import Analysis, key_of
from tokenscope_ui.server.lru_cache import Remembered, bytes_of
from tokenscope_ui.server.server import service, subscriber

_STATE = "attention_captures"
# All heads of a layer at 1,024 tokens are some 25 MB.
_MOST_BYTES = 400 * 10**6


@st.cache_resource(show_spinner=False)
def _at_hand() -> Remembered[Any]:
    return Remembered(_MOST_BYTES)


@dataclass
class _State:
    """What this session has computed, and what was the matter with the last one.

    `name` says what the rest is about; `part` is what there was of it when a person stopped it.
    """

    name: str = ""
    ticket: AnalysisTicket | None = None
    problem: TokenScopeError | None = None
    stopped: bool = False
    part: Any = None


def _state() -> _State:
    return cast(_State, st.session_state.setdefault(_STATE, _State()))


def is_stored(analysis: Analysis) -> bool:
    """Whether the store has what it comes to, so that no model is needed."""
    try:
        return service().store.get_capture(key_of(analysis)) is not None
    except RecordError:
        return False


def result(analysis: Analysis) -> Any:
    """What it came to, or the part there was when it was stopped; None where nothing is at hand."""
    state, name = _state(), key_of(analysis)
    found = _at_hand().get(name)
    return state.part if found is None and state.name == name else found


def problem(analysis: Analysis) -> TokenScopeError | None:
    """Why it could not be computed."""
    state = _state()
    return state.problem if state.name == key_of(analysis) else None


def stopped(analysis: Analysis) -> bool:
    """Whether a person stopped it, and no other went on with it."""
    state, name = _state(), key_of(analysis)
    return state.stopped and state.name == name and _at_hand().get(name) is None


def start(model: ModelChoice, analysis: Analysis) -> None:
    """Have it computed, in the place of what is being computed now."""
    stop()
    state = st.session_state[_STATE] = _State(key_of(analysis))
    try:
        state.ticket = service().analyse(model, analysis, subscriber())
    except TokenScopeError as error:
        state.problem = error


def follow(analysis: Analysis) -> AnalysisView | None:
    """Look at what is being computed, which is this analysis where a view comes back; takes over
    its result once it has ended."""
    state = _state()
    if state.ticket is None:
        return None
    state.ticket.touch()
    view = state.ticket.view()
    if not view.ended:
        return view if state.name == key_of(analysis) else None
    state.ticket, state.problem = None, view.error
    if view.phase == "done":
        _at_hand().put(state.name, view.result, bytes_of(view.result))
    else:
        state.part = view.result
    return None


def busy() -> bool:
    """Whether something is being computed."""
    return _state().ticket is not None


def stop() -> None:
    """Stop what is being computed, keeping what there is of it."""
    state = _state()
    if state.ticket is not None:
        state.part = state.ticket.stop().result
        state.ticket, state.stopped = None, True
