"""Opening what somebody passed on: a link in the address, or a file. First looked at, then opened.

Nothing is computed before a person says so. Opening makes a copy of one's own; the session in hand
until then stays among the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import streamlit as st

from tokenscope_core import Session, Shared, TokenScopeError, Trace
from tokenscope_core.sessions.uploads import is_from_file, set_apart
from tokenscope_core.sharing import anew as share_anew
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing.cost import Cost
from tokenscope_core.sharing.links import ReadingCost, SharedReadings
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.branches import recompute as branch_recompute
from tokenscope_ui.branches.traces import stored
from tokenscope_ui.pages import BRANCHES, MODELS
from tokenscope_ui.request import model_download
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.server.server import service
from tokenscope_ui.share import links, on_screen
from tokenscope_ui.share.on_screen import SHARE_PARAMETER, Destination
from tokenscope_ui.two_models import state as two_models

_STATE = "opening"
_OPENED = "opened_shares"
_DESTINATION = "opening_destination"
_ANEW = (
    "Computed anew by the model that is here: its figures may differ from those that were shared, "
    "and runs that were stopped go on to their end."
)


@dataclass(frozen=True, slots=True)
class Opening:
    """Something shared that is looked at.

    It is a session (`shared`), or what two models made of one text (`readings`). `text` is what the
    address shares, None for a file; `figures` are the traces that came with a
    file, and `notes` what is to be said of it. `wanted` are the branches still to be computed once
    it is opened (`started`). `problem` says why it cannot be opened at all.
    """

    text: str | None
    shared: Shared | None = None
    figures: Mapping[str, Trace] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: TokenScopeError | None = None
    readings: SharedReadings | None = None
    started: bool = False
    wanted: tuple[str, ...] = ()


def current() -> Opening | None:
    """What is being opened."""
    return cast("Opening | None", st.session_state.get(_STATE))


def take_up() -> Opening | None:
    """What the address shares, or what is being computed since; None for an ordinary address.

    A link whose traces are all here is opened at once, the first time.
    """
    text, held = st.query_params.get(SHARE_PARAMETER), current()
    if text is None:
        if held is not None and held.text is not None and not held.started:
            close()
        return held if (held := current()) is not None and held.started else None
    if held is None or held.text != text:
        _stop()
        held = _read(text)
        _set(held)
        if text not in _opened() and _is_all_here(held):
            open_here()
    return current()


def _is_all_here(held: Opening) -> bool:
    try:
        if held.readings is not None:
            return all(one.held for one in readings_cost(held.readings))
        return held.shared is not None and not cost(held.shared).missing
    except TokenScopeError:
        return False  # said where what opening it takes is said


def _read(text: str) -> Opening:
    try:
        found = links.read(text)
    except TokenScopeError as problem:
        return Opening(text, problem=problem)
    if isinstance(found, SharedReadings):
        return Opening(text, readings=found)
    return Opening(text, found)


def take_file(shared: Shared, figures: Mapping[str, Trace], notes: tuple[str, ...]) -> None:
    """Look at a session that came as a file."""
    _stop()
    _set(Opening(None, shared, figures, notes))


def cost(shared: Shared) -> Cost:
    """What it takes to open it here.

    Raises:
        RecordError: the store cannot be used.
    """
    return share.cost(shared, service().store)


def readings_cost(shared: SharedReadings) -> tuple[ReadingCost, ReadingCost]:
    """What it takes to open a comparison of two models here.

    Raises:
        RecordError: the store cannot be used.
    """
    return share.readings_cost(shared, service().store)


def computable(shared: Shared, found: Cost) -> bool:
    """Whether what is missing can be computed on this server."""
    return found.computable and not is_from_file(shared.session.model)


def open_here(*, compute: bool = True) -> None:
    """Make a copy of one's own, and compute what is missing of it, or leave that out."""
    held = current()
    if held is not None and held.readings is not None:
        _open_readings(held, held.readings)
    # The second half of a double click finds it opened.
    if held is None or held.shared is None or held.started:
        return
    session = held.shared.session
    try:
        missing = cost(held.shared).missing
    except TokenScopeError as problem:
        _set(replace(held, problem=problem))
        return
    on_the_way = [key for key in session.path_to(session.current) if key in missing]
    order = tuple(dict.fromkeys((*on_the_way, *missing)))
    _begin(session)
    if compute and order:
        _set(replace(held, started=True, wanted=order))
        # A reload meanwhile finds the copy, and what of it is there.
        st.query_params.pop(SHARE_PARAMETER, None)
        sessions.publish()
        branch_recompute.begin(order[0], show=False)
        follow()
    else:
        _arrive(held, session)


