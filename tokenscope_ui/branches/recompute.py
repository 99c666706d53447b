"""Computing a branch again whose trace the store has lost, with all it grew on that is lost too.

One run after another, from the last trace on the way that is still there. A run that had been
stopped by hand is stopped and cut where it was, so that its key comes out the same. Nothing of
this touches what is shown or selected until the branch is there.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from tokenscope_core import ModelChoice, RecordError, Session, TokenScopeError, Trace
from tokenscope_core.branches.plans import BranchPlan
from tokenscope_core.jobs.generation_jobs import JobView, Ticket
from tokenscope_core.jobs.generation_tasks import Branched, Prompted, Task
from tokenscope_core.models.files.model_files import find
from tokenscope_core.models.files.sources import identified
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.branch import Branch
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.branches.traces import stored
from tokenscope_ui.runs import sessions
from tokenscope_ui.runs.following import look
from tokenscope_ui.server.server import service, subscriber

_STATE = "branch_recompute"


@dataclass(frozen=True, slots=True)
class Recompute:
    """A branch wanted again, by its key; the one of its ancestors, or itself, that is run now.

    `left` counts the runs still to come, this one included. `problem` says why it came to nothing,
    `show` whether the branch is turned to at the end.
    """

    key: str
    running: Branch | None = None
    ticket: Ticket | None = None
    left: int = 0
    problem: TokenScopeError | None = None
    show: bool = True


def current() -> Recompute | None:
    """What is being computed again, or could not be."""
    return cast("Recompute | None", st.session_state.get(_STATE))


def busy() -> bool:
    """Whether a run is in progress."""
    held = current()
    return held is not None and held.ticket is not None


def begin(key: str, *, show: bool = True) -> None:
    """Compute a branch of the tree in hand again, and turn to it unless told otherwise."""
    stop()
    _go_on(Recompute(key, show=show))


def stop() -> None:
    """Give up; what has been computed until now stays."""
    held = current()
    if held is not None and held.ticket is not None:
        held.ticket.stop()
    _set(None)


def follow() -> JobView | None:
    """Look at the run in progress; starts the next once it has ended. None when all is done."""
    held = current()
    if held is None or held.ticket is None or held.running is None:
        return None
    view: JobView = look(held.ticket)
    length = held.running.stopped_after
    if not view.ended and length is not None and _grown(held.ticket) >= length:
        held.ticket.stop()
        view = held.ticket.view()
    if not view.ended:
        return view
    _take(held, held.running, view)
    return view


def _grown(ticket: Ticket) -> int:
    trace = ticket.trace_so_far(measured=True)
    return 0 if trace is None else len(trace)


def _take(held: Recompute, branch: Branch, view: JobView) -> None:
    problem = view.error
    if problem is None and branch.stopped_after is not None and view.trace is not None:
        problem = _keep_cut(view.trace, branch.stopped_after)
    if problem is None and stored(branch.key) is None:
        problem = _comes_out_otherwise(branch)
    if problem is not None:
        _set(replace(held, ticket=None, problem=problem))
    else:
        _go_on(held)


def _keep_cut(trace: Trace, length: int) -> TokenScopeError | None:
    # Imports torch, which a run has done already.
    from tokenscope_core.sessions.traces import cut_short

    try:
        service().store.put(cut_short(trace, length))
    except TokenScopeError as problem:
        return problem
    return None


def _go_on(held: Recompute) -> None:
    """Run the next of what is missing; where nothing is, show the branch."""
    session = sessions.current()
    if session is None or held.key not in session:
        _set(None)
        return
    missing, parent = _missing(session, held.key)
    if not missing:
        _set(None)
        if held.show:
            branch_actions.choose(held.key)
        return
    try:
        model = _model_of(session.model, session.branch(held.key).name)
        task = _task(missing[0], parent)
        ticket = service().submit(model, task, subscriber(), purpose=_STATE)
    except TokenScopeError as problem:
        _set(replace(held, ticket=None, problem=problem))
        return
    _set(replace(held, running=missing[0], ticket=ticket, left=len(missing)))
    follow()


def _missing(session: Session, key: str) -> tuple[list[Branch], Trace | None]:
    """What must be run, in turn, and the trace that the first of it grows on."""
    missing: list[Branch] = []
    for ancestor in reversed(session.path_to(key)):
        trace = stored(ancestor)
        if trace is not None:
            return missing, trace
        missing.insert(0, session.branch(ancestor))
    return missing, None


def _task(branch: Branch, parent: Trace | None) -> Task:
    if branch.edit is None or parent is None:
        return Prompted(branch.request)
    return Branched((BranchPlan(parent, branch.edit, branch.request),))


def _model_of(identity: ModelIdentity, name: str) -> ModelChoice:
    """The choice that is exactly this model.

    Raises:
        TokenScopeError: this server does not have it, or another version.
    """
    choice = identified(identity)
    with contextlib.suppress(TokenScopeError):
        files = None if choice is None else find(choice.name)
        if choice and files and files.fingerprint_in(choice.dtype) == identity.fingerprint:
            return choice
    found = "It is not available here." if choice is None else "Here is another version of it."
    raise TokenScopeError(
        asked=f"“{name}” was to be computed again by the model “{identity.name}”.",
        found=found,
        action="Make that model available as it was. Branches that are stored open without it.",
    )


def _comes_out_otherwise(branch: Branch) -> TokenScopeError:
    return RecordError(
        asked=f"“{branch.name}” was to be computed again.",
        found="On this machine it comes out otherwise, or ended before its end.",
        action="Try again, or make the branch anew from the branch it grew on.",
    )


def _set(held: Recompute | None) -> None:
    st.session_state[_STATE] = held
