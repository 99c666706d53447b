"""Several tokens taken together: which, and their attention laid onto the text."""

from __future__ import annotations

from typing import cast

import numpy as np
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.tokens.selected import selected_attention
from tokenscope_core.display.formatting import count_text
from tokenscope_core.record.arrays import Floats
from tokenscope_ui.attention import controls, state
from tokenscope_ui.attention.crop import tokens_around
from tokenscope_ui.attention.matrix_in_view import Shown
from tokenscope_ui.attention.rows import EARLIER, FIRST, LATER, NOT_CAPTURED, TOO_FAR, Laid, row_of
from tokenscope_ui.attention.view_choice import AttentionLook, Together
from tokenscope_ui.syntax_view.pieces import Kind
from tokenscope_ui.trace.sampled_choices import token_code

TOGETHER: dict[Together, str] = {
    "token": "selected one",
    "line": "its line",
    "statement": "its statement",
    "function": "its function",
    "picked": "picked ones",
}
HELP = (
    "Several tokens together: of what they attend to the mean of their rows, of what attends to "
    "them the sum over them, row by row."
)
_NAMED = 6


def show_choice(look: AttentionLook) -> None:
    """Draw which tokens are looked at together."""
    controls.select(
        "Tokens", "together", look.together, list(TOGETHER), TOGETHER.__getitem__, width=160,
        help=HELP,
    )  # fmt: skip


def chosen_positions(
    trace: Trace, look: AttentionLook, selected: int | None
) -> tuple[int, ...] | None:
    """The tokens looked at together, ascending; None where it is the selected one alone."""
    if look.together == "token":
        return None
    if look.together == "picked":
        return tuple(position for position in sorted(set(look.picked)) if position < len(trace))
    around = None if selected is None else tokens_around(trace, cast(Kind, look.together), selected)
    return () if around is None else tuple(range(*around))


def show_picks(trace: Trace, look: AttentionLook, selected: int | None) -> None:
    """Draw what is picked, and the buttons that change it."""
    picked = look.picked
    with st.container(horizontal=True, vertical_alignment="center", key="attention picks"):
        inside = selected is not None and selected in picked
        st.button(
            "Take it out" if inside else "Add the selected token", key="attention pick",
            icon=":material/remove:" if inside else ":material/add:", type="tertiary",
            on_click=_toggle, args=(selected,), disabled=selected is None,
        )  # fmt: skip
        st.button(
            "Clear", key="attention picks clear", type="tertiary", icon=":material/clear_all:",
            on_click=state.choose, kwargs={"picked": ()}, disabled=not picked,
        )  # fmt: skip
    if not picked:
        st.caption("None is picked yet: select a token, then add it.")


def _toggle(position: int) -> None:
    picked = {*state.current().picked} ^ {position}
    state.choose(picked=tuple(sorted(picked)))


def named(trace: Trace, positions: tuple[int, ...]) -> str:
    """Which tokens they are, as Markdown."""
    first = ", ".join(f"{token_code(trace, p)} at {p:,}" for p in positions[:_NAMED])
    more = f" and {len(positions) - _NAMED:,} more" if len(positions) > _NAMED else ""
    return f"{count_text(len(positions), 'token')}: {first}{more}"


def lay_together(shown: Shown, positions: tuple[int, ...], look: AttentionLook) -> Laid | None:
    """What some tokens attend to, or what attends to them; None where none has a row that was
    captured."""
    captured = as_captured(shown)
    shift = 0 if look.question == "at" else 1
    length = shown.matrix.shape[1]
    if look.direction == "from":
        rows = [row_of(position, look.question) for position in positions]
        there = [row for row in rows if row >= 0 and row in shown.queries]
        if not there:
            return None
        found = selected_attention(captured, there)
        later = dict.fromkeys(range(max(there) + 1, length), LATER)
        blind = np.flatnonzero((found.even == 0) & (np.arange(length) <= max(there)))
        hidden = [p for p in blind.tolist() if p not in shown.taken_out]
        return Laid(
            found.weight, _times(found.weight, found.even), dict.fromkeys(hidden, TOO_FAR) | later,
            None, len(there),
        )  # fmt: skip
    found = selected_attention(captured, positions, "to")
    # By the rows that predict, a row stands for the token after it.
    weight, even = (np.concatenate([np.full(shift, np.nan), column])[:length] for column in
                    (found.weight, found.even))  # fmt: skip
    reasons = dict.fromkeys(np.flatnonzero(np.isnan(weight)).tolist(), NOT_CAPTURED)
    reasons |= dict.fromkeys(_unseen(even, shown), TOO_FAR)
    if shift:
        reasons[0] = FIRST
    before = positions[0] + shift
    weight[shift:before] = 0.0
    reasons |= dict.fromkeys(range(shift, before), EARLIER)
    return Laid(weight, _times(weight, even), reasons, None, len(positions))


def as_captured(shown: Shown) -> AttentionMap:
    """The matrix in view as what was captured: of one layer, 0, and one head, 0."""
    first_keys = {} if shown.first_keys is None else {0: shown.first_keys}
    return AttentionMap(
        shown.matrix[None, None], (0,), (0,), shown.queries, masked=shown.taken_out,
        first_keys=first_keys,
    )  # fmt: skip


def _unseen(even: Floats, shown: Shown) -> list[int]:
    return [] if shown.first_keys is None else np.flatnonzero(even == 0).tolist()


def _times(weight: Floats, even: Floats) -> Floats:
    return np.asarray(weight / np.where(even > 0, even, np.nan))
