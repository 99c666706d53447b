"""What a person chooses on the page of attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from tokenscope_core.attention.capturing.selection import Weighting
from tokenscope_ui.attention import state
from tokenscope_ui.attention.view_choice import ROLLOUT, AttentionLook, Direction, Question, View
from tokenscope_ui.attention.weights import SCALE_HELP, SCALES

VIEWS: dict[View, str] = {
    "token": ":material/format_ink_highlighter: Token",
    "received": ":material/call_received: Received",
    "matrix": ":material/grid_on: Matrix",
    "heads": ":material/apps: Heads",
    "flow": ":material/swap_calls: Flow",
    "compare": ":material/difference: Difference",
}
QUESTIONS: dict[Question, str] = {
    "predicts": "row that predicts it",
    "at": "its own row",
}
QUESTION_HELP = (
    "A row of attention belongs to the token that was read, and what comes out of it predicts the "
    "next one. **Row that predicts it**: what the model looked at when it had to come up with the "
    "token; the row of the token before. **Its own row**: what it looked at once it had read the "
    "token."
)
DIRECTIONS: dict[Direction, str] = {
    "from": "what it attends to",
    "to": "what attends to it",
}
WEIGHTINGS: dict[Weighting, str] = {
    "weights": "attention weights",
    "value norms": "weighted by value norms",
}
WEIGHTING_HELP = (
    "Attention weights: the softmax over what precedes. Weighted by value norms: how much of each "
    "token really arrives, ‖α f(x)‖ as a share of the row (Kobayashi et al. 2020); a weight on a "
    "token whose value is nearly zero, as on most sinks, then counts for little."
)
MASK_HELP = (
    "Heads with nothing to do put their attention on one token that means nothing, mostly the "
    "first (Xiao et al. 2023). On: that token is taken out of every head, the rest of each row "
    "makes up 100 %, and the line below says how much it had."
)


def key_of(name: str) -> str:
    """The widget that chooses a field of the look."""
    return f"attention_{name}"


def view(look: AttentionLook) -> None:
    """Draw the choice of the view."""
    segmented("View", "view", look.view, VIEWS, label_visibility="collapsed")


def layer(
    name: str, value: object, layers: Sequence[int], *, label: str = "Layer", rollout: bool = True
) -> None:
    """Draw the choice of a layer, or of the rollout over all of them."""
    options: list[Any] = [*layers, ROLLOUT] if rollout else [*layers]
    select(
        label, name, value, options, layer_text, width=190,
        help="Rollout: what arrives of each token after all layers, heads averaged and half of "
        "each layer passed on unchanged (Abnar and Zuidema 2020)." if rollout else None,
    )  # fmt: skip


def head(
    name: str, value: object, heads: int, *, label: str = "Head", disabled: bool = False
) -> None:
    """Draw the choice of a head or of a fold of them."""
    select(
        label, name, value, ["mean", "max", *range(heads)], head_text, width=150, disabled=disabled
    )


def weighting(look: AttentionLook) -> None:
    """Draw what a weight says."""
    select(
        "Weights", "weighting", look.weighting, list(WEIGHTINGS), WEIGHTINGS.__getitem__,
        width=210, help=WEIGHTING_HELP, disabled=look.layer == ROLLOUT,
    )  # fmt: skip


def scale(look: AttentionLook) -> None:
    """Draw how weights are tinted."""
    segmented("Scale", "scale", look.shown_scale, SCALES, help=SCALE_HELP)


def mask(look: AttentionLook) -> None:
    """Draw the switch that takes the attention sink out."""
    switch("Sink apart", "mask", look.masks, help=MASK_HELP)


def switch(label: str, name: str, value: bool, **how: Any) -> None:
    """Draw a switch that sets a field of the look."""
    st.session_state[key_of(name)] = value
    st.toggle(label, key=key_of(name), on_change=_take, args=(name,), **how)


def direction(look: AttentionLook) -> None:
    """Draw which way attention is followed."""
    segmented("Direction", "direction", look.direction, DIRECTIONS)


def question(look: AttentionLook) -> None:
    """Draw which row stands for a token."""
    segmented("Which row", "question", look.question, QUESTIONS, help=QUESTION_HELP)


def layer_text(value: object) -> str:
    """What a layer is called."""
    return "all layers, rolled out" if value == ROLLOUT else f"layer {value}"


def head_text(value: object) -> str:
    """What a head or a fold is called."""
    return {"mean": "mean of heads", "max": "maximum of heads"}.get(str(value), f"head {value}")


def select(
    label: str,
    name: str,
    value: object,
    options: Sequence[Any],
    text: Callable[[Any], str],
    **how: Any,
) -> None:
    """Draw a list that chooses a field of the look."""
    st.session_state[key_of(name)] = value if value in options else options[0]
    st.selectbox(
        label, options, key=key_of(name), format_func=text, on_change=_take, args=(name,), **how
    )


def segmented(label: str, name: str, value: object, options: dict[Any, str], **how: Any) -> None:
    """Draw a few choices side by side."""
    st.session_state[key_of(name)] = value
    st.segmented_control(
        label, list(options), key=key_of(name), format_func=options.__getitem__, required=True,
        on_change=_take, args=(name,), **how,
    )  # fmt: skip


def _take(name: str) -> None:
    # What stands for no choice has an empty name.
    chosen = st.session_state[key_of(name)]
    state.choose(**{name: None if chosen == "" else chosen})
