"""One text scored by two models: both runs started, followed, stopped, and found by their link.

The address holds `a` and `b`: of each side the id of its run while it goes on, then the key of its
trace; and `span` or `line`, what is looked at more closely. So reload, the back button and a copied
address find both again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

import streamlit as st

from tokenscope_core import ModelChoice, RecordError, Request, TokenScopeError, Trace
from tokenscope_core.jobs.generation_jobs import JobView, Ticket
from tokenscope_core.jobs.generation_tasks import Prompted
from tokenscope_core.sharing.links import ReadingCost, SharedReadings
from tokenscope_core.sharing.readings import ReadingModel
from tokenscope_ui.components import address
from tokenscope_ui.components.address import AddressError
from tokenscope_ui.runs.following import look
from tokenscope_ui.server.server import service, subscriber

Kind = Literal["span", "line"]
SIDES = ("a", "b")
_KINDS: tuple[Kind, ...] = ("span", "line")
_STATE = "two_models"
# The page Decode may run the same.
_PURPOSE = "two models"
_SCORE_AGAIN = "Score the text again with both models."
_SEEN = "two_models_address_seen"
_OPENED = "two_models_opened"


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

    kind: Kind
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


def _started(model: str | ModelChoice, request: Request) -> Side:
    name = ModelChoice.of(model).name
    try:
        ticket = service().submit(model, Prompted(request), subscriber(), purpose=_PURPOSE)
    except TokenScopeError as error:
        return Side(name, problem=error)
    return Side(name, ticket.job_id, ticket)


def stop() -> None:
    """Stop what is in progress, keeping what was read."""
    for side in current().sides:
        if side.ticket is not None:
            side.ticket.stop()
    follow()


def refuse(problem: TokenScopeError) -> None:
    """Show why a request was not run; what is on screen stays."""
    _set(replace(current(), refused=problem))


def open_shared(shared: SharedReadings, found: tuple[ReadingCost, ReadingCost]) -> None:
    """Show what somebody shared; what is not stored is read by the very model, where it is here."""
    stop()
    a, b = (
        _shared(key, reader, cost, shared.request)
        for key, reader, cost in zip(shared.keys, shared.readers, found, strict=True)
    )
    _set(TwoModels(a, b, lines=current().lines + 1))
    st.session_state[_OPENED] = True
    follow()


def _shared(key: str, reader: ReadingModel, cost: ReadingCost, request: Request) -> Side:
    if cost.held:
        return _found(key)
    if cost.availability == "here" and cost.model is not None:
        return _started(cost.model, request)
    return Side(reader.model.name, problem=_not_here(reader.model.name))


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
    view: JobView = look(side.ticket)
    if not view.ended:
        return side, view
    address = view.trace.key if view.trace is not None else None
    return Side(side.model, address, None, view.trace, view.error), None


def in_progress() -> dict[str, str]:
    """What the address calls the runs in progress, by parameter."""
    sides = zip(SIDES, current().sides, strict=True)
    return {name: side.address for name, side in sides if side.ticket and side.address}


def publish() -> None:
    """Make the address name what is shown; for the page that shows it."""
    state = current()
    addresses = tuple(side.address for side in state.sides)
    st.session_state[_SEEN] = addresses
    # In one step, which going back undoes.
    address.publish(**dict(zip(SIDES, addresses, strict=True)), **_spelled(state.selected))


def parameters() -> dict[str, str]:
    """The query parameters that name both sides, as far as there is something of them."""
    sides = zip(SIDES, current().sides, strict=True)
    return {name: side.address for name, side in sides if side.address}


def _spelled(selected: Selection | None) -> dict[str, str | None]:
    chosen = {} if selected is None else {selected.kind: str(selected.number)}
    return {kind: chosen.get(kind) for kind in _KINDS}


def restore() -> TwoModels | None:
    """Show what the address names, where a person has changed it, or what somebody has shared; None
    where it is as before."""
    addresses = tuple(st.query_params.get(name) for name in SIDES)
    if st.session_state.pop(_OPENED, False):
        _set(replace(current(), selected=_named()))
        return current()
    if not any(addresses) or addresses == st.session_state.get(_SEEN):
        return None
    if current().busy and _SEEN in st.session_state:
        # Going back would let go of the runs in progress: they stay, and so does their address.
        return None
    st.session_state[_SEEN] = addresses
    a, b = map(_found, addresses)
    _set(TwoModels(a, b, selected=_named(), lines=current().lines + 1))
    follow()
    return current()


def _named() -> Selection | None:
    """What the address says is looked at; it may name what the comparison does not have."""
    for kind in _KINDS:
        number = address.number(st.query_params.get(kind))
        if number is not None:
            return Selection(kind, number)
    return None


def _found(named: str | None) -> Side:
    if named is None:
        return Side()
    ticket = service().attach(named, subscriber(), purpose=_PURPOSE)
    if ticket is not None:
        return Side(ticket.view().model.name, named, ticket)
    try:
        trace = service().store.get(named)
    except RecordError as error:
        return Side(address=named, problem=AddressError.of(error))
    if trace is None:
        return Side(address=named, problem=AddressError.unknown_run(named, _SCORE_AGAIN))
    return Side(trace.model.name, named, trace=trace)


def _not_here(name: str) -> TokenScopeError:
    return TokenScopeError(
        asked=f"What the model “{name}” made of a shared text was to be shown.",
        found="Its trace is not stored here, and neither is exactly that model.",
        action="Make the model available, or open the link on the server where it was made.",
    )
