"""The controls of length, sampling and recording, in the side bar."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Request, RequestError, Sampling
from tokenscope_core.request import MAX_CANDIDATES

DEFAULTS: dict[str, object] = {
    "max_new_tokens": 64,
    "temperature": 0.8,
    "top_p": 0.95,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "seed": "0",
    "candidates": 20,
    "stop": "",
}


def fill(request: Request) -> None:
    """Set the controls to a request."""
    sampling = request.sampling
    st.session_state.update(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        seed=str(sampling.seed),
        candidates=request.candidates,
        stop="\n".join(text.encode("unicode_escape").decode() for text in request.stop),
    )
    if request.max_new_tokens:
        st.session_state["max_new_tokens"] = request.max_new_tokens


def draw(*, scoring: bool) -> None:
    """Draw the controls; those that do not matter when a text is only scored are disabled."""
    st.number_input(
        "New tokens", min_value=0, step=16, key="max_new_tokens", persist_state="session",
        disabled=scoring,
        help="Generation ends here at the latest, or at an end-of-sequence token.",
    )  # fmt: skip
    # A link may hold values beyond what one would offer; the range then reaches out to them.
    st.slider(
        "Temperature", 0.0, max(2.0, st.session_state["temperature"]), step=0.05,
        key="temperature", persist_state="session", disabled=scoring,
        help="0 always takes the favourite (greedy). Metrics stay those of the raw model.",
    )  # fmt: skip
    undrawn = scoring or st.session_state["temperature"] == 0.0
    st.slider(
        "Top-p", min(0.05, st.session_state["top_p"]), 1.0, step=0.05, key="top_p",
        persist_state="session", disabled=undrawn,
        help="Draw from the smallest set holding this much probability.",
    )  # fmt: skip
    with st.expander("More sampling"):
        _more(undrawn=undrawn)


def _more(*, undrawn: bool) -> None:
    st.number_input(
        "Top-k", min_value=0, key="top_k", persist_state="session", disabled=undrawn,
        help="Draw from this many favourites; 0 is off.",
    )  # fmt: skip
    st.slider(
        "Min-p", 0.0, 1.0, step=0.01, key="min_p", persist_state="session", disabled=undrawn,
        help="Drop tokens less likely than this share of the favourite; 0 is off.",
    )  # fmt: skip
    st.slider(
        "Repetition penalty", min(0.5, st.session_state["repetition_penalty"]),
        max(2.0, st.session_state["repetition_penalty"]), step=0.05, key="repetition_penalty",
        persist_state="session", help="Above 1, tokens already present become less likely.",
    )  # fmt: skip
    # As text: a browser's numbers cannot hold every seed.
    st.text_input(
        "Seed", key="seed", persist_state="session", disabled=undrawn,
        help="A whole number. Equal seeds give equal draws.",
    )  # fmt: skip
    st.number_input(
        "Candidates recorded", 1, MAX_CANDIDATES, key="candidates", persist_state="session",
        help="How many alternatives are kept at every position.",
    )  # fmt: skip
    st.text_area(
        "Stop strings", key="stop", persist_state="session", height=68,
        help="One a line; \\n, \\t and \\u1234 mean what they mean in Python. Generation ends "
        "when its text contains one.",
    )  # fmt: skip


def sampling() -> Sampling:
    """What the controls say, without what a greedy run does not depend on: equal runs are then
    found again.

    Raises:
        RequestError: a value cannot be used.
    """
    state = st.session_state
    chosen = Sampling(
        temperature=state["temperature"],
        top_k=state["top_k"],
        top_p=state["top_p"],
        min_p=state["min_p"],
        repetition_penalty=state["repetition_penalty"],
        seed=_seed(state["seed"]),
    )
    if not chosen.greedy:
        return chosen
    return Sampling(repetition_penalty=chosen.repetition_penalty)


def stop_strings() -> tuple[str, ...]:
    """The stop strings, escapes resolved.

    Raises:
        RequestError: a backslash means nothing.
    """
    try:
        return tuple(
            line.encode("latin-1", "backslashreplace").decode("unicode_escape")
            for line in st.session_state["stop"].splitlines()
            if line
        )
    except UnicodeDecodeError as error:
        raise RequestError(
            asked="The stop strings were to be read.",
            found=f"One has a backslash that Python would not accept ({error.reason}).",
            action="Write \\\\ for a backslash.",
        ) from None


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RequestError(
            asked=f"The seed was set to “{text}”.",
            found="It is not a whole number.",
            action="Set it to one, such as 0.",
        ) from None
