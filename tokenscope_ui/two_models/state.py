"""One text scored by two models: both runs started, followed, stopped, and found by their link.

The address holds `a` and `b`: of each side the id of its run while it goes on, then the key of its
trace. So reload, the back button and a copied address find both again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

import streamlit as st

from tokenscope_core import RecordError, Request, TokenScopeError, Trace
from tokenscope_core.jobs import JobView, Ticket
from tokenscope_ui.server import service, subscriber

SIDES = ("a", "b")
_STATE = "two_models"
# The page Decode may run the same.
_PURPOSE = "two models"
_SEEN = "two_models_address_seen"


@dataclass(frozen=True, slots=True)
class Side:
    """One model's run: in progress (`ticket`), or ended with a trace, a problem or both.

    `model` is what was asked for, and what its trace names after a link; `address` its place in
    the page's address.
    """

    model: str = ""
    address: str | None = None
    ticket: Ticket | None = None
    trace: Trace | None = None
    problem: TokenScopeError | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is looked at more closely: a span of the comparison by index, or a line by number."""

    kind: Literal["span", "line"]
    number: int


@dataclass(frozen=True, slots=True)
class TwoModels:
    """What this session compares. `refused` says why the last request was not run at all.

    `lines` numbers the drawings of the table of lines: a cell that was clicked there stays chosen
    in the browser, so the table is drawn anew once something else is selected.
    """

    a: Side = Side()
    b: Side = Side()
    refused: TokenScopeError | None = None
    selected: Selection | None = None
    lines: int = 0

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both, in order."""
        return self.a, self.b

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return any(side.ticket is not None for side in self.sides)


def current() -> TwoModels:
    """The state of this session."""
    return cast(TwoModels, st.session_state.get(_STATE) or TwoModels())


def _set(state: TwoModels) -> None:
    st.session_state[_STATE] = state


def start(models: tuple[str, str], request: Request) -> None:
    """Submit the same request to two models; a problem of one leaves the other's run alone."""
    stop()
    a, b = (_started(model, request) for model in models)
    _set(TwoModels(a, b, lines=current().lines + 1))
    follow()


def _started(model: str, request: Request) -> Side:
    try:
        ticket = service().submit(model, request, subscriber(), purpose=_PURPOSE)
    except TokenScopeError as error:
        return Side(model, problem=error)
    return Side(model, ticket.job_id, ticket)


def stop() -> None:
    """Stop what is in progress, keeping what was read."""
    for side in current().sides:
        if side.ticket is not None:
            side.ticket.stop()
    follow()


def refuse(problem: TokenScopeError) -> None:
    """Show why a request was not run; what is on screen stays."""
    _set(replace(current(), refused=problem))


def select(selection: Selection | None, *, in_table: bool = False) -> None:
    """Look at a span or a line more closely, or at the whole again."""
    state = current()
    left_table = not in_table and state.selected is not None and state.selected.kind == "line"
    _set(replace(state, selected=selection, lines=state.lines + left_table))


def follow() -> tuple[JobView | None, JobView | None]:
    """Look at both runs; takes over what has ended. The views of those that go on."""
    state = current()
    (a, view_a), (b, view_b) = map(_followed, state.sides)
    if (a, b) != state.sides:
        _set(replace(state, a=a, b=b))
    return view_a, view_b


def _followed(side: Side) -> tuple[Side, JobView | None]:
    if side.ticket is None:
        return side, None
    side.ticket.touch()
    view = side.ticket.view()
    if not view.ended:
        return side, view
    address = view.trace.key if view.trace is not None else None
    return Side(side.model, address, None, view.trace, view.error), None


def publish() -> None:
    """Make the address name what is shown; for the page that shows it."""
    addresses = tuple(side.address for side in current().sides)
    st.session_state[_SEEN] = addresses
    for name, address in zip(SIDES, addresses, strict=True):
        if address is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != address:
            st.query_params[name] = address


def restore() -> TwoModels | None:
    """Show what the address names, where a person has changed it; None where it has not."""
    addresses = tuple(st.query_params.get(name) for name in SIDES)
    if not any(addresses) or addresses == st.session_state.get(_SEEN):
        return None
    st.session_state[_SEEN] = addresses
    a, b = map(_found, addresses)
    _set(TwoModels(a, b, lines=current().lines + 1))
    follow()
    return current()


def _found(address: str | None) -> Side:
    if address is None:
        return Side()
    ticket = service().attach(address, subscriber(), purpose=_PURPOSE)
    if ticket is not None:
        return Side(str(ticket.view().model), address, ticket)
    try:
        trace = service().store.get(address)
    except RecordError as error:
        return Side(address=address, problem=error)
    if trace is None:
        return Side(address=address, problem=_unknown(address))
    return Side(trace.model.name, address, trace=trace)


def _unknown(address: str) -> TokenScopeError:
    return TokenScopeError(
        asked=f"The address names the run “{address[:12]}”.",
        found="This server does not hold it: it was made elsewhere, or was evicted from the store.",
        action="Score the text again with both models.",
    )
