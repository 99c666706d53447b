"""Which two branches are compared and what is looked at: chosen, swapped, and found by a link.

The address holds `a` and `b`, the keys of the two, beside the name of their tree (`sessions`).
Until somebody chooses, the selected branch is compared with its parent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

import streamlit as st

from tokenscope_core import Comparison, Session, TokenScopeError, Trace
from tokenscope_ui import sessions

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
    the first that differs. `traces` are those read last, and `measured` the comparisons whose
    divergences were measured. `problem` says why an address could not be shown.
    """

    chosen: tuple[str, str] | None = None
    tree: str | None = None
    row: int | None = None
    untouched: bool = True
    traces: tuple[Trace, ...] = ()
    measured: tuple[Comparison, ...] = ()
    problem: TokenScopeError | None = None


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
    _set(replace(current(), chosen=chosen, tree=_tree(), row=None, untouched=True, problem=None))


def select(row: int | None) -> None:
    """Look at a row of the comparison more closely, or at none."""
    _set(replace(current(), row=row, untouched=False))


def selected(comparison: Comparison) -> int | None:
    """The row that is looked at: until somebody selects, the first that differs."""
    state = current()
    row = comparison.shared_prefix if state.untouched else state.row
    return row if row is not None and 0 <= row < len(comparison) else None


def trace(key: str) -> Trace | None:
    """The trace of a branch; None where the store no longer holds it."""
    state = current()
    for known in state.traces:
        if known.key == key:
            return known
    found = sessions.stored(key)
    if found is not None:
        _set(replace(state, traces=(found, *state.traces)[:_REMEMBERED]))
    return found


def measured(a: Trace, b: Trace) -> Comparison | None:
    """The comparison of two traces with what was measured; None where nothing was."""
    return next((c for c in current().measured if (c.a.key, c.b.key) == (a.key, b.key)), None)


def remember(comparison: Comparison) -> None:
    """Keep what was measured."""
    state = current()
    _set(replace(state, measured=(comparison, *state.measured)[:_REMEMBERED]))


def restore() -> None:
    """Take up the tree and the two branches that the address names, where a person changed it."""
    try:
        sessions.restore()
    except TokenScopeError as error:
        _set(replace(current(), problem=error))
    addresses = tuple(st.query_params.get(side) for side in SIDES)
    session = sessions.current()
    if session is None or not any(addresses) or addresses == st.session_state.get(_SEEN):
        return
    st.session_state[_SEEN] = addresses
    a, b = (given or default for given, default in zip(addresses, keys(session), strict=True))
    _choose((a, b))


def publish() -> None:
    """Make the address name the tree and the two branches."""
    sessions.publish()
    session = sessions.current()
    addresses = (None, None) if session is None else keys(session)
    st.session_state[_SEEN] = addresses
    for side, address in zip(SIDES, addresses, strict=True):
        if address is None:
            st.query_params.pop(side, None)
        elif st.query_params.get(side) != address:
            st.query_params[side] = address


def _tree() -> str | None:
    held = sessions.state()
    return None if held is None else held.name
