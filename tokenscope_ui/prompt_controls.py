"""The prompt as a person writes it: mode, examples, and the texts of each mode."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Request
from tokenscope_ui import prompt_checks
from tokenscope_ui.examples import EXAMPLES

GENERATE, FILL, SCORE = "Generate", "Fill a gap", "Score code"
MODES = (GENERATE, FILL, SCORE)
DEFAULTS: dict[str, object] = {"mode": GENERATE, "prompt": EXAMPLES[0].prompt, "suffix": ""}
RUN_LABEL = {GENERATE: "Generate", FILL: "Fill", SCORE: "Score"}

_TEXT_LABEL = {GENERATE: "Prompt", FILL: "Code before the gap", SCORE: "Code to score"}
_INVITATION = {
    GENERATE: "Press *Generate* to see this prompt continued.",
    FILL: "Press *Fill* to see what the model writes between the two.",
    SCORE: "Press *Score* to see how the model would have read this code.",
}
_KEPT = "text_before_example"


def mode() -> str:
    """The chosen mode, one of `MODES`."""
    return str(st.session_state["mode"])


def invitation() -> str:
    """What to do first, in the chosen mode."""
    return _INVITATION[mode()]


def fill(request: Request) -> None:
    """Set the mode and its texts to a request."""
    st.session_state.update(
        mode=_mode_of(request), prompt=request.prompt, suffix=request.suffix or ""
    )


def _mode_of(request: Request) -> str:
    if request.suffix is not None:
        return FILL
    return GENERATE if request.max_new_tokens else SCORE


def suffix() -> str | None:
    """The code after the gap; None in the other modes."""
    return str(st.session_state["suffix"]) if mode() == FILL else None


def draw() -> None:
    """Draw mode, examples and the texts, with hints about what is unusual in them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Mode", MODES, key="mode", required=True, label_visibility="collapsed",
            persist_state="session",
        )  # fmt: skip
        _examples()
    chosen = mode()
    st.text_area(
        _TEXT_LABEL[chosen],
        key="prompt",
        height=110 if chosen == FILL else 170,
        persist_state="session",
        placeholder="Type or paste Python here, or choose an example.",
    )
    if chosen == FILL:
        st.text_area(
            "Code after the gap",
            key="suffix",
            height=110,
            persist_state="session",
            help="The model reads the code before the gap, then the code after it, and then "
            "writes what belongs between; the strip shows them in that order.",
        )
    for hint in prompt_checks.hints(st.session_state["prompt"] + (suffix() or "")):
        st.caption(f":material/info: {hint}")


def _examples() -> None:
    with st.popover("Examples", icon=":material/lightbulb:"):
        for example in EXAMPLES:
            st.button(
                example.name,
                key=f"example {example.name}",
                help=f"Look at {example.look_at}.",
                on_click=_take_example,
                args=(example.prompt,),
                width="stretch",
            )
        if _KEPT in st.session_state:
            st.button(
                "Back to my text", icon=":material/undo:", on_click=_undo_example, width="stretch"
            )


def _take_example(prompt: str) -> None:
    if st.session_state["prompt"] not in {example.prompt for example in EXAMPLES}:
        st.session_state[_KEPT] = st.session_state["prompt"]
    st.session_state["prompt"] = prompt


def _undo_example() -> None:
    st.session_state["prompt"] = st.session_state.pop(_KEPT)
