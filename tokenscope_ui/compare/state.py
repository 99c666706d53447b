"""Which two branches are compared and what is looked at: chosen, swapped, and found by a link.

The address holds `a` and `b`, the keys of the two, beside the name of their tree (`sessions`).
Until somebody chooses, the selected branch is compared with its parent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

import streamlit as st

from tokenscope_core import Comparison, Session, TokenScopeError, Trace
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.analysis_tasks import BranchComparison
from tokenscope_core.models.files.sources import identified
from tokenscope_ui.compare.words import measured_rows
from tokenscope_ui.components.address import AddressError
from tokenscope_ui.runs import sessions
from tokenscope_ui.runs.following import Following
from tokenscope_ui.server.server import service

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
_STATE = "compare"
_SEEN = "compare_address_seen"
_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class CompareState:
    """What this session compares.

    `chosen` are the keys of A and B, None until somebody chose; `tree` names the tree they were
    chosen in. `row` is the selected row of the comparison, None for none; while `untouched` it is
    the first that differs. `measured` are the comparisons whose divergences were measured last.
    `problem` says why an address could not be shown, and what tree was in hand instead.
    """

    chosen: tuple[str, str] | None = None
    tree: str | None = None
    row: int | None = None
    untouched: bool = True
    measured: tuple[Comparison, ...] = ()
    problem: tuple[TokenScopeError, str | None] | None = None


def current() -> CompareState:
    """The state of this session."""
    return cast(CompareState, st.session_state.get(_STATE) or CompareState())


def _set(state: CompareState) -> None:
    st.session_state[_STATE] = state


def keys(session: Session) -> tuple[str, str]:
    """The keys of A and B; they may name branches that the tree does not hold."""
    state = current()
    if state.chosen is not None and state.tree == _tree():
        return state.chosen
    return by_default(session)


def by_default(session: Session) -> tuple[str, str]:
    """The selected branch as B and its parent as A; of a root, what grew on it last as B."""
    selected = session.branch(session.current)
    if selected.parent is not None:
        return selected.parent, selected.key
    children = session.children(selected.key)
    return selected.key, children[-1] if children else selected.key


def choose(side: Side, key: str) -> None:
    """Compare another branch on one side."""
    session = sessions.current()
    if session is not None:
        a, b = keys(session)
        _choose((key, b) if side == "a" else (a, key))


def swap() -> None:
    """Let A and B change places."""
    session = sessions.current()
    if session is not None:
        a, b = keys(session)
        _choose((b, a))


def _choose(chosen: tuple[str, str]) -> None:
    _run.clear()
    held = replace(current(), chosen=chosen, tree=_tree(), row=None, untouched=True)
    _set(replace(held, problem=None))


def select(row: int | None) -> None:
    """Look at a row of the comparison more closely, or at none."""
    _set(replace(current(), row=row, untouched=False, problem=None))


def selected(comparison: Comparison) -> int | None:
    """The row that is looked at: until somebody selects, the first that differs."""
    state = current()
    row = comparison.shared_prefix if state.untouched else state.row
    return row if row is not None and 0 <= row < len(comparison) else None


def measured(a: Trace, b: Trace) -> Comparison | None:
    """The comparison of two traces with what was measured, if before a reload; None where nothing
    was."""
    state = current()
    found = next((c for c in state.measured if (c.a.key, c.b.key) == (a.key, b.key)), None)
    if found is None and not _run.busy:
        found = service().stored_result(BranchComparison(a, b))
        if found is not None:
            _set(replace(state, measured=(found, *state.measured)[:_REMEMBERED]))
    return found


def measure(comparison: Comparison) -> None:
    """Have the model read both texts again; a problem becomes part of the state."""
    identity = comparison.a.model
    analysis = BranchComparison(comparison.a, comparison.b)
    model = identified(identity)
    if model is not None:
        _run.start(_pair(comparison), model, analysis)
        return
    problem = TokenScopeError(
        asked=f"Both texts were to be read again by “{identity.name}”.",
        found="That model is not on this machine.",
        action="Add its folder to TOKENSCOPE_MODELS; all else here works without it.",
    )
    _run.refuse(_pair(comparison), problem)


def stop() -> None:
    """Stop what is being measured, keeping the part there is."""
    _run.stop()


def follow(comparison: Comparison) -> AnalysisView | None:
    """Look at what is being measured of two branches; takes over its result once it has ended."""
    return _run.follow(_pair(comparison))


def goes_on(comparison: Comparison) -> bool:
    """Whether two branches are being measured."""
    return _run.goes_on(_pair(comparison))


def failed(comparison: Comparison) -> TokenScopeError | None:
    """Why two branches were not measured."""
    return _run.problem(_pair(comparison))


def _take(_: tuple[str, str], view: AnalysisView) -> None:
    state = current()
    _set(replace(state, measured=_with(state.measured, view.result)))


_run = Following("compare measuring", _take)


def _pair(comparison: Comparison) -> tuple[str, str]:
    return comparison.a.key, comparison.b.key


def _with(measured: tuple[Comparison, ...], found: object) -> tuple[Comparison, ...]:
    """The comparisons with one more, unless nothing was measured of it, or more of it before."""
    if not isinstance(found, Comparison):
        return measured
    before = next((c for c in measured if _pair(c) == _pair(found)), None)
    if measured_rows(found) <= (0 if before is None else measured_rows(before)):
        return measured
    return (found, *(c for c in measured if c is not before))[:_REMEMBERED]


def problem() -> TokenScopeError | None:
    """Why the address could not be shown; nothing once another tree is in hand."""
    found = current().problem
    return found[0] if found is not None and found[1] == _tree() else None


def restore() -> None:
    """Take up the tree and the two branches that the address names, where a person changed it."""
    try:
        sessions.restore()
    except TokenScopeError as error:
        _set(replace(current(), problem=(AddressError.of(error), _tree())))
    addresses = tuple(st.query_params.get(side) for side in SIDES)
    if not any(addresses) or addresses == st.session_state.get(_SEEN):
        return
    st.session_state[_SEEN] = addresses
    session = sessions.current()
    if session is None:
        if current().problem is None:
            _set(replace(current(), problem=(_of_no_tree(), _tree())))
        return
    a, b = (given or default for given, default in zip(addresses, keys(session), strict=True))
    _choose((a, b))


def _of_no_tree() -> AddressError:
    return AddressError(
        asked="The address names two branches to compare.",
        found="It does not name the session that holds them, or that session was never kept.",
        action="Ask for an address that names the session, or for its link from the page Share.",
    )


def publish() -> None:
    """Make the address name the tree and the two branches."""
    session = sessions.current()
    addresses = (None, None) if session is None else keys(session)
    st.session_state[_SEEN] = addresses
    sessions.publish(**dict(zip(SIDES, addresses, strict=True)))


def _tree() -> str | None:
    held = sessions.state()
    return None if held is None else held.name
