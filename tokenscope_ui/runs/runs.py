"""The run a browser session looks at: started, followed, stopped, and found again by its link.

The address holds `run`: the id of a run in progress or the key of a finished trace; and `token`,
the selected position. It is the one place that says what is shown, so reload, the back button and a
copied address all work. What a run
has made is handed to the tree of branches (`sessions`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from tokenscope_core import ModelChoice, RecordError, Request, TokenScopeError, Trace
from tokenscope_core.jobs.generation_jobs import JobView, Ticket
from tokenscope_core.jobs.generation_tasks import Prompted, Task
from tokenscope_core.models.files.sources import identified
from tokenscope_ui.components.address import AddressError, number
from tokenscope_ui.runs import sessions, uploads
from tokenscope_ui.runs.following import look
from tokenscope_ui.server.server import service, subscriber

STOP_HELP = "Stops now and keeps what has been decoded."
RUN_PARAMETER, TOKEN_PARAMETER = "run", "token"
_STATE = "run_state"
_SEEN = "run_address_seen"
_GROWING = "run_growing"
# Tokens up to which a run in progress is shown as it is at every look.
_LONG = 4096
# The model and request that the form is yet to say: of a run shown otherwise than by pressing it.
_FOR_FORM = "run_for_form"
# The tree that each run of this browser session went into, by the id of the run.
_TREES = "run_trees"


@dataclass(frozen=True, slots=True)
class RunState:
    """What this session shows. `trace` stays while a new run fails: nothing on screen is lost.

    `address` is the `run` parameter this state belongs to; `selected` a position in the trace.
    """

    address: str | None = None
    ticket: Ticket | None = None
    trace: Trace | None = None
    outcome: JobView | None = None
    problem: TokenScopeError | None = None
    selected: int | None = None

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.ticket is not None


def current() -> RunState:
    """The state of this session."""
    return cast(RunState, st.session_state.get(_STATE) or RunState())


def _set(state: RunState) -> None:
    st.session_state[_STATE] = state


def in_progress() -> dict[str, str]:
    """What the address calls the run in progress, by parameter."""
    state = current()
    return {RUN_PARAMETER: state.address} if state.busy and state.address else {}


def publish() -> None:
    """Make the address name what is shown; for the page that shows it."""
    state = current()
    st.session_state[_SEEN] = state.address
    token = None if state.selected is None else str(state.selected)
    sessions.publish(**{RUN_PARAMETER: state.address, TOKEN_PARAMETER: token})


def start(model: str | ModelChoice, request: Request | Task) -> None:
    """Submit a run, replacing one in progress; problems become part of the state."""
    state = current()
    try:
        ticket = service().submit(model, request, subscriber())
    except TokenScopeError as error:
        _set(replace(state, problem=error))
        return
    # The same once more, as by a double click, goes on.
    if state.ticket is not None and state.ticket.job_id != ticket.job_id:
        state.ticket.stop()
    # In a branch the place where it was edited stays in view, as in a longer trace all of it.
    anew = isinstance(request, Request | Prompted)
    selected = None if anew else state.selected
    _set(replace(state, address=ticket.job_id, ticket=ticket, problem=None, selected=selected))
    follow()


def model_of(trace: Trace) -> ModelChoice:
    """The model that a trace came from, as this session can name it."""
    outcome = current().outcome
    if outcome is not None and any(made.model == trace.model for made in outcome.traces):
        return outcome.model
    return identified(trace.model) or ModelChoice(trace.model.name)


def open_branch(key: str) -> None:
    """Show a branch of the tree in hand; one that is not stored is a problem to be shown."""
    session = sessions.current()
    if session is None or key not in session:
        return
    trace = sessions.stored(key)
    if trace is None:
        _set(replace(current(), problem=_evicted(session.branch(key).name)))
        return
    sessions.change(session.select(key))
    show_trace(trace)


def show_trace(trace: Trace) -> None:
    """Show a finished trace; the selection stays where it still can be."""
    state = current()
    selected = state.selected
    if selected is not None and selected >= len(trace):
        selected = None
    if state.ticket is not None:
        state.ticket.stop()
    _set(RunState(address=trace.key, trace=trace, selected=selected))


def stop() -> None:
    """Stop the run in progress, keeping what was decoded."""
    state = current()
    if state.ticket is not None:
        state.ticket.stop()
        follow()


def leave() -> None:
    """Show nothing any more, before another session is taken in hand."""
    stop()
    _set(RunState())


def refuse(problem: TokenScopeError) -> None:
    """Show why a request was not run."""
    _set(replace(current(), problem=problem))


def select(position: int | None) -> None:
    """Select a token of the shown trace; positions outside it are ignored."""
    state = current()
    trace = shown_trace(state)
    inside = position is None or (trace is not None and 0 <= position < len(trace))
    if inside:
        _set(replace(state, selected=position))


def shown_trace(state: RunState) -> Trace | None:
    """The trace on screen: of the run in progress once it has tokens, else the last finished."""
    return (_growing(state.ticket) if state.ticket is not None else None) or state.trace


def _growing(ticket: Ticket) -> Trace | None:
    """What a run in progress has come to. Of a long text as it was a moment ago: to put it together
    at every look would take more time than reading it does."""
    view = ticket.view()
    job_id, last = st.session_state.get(_GROWING, ("", None))
    if last is not None and job_id == ticket.job_id and len(last) > _LONG:
        more = view.prompt_tokens + view.new_tokens - len(last)
        if not view.ended and more < _LONG // 2:
            return cast(Trace, last)
    trace = ticket.trace_so_far()
    st.session_state[_GROWING] = (ticket.job_id, trace)
    return trace


def run_name(state: RunState) -> str:
    """Names what is shown: the same while a run grows and once it has ended."""
    if state.ticket is not None:
        return state.ticket.job_id
    return state.outcome.job_id if state.outcome is not None else state.address or ""


def follow() -> JobView | None:
    """Look at the run in progress; takes over its result once it has ended."""
    state = current()
    if state.ticket is None:
        return None
    view: JobView = look(state.ticket)
    if not view.ended:
        return view
    trace = view.trace or state.trace
    problem = view.error
    try:
        if view.extends and view.parent is not None and view.trace is not None:
            sessions.lengthen(view.parent, view.trace)
        else:
            sessions.take(view.traces, view.parent)
    except TokenScopeError as error:
        problem = problem or error
    _trees()[state.ticket.job_id] = sessions.name_in_hand()
    _set(
        replace(
            state,
            address=trace.key if trace is not None else None,
            ticket=None,
            trace=trace,
            outcome=view,
            problem=problem,
        )
    )
    return view


def restore() -> None:
    """Show what the address names, where a person has changed it: a link, a reload, going back.

    On a page that shows one branch and where nothing is shown yet, the branch in hand.
    """
    if current().busy and _SEEN in st.session_state:
        # Going back would let go of the run in progress: it stays, and so does its address.
        return
    if _has_just_ended(st.query_params.get(RUN_PARAMETER)):
        return
    problem, session = None, None
    try:
        session = sessions.restore()
    except TokenScopeError as error:
        problem = AddressError.of(error)
        _set(replace(current(), problem=problem))
    address = st.query_params.get(RUN_PARAMETER)
    if address is None and session is not None:
        address = session.current
    if address is not None and address != st.session_state.get(_SEEN):
        st.session_state[_SEEN] = address
        _show_addressed(address, problem)
    elif problem is None and current() == RunState() and (held := sessions.current()) is not None:
        # A link to a page that shows no single branch has brought its tree alone.
        open_branch(held.current)
        tell_form()


def _show_addressed(address: str, problem: TokenScopeError | None) -> None:
    state = current()
    ticket = service().attach(address, subscriber())
    if ticket is not None:
        # Going back to a run that has ended since is no reason for another tree.
        sessions.open_again(_trees().get(address))
        view = ticket.view()
        shown = view.parent or state.trace
        _set(
            replace(state, address=address, ticket=ticket, trace=shown, problem=None, selected=None)
        )
        follow()
        first = view.request if view.parent is None else _first_request(view.parent)
        st.session_state[_FOR_FORM] = (view.model, first)
        return
    try:
        trace = service().store.get(address) or uploads.get(address)
    except RecordError as error:
        _set(replace(state, address=address, problem=AddressError.of(error)))
        return
    if trace is None:
        _set(replace(state, address=address, problem=_unknown(address)))
        return
    tree = sessions.current()
    if tree is not None and address in tree:
        sessions.change(tree.select(address))
    _set(RunState(address=address, trace=trace, problem=problem))
    select(number(st.query_params.get(TOKEN_PARAMETER)))
    tell_form()


def tell_form() -> None:
    """Have the form say how the run on screen began; for who opened it by other means."""
    trace = current().trace
    if trace is not None:
        model = identified(trace.model) or ModelChoice(trace.model.name)
        st.session_state[_FOR_FORM] = (model, _first_request(trace))


def take_for_form() -> tuple[ModelChoice, Request] | None:
    """The model and request that the form is yet to be filled with; told once."""
    return cast("tuple[ModelChoice, Request] | None", st.session_state.pop(_FOR_FORM, None))


def _trees() -> dict[str, str | None]:
    return cast("dict[str, str | None]", st.session_state.setdefault(_TREES, {}))


def _has_just_ended(address: str | None) -> bool:
    """Whether an address names the run shown as it was called in progress: what a person did before
    the browser was told its new address. To restore it would undo what they typed meanwhile."""
    outcome = current().outcome
    return outcome is not None and outcome.job_id == address


def _first_request(trace: Trace) -> Request:
    """How the run began that a branch grew on: what the controls say."""
    tree = sessions.current()
    if trace.branch is None:
        return trace.request
    if tree is None or trace.key not in tree:
        tree = sessions.ancestry(trace)
    return trace.request if tree is None else tree.root.request


def _evicted(name: str) -> TokenScopeError:
    return TokenScopeError(
        asked=f"The branch “{name}” was to be shown.",
        found="Its trace is no longer in the store, which makes room for new ones.",
        action="Press “Compute it again” beside it.",
    )


def _unknown(address: str) -> AddressError:
    return AddressError.unknown_run(
        address,
        "Where it is a branch of a session, the page Branches can compute it again; else generate "
        "it again from its prompt.",
    )
