"""Which place of the code this browser session looks at on the page of syntax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import streamlit as st

from tokenscope_core import Trace

_STATE = "syntax"


@dataclass(frozen=True, slots=True)
class SyntaxState:
    """What is selected in the trace of that key: a byte of its text, and a token (a position).

    `node` are the bytes of the node of the syntax tree that was selected, from its first to the
    one after its last; None where a piece of the code was.
    `table` names the table it was selected in. A cell that was clicked stays chosen in the
    browser, so that table is drawn anew once something else is selected: `drawings` counts that.
    """

    trace: str | None = None
    byte: int | None = None
    token: int | None = None
    node: tuple[int, int] | None = None
    table: str | None = None
    drawings: Mapping[str, int] = field(default_factory=dict)


def current() -> SyntaxState:
    """The state of this session."""
    return cast(SyntaxState, st.session_state.get(_STATE) or SyntaxState())


def selected_byte(trace: Trace) -> int | None:
    """The byte selected in that trace."""
    state = current()
    inside = state.trace == trace.key and state.byte is not None
    return state.byte if inside else None


def selected_node(trace: Trace) -> tuple[int, int] | None:
    """The bytes of the node selected in that trace."""
    state = current()
    return state.node if state.trace == trace.key else None


def select(trace: Trace, byte: int | None, *, table: str | None = None) -> None:
    """Look at the piece around a byte, or at none."""
    _set(trace, byte, None, table)


def select_node(trace: Trace, start: int, end: int) -> None:
    """Look at a node of the syntax tree."""
    _set(trace, start, (start, end), None)


def _set(trace: Trace, byte: int | None, node: tuple[int, int] | None, table: str | None) -> None:
    state = current()
    drawings = dict(state.drawings)
    if state.table is not None and state.table != table:
        drawings[state.table] = drawings.get(state.table, 0) + 1
    st.session_state[_STATE] = SyntaxState(trace.key, byte, None, node, table, drawings)


def select_token(position: int) -> None:
    """Choose one of the tokens of the selected piece."""
    st.session_state[_STATE] = replace(current(), token=position)


def drawing(table: str) -> int:
    """How often a table has had to be drawn anew."""
    return current().drawings.get(table, 0)
