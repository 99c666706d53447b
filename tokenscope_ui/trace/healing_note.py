"""Under a trace: that its prompt was healed, or seems to end inside a token."""

from __future__ import annotations

import math

import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.display.formatting import probability_text
from tokenscope_ui.request import prompt_checks, prompt_controls
from tokenscope_ui.trace import sampled_choices


def show_healing(trace: Trace) -> None:
    """Draw what there is to say of the end of a trace's prompt; mostly nothing."""
    taken_back = prompt_checks.healed_bytes(trace)
    if taken_back:
        st.caption(
            f":material/healing: Healed: {sampled_choices.code(taken_back)} was taken back from "
            "the end of the prompt, and what was generated spells it again. The draws of that were "
            "among the tokens that do; the metrics are of the model’s own distribution."
        )
    expected = prompt_checks.expected_at_the_end(trace)
    if expected is None:
        return
    position, token_id = expected
    other = trace.candidate_ids[position].tolist().index(token_id)
    chance = probability_text(math.exp(trace.candidate_logprobs[position, other]))
    with st.container(horizontal=True, vertical_alignment="center", key="ends inside a token"):
        st.caption(
            ":material/info: The prompt seems to end inside a token: in the place of its last, "
            f"{sampled_choices.token_code(trace, position)} "
            f"({probability_text(float(trace.prob[position]))}), the model expected "
            f"{sampled_choices.code(trace.vocabulary.token_bytes[token_id])} ({chance}).",
            width="content",
        )
        pressed = st.button(
            "Heal it", key="heal the end", type="tertiary", on_click=prompt_controls.heal,
            help="From the next run on, the end of the prompt is taken back and generated anew.",
        )  # fmt: skip
    if pressed:
        # The switch stands outside of this fragment: without a full rerun the browser keeps it off.
        st.rerun()
