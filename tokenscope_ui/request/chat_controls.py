"""A conversation as a person writes it: system text, turns, and how the answer begins.

Who speaks in each turn is `turn_roles`, a tuple; what they say is a text of its own a turn.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tokenscope_core import Message, Request
from tokenscope_core.record.conversation import Role
from tokenscope_ui.request import template_controls
from tokenscope_ui.request.examples import CHAT_EXAMPLES

ROLES = "turn_roles"
DEFAULTS: dict[str, object] = {
    "system": "",
    ROLES: ("user",),
    "turn 0": CHAT_EXAMPLES[0].user,
    "answer": "",
    **template_controls.DEFAULTS,
}


def turn_key(index: int) -> str:
    """Where the text of a turn is kept."""
    return f"turn {index}"


def messages() -> tuple[Message, ...]:
    """The turns as they stand, a system text first where there is one.

    Raises:
        RequestError: a text is not Unicode.
    """
    state = st.session_state
    said = [(role, str(state.get(turn_key(i), ""))) for i, role in enumerate(state[ROLES])]
    system: list[tuple[Role, str]] = [("system", state["system"])] if state["system"] else []
    return tuple(Message(role, text) for role, text in [*system, *said])


def fill(request: Request) -> None:
    """Set the controls to a request's conversation."""
    template_controls.fill(request)
    turns = request.messages
    system = ""
    if turns and turns[0].role == "system":
        system, turns = turns[0].content, turns[1:]
    st.session_state.update(
        {
            "system": system,
            ROLES: tuple(message.role for message in turns),
            "answer": request.prompt,
            **{turn_key(i): message.content for i, message in enumerate(turns)},
        }
    )


def texts() -> dict[str, object]:
    """The texts and who speaks, by the keys of their controls; empty before these were drawn."""
    state = st.session_state
    if ROLES not in state:
        return {}
    turns = map(turn_key, range(len(state[ROLES])))
    return {name: state.get(name, "") for name in ("system", ROLES, "answer", *turns)}


def draw_conversation() -> None:
    """Draw the texts, and the buttons that add and remove turns."""
    st.text_area(
        "System text", key="system", height=68, persist_state="session",
        placeholder="Optional: how the model should behave.",
    )  # fmt: skip
    roles: Sequence[Role] = st.session_state[ROLES]
    for index, label in enumerate(turn_labels(roles)):
        st.session_state.setdefault(turn_key(index), "")
        st.text_area(label, key=turn_key(index), height=110, persist_state="session")
    with st.container(horizontal=True):
        st.button(
            "Add a turn", icon=":material/add:", on_click=_add,
            help="An answer of the assistant, and what the user says to it.",
        )  # fmt: skip
        if template_controls.takes_tools():
            st.button(
                "Add a tool’s answer", icon=":material/build:", on_click=_add, args=("tool",),
                help="What the assistant asked a tool, and what that answered.",
            )  # fmt: skip
        if len(roles) > 1:
            st.button(
                "Remove the last turn", icon=":material/remove:", on_click=_remove,
                help="Its text comes back when you add a turn again.",
            )  # fmt: skip
    st.text_area(
        "Answer begins with", key="answer", height=68, persist_state="session",
        placeholder="Optional: the model goes on from here.",
    )  # fmt: skip


def turn_labels(roles: Sequence[Role]) -> list[str]:
    """What each turn is called: its role, numbered where it speaks more than once."""
    return [
        role.capitalize() + (f" {roles[: index + 1].count(role)}" if roles.count(role) > 1 else "")
        for index, role in enumerate(roles)
    ]


def _add(role: Role = "user") -> None:
    roles: tuple[Role, ...] = st.session_state[ROLES]
    answered: tuple[Role, ...] = ("assistant",) if roles and roles[-1] != "assistant" else ()
    st.session_state[ROLES] = (*roles, *answered, role)


def _remove() -> None:
    roles: tuple[Role, ...] = st.session_state[ROLES][:-1]
    st.session_state[ROLES] = roles[:-1] if len(roles) > 1 and roles[-1] == "assistant" else roles
