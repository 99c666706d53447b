"""The traces of a session: from the store, or computed again from their recipes."""

from __future__ import annotations

from collections.abc import Iterable

from tokenscope_core.branches.growing import branch_rows
from tokenscope_core.branches.plans import BranchPlan
from tokenscope_core.decoding.recording import recorded_rows
from tokenscope_core.decoding.request_run import rows
from tokenscope_core.errors import RecordError, RequestError
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.steps import Rows, as_measured
from tokenscope_core.record.trace import Trace
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import Session
from tokenscope_core.store.store import Store


def trace_of(session: Session, key: str, store: Store, lm: LanguageModel | None = None) -> Trace:
    """The trace of a branch.

    Where the store lacks it, or holds it damaged, it is run again and kept, and so are those that
    it grew on, from the last one that is there.

    Args:
        session: the tree.
        key: of the branch.
        store: where traces are kept.
        lm: the model of the session; without it only what is stored can be had.

    Raises:
        RequestError: there is no such branch, or the model is not given or another.
        RecordError: a run that was stopped does not come out as it was.
        ContextLengthError: the model's context is shorter than it was.
    """
    missing: list[Branch] = []
    trace: Trace | None = None
    for ancestor in reversed(session.path_to(key)):
        trace = _stored(store, ancestor)
        if trace is not None:
            break
        missing.append(session.branch(ancestor))
    for branch in reversed(missing):
        trace = _run_again(_required(lm, session, branch), branch, trace)
        store.put(trace)
    assert trace is not None, "a path has at least one branch"
    return trace


def _stored(store: Store, key: str) -> Trace | None:
    try:
        return store.get(key)
    except RecordError:
        return None  # computed again, and replaced


def _required(lm: LanguageModel | None, session: Session, branch: Branch) -> LanguageModel:
    if lm is None or lm.identity.fingerprint != session.model.fingerprint:
        other = f"“{lm.identity.name}” is another, or another version of it" if lm else "none is"
        raise RequestError(
            asked=f"“{branch.name}” was to be computed again by “{session.model.name}”.",
            found=f"Its trace is no longer stored, and of models {other} loaded.",
            action=f"Load “{session.model.name}” as it was. Stored branches open without it.",
        )
    return lm


def _run_again(lm: LanguageModel, branch: Branch, parent: Trace | None) -> Trace:
    prompt_length = None
    if parent is None or branch.edit is None:
        origin, running = None, rows(lm, branch.request)
    else:
        chosen = BranchPlan(parent, branch.edit, branch.request)
        origin, running = (parent.key, branch.edit), branch_rows(lm, chosen)
        prompt_length = chosen.prompt_length
    parts = _up_to(running, branch.stopped_after)
    running.close()

    trace = Trace.from_rows(
        branch.request,
        lm.identity,
        lm.vocabulary,
        parts,
        parts[-1].finish_reason or "length",
        branch=origin,
        prompt_length=prompt_length,
    )
    if branch.stopped_after is not None:
        trace = cut_short(trace, branch.stopped_after)
    if trace.key != branch.key:
        raise RecordError(
            asked=f"“{branch.name}”, which was stopped, was to be computed again.",
            found="On this machine it comes out otherwise, as half precision may.",
            action="Run it anew.",
        )
    return trace


def _up_to(running: Iterable[Rows], tokens: int | None) -> list[Rows]:
    """The parts of a run that hold its first tokens; all without a number."""
    parts: list[Rows] = []
    for part in as_measured(running):
        parts.append(part)
        if tokens is not None and part.start + len(part) >= tokens:
            break
    return parts


def cut_short(trace: Trace, length: int) -> Trace:
    """The run as it would stand, had it been stopped after that many tokens."""
    end = min(length, len(trace))
    return Trace.from_rows(
        trace.request,
        trace.model,
        trace.vocabulary,
        recorded_rows(trace, end),
        "cancelled",
        branch=trace.branch,
        prompt_length=min(trace.prompt_length, end),
    )