def _open_readings(held: Opening, shared: SharedReadings) -> None:
    """Show the comparison of two models; what is missing is read where the very model is here."""
    try:
        found = readings_cost(shared)
    except TokenScopeError as problem:
        _set(replace(held, problem=problem))
        return
    two_models.open_shared(shared, found)
    st.session_state[_OPENED] = {*_opened(), str(held.text)}
    _set(None)
    st.session_state[_DESTINATION] = Destination(
        MODELS, {**on_screen.parameters(shared.view), **two_models.parameters()}
    )


def compute_anew() -> None:
    """Take what was shared as recipes for the model that is here, which is not known to be the one
    it was made with. It is still to be opened."""
    held = current()
    if held is None or held.started:
        return
    try:
        if held.shared is not None and (model := cost(held.shared).model) is not None:
            shared = share_anew.session_anew(held.shared, model)
            _set(replace(held, shared=shared, figures={}, notes=(*held.notes, _ANEW)))
        elif held.readings is not None:
            a, b = (
                one.model if one.availability == "samples agree" and not one.held else None
                for one in readings_cost(held.readings)
            )
            _set(replace(held, readings=share_anew.readings_anew(held.readings, (a, b))))
    except TokenScopeError as problem:
        _set(replace(held, problem=problem))


def open_figures() -> None:
    """Take the figures of the file as they are, under keys of their own."""
    held = current()
    if held is None or held.shared is None:
        return
    session, traces = set_apart(held.shared.session, held.figures)
    try:
        for trace in traces.values():
            service().store.put(trace)
    except TokenScopeError as problem:
        _set(replace(held, problem=problem))
        return
    renamed = dict(
        zip(
            (branch.key for branch in held.shared.session.branches),
            (branch.key for branch in session.branches),
            strict=True,
        )
    )
    view = {
        name: renamed.get(value, value) if isinstance(value, str) else value
        for name, value in held.shared.view.items()
    }
    _begin(session)
    _arrive(replace(held, shared=Shared(session, view, held.shared.model)), session)


def follow() -> None:
    """Go on to the next branch once one has been computed; at the end show what was shared."""
    held = current()
    if held is None or held.shared is None or not held.started:
        return
    running = branch_recompute.current()
    if branch_recompute.busy() or (running is not None and running.problem is not None):
        return
    left = tuple(key for key in held.wanted if stored(key) is None)
    if left and left != held.wanted:
        _set(replace(held, wanted=left))
        branch_recompute.begin(left[0], show=False)
    elif not left or running is None:
        _arrive(held, held.shared.session)


def stop() -> None:
    """Compute no more; what is there is shown."""
    held = current()
    _stop()
    if held is not None and held.shared is not None:
        _arrive(held, held.shared.session)


def close() -> None:
    """Leave what was shared alone, and go on with what was in hand."""
    _stop()
    _set(None)
    st.query_params.pop(SHARE_PARAMETER, None)


def destination() -> Destination | None:
    """Where to go now that something was opened; told once."""
    return cast("Destination | None", st.session_state.pop(_DESTINATION, None))


def _begin(session: Session) -> None:
    runs.leave()
    sessions.begin(session.without_history())


def _arrive(held: Opening, session: Session) -> None:
    """Show what was shared, as it was on screen there."""
    if held.text is not None:
        st.session_state[_OPENED] = {*_opened(), held.text}
    _set(None)
    branch_actions.choose(session.current)
    runs.tell_form()
    assert held.shared is not None, "something is opened"
    there = on_screen.restore(held.shared.view)
    if stored(session.current) is None:
        # Its tree says what there is, and offers to compute the rest.
        there = Destination(BRANCHES, {})
    address = sessions.address()
    if runs.current().address is not None:
        address[runs.RUN_PARAMETER] = str(runs.current().address)
    st.session_state[_DESTINATION] = replace(there, parameters={**there.parameters, **address})
    runs.publish()


def _opened() -> set[str]:
    return cast("set[str]", st.session_state.get(_OPENED, set()))


def _stop() -> None:
    model_download.stop()
    held = current()
    if held is not None and held.started:
        branch_recompute.stop()


def _set(held: Opening | None) -> None:
    st.session_state[_STATE] = held
