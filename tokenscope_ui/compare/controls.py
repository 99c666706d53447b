"""Which two branches of the tree are compared."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Session
from tokenscope_ui.compare import state
from tokenscope_ui.compare.state import SIDES, Side


def draw_branch_choice(session: Session) -> None:
    """Draw both choices and the button that lets them change places."""
    chosen = state.keys(session)
    depth = {key: len(session.path_to(key)) - 1 for key in session.walk()}
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare choice"):
        for side, key in zip(SIDES, chosen, strict=True):
            st.session_state[_key(side)] = key if key in session else None
            st.selectbox(
                f"Branch {side.upper()}", list(depth), key=_key(side),
                format_func=lambda key: f"{'– ' * depth[key]}{session.branch(key).name}",
                on_change=_take, args=(side,), placeholder="Choose a branch",
            )  # fmt: skip
        st.button(
            "Swap", icon=":material/swap_horiz:", on_click=state.swap,
            help="Let A and B change places; differences are B − A.",
        )  # fmt: skip


def _key(side: Side) -> str:
    return f"compare_{side}"


def _take(side: Side) -> None:
    key = st.session_state[_key(side)]
    if key is not None:
        state.choose(side, key)
