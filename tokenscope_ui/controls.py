"""The controls that make a request: model and sampling in the side bar, prompt on the page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from tokenscope_core import Request, RequestError, Sampling, TokenScopeError
from tokenscope_core.model_files import available
from tokenscope_core.request import MAX_CANDIDATES
from tokenscope_ui import model_card, prompt_checks, runs
from tokenscope_ui.examples import EXAMPLES

GENERATE, FILL, SCORE = "Generate", "Fill a gap", "Score code"
_TEXT_LABEL = {GENERATE: "Prompt", FILL: "Code before the gap", SCORE: "Code to score"}
_RUN_LABEL = {GENERATE: "Generate", FILL: "Fill", SCORE: "Score"}

_INVITATION = {
    GENERATE: "Press *Generate* to see this prompt continued.",
    FILL: "Press *Fill* to see what the model writes between the two.",
    SCORE: "Press *Score* to see how the model would have read this code.",
}
_KEPT = "text_before_example"

_DEFAULTS: dict[str, object] = {
    "mode": GENERATE,
    "prompt": EXAMPLES[0].prompt,
    "suffix": "",
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


def initialise() -> None:
    """Give every control its value before it is drawn: from the address, else the default."""
    restored = runs.restore()
    if restored is not None:
        model, request = restored
        fill(request)
        _choose(model)
    for name, value in _DEFAULTS.items():
        st.session_state.setdefault(name, value)


def _choose(model: str) -> None:
    """Choose the model of a run: named as a person did, or as its trace names it."""
    for known in available():
        if model in (known, Path(known).name):
            st.session_state["model"] = known
            return


def fill(request: Request) -> None:
    """Set the controls to a request."""
    sampling = request.sampling
    st.session_state.update(
        mode=_mode_of(request),
        prompt=request.prompt,
        suffix=request.suffix or "",
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


def _mode_of(request: Request) -> str:
    if request.suffix is not None:
        return FILL
    return GENERATE if request.max_new_tokens else SCORE


def side_bar() -> None:
    """Model, length and sampling."""
    with st.sidebar:
        # A typed model stays in the list while it is chosen.
        typed = [st.session_state["model"]] if st.session_state.get("model") else []
        st.selectbox(
            "Model",
            list(dict.fromkeys([*available(), *typed])),
            key="model",
            accept_new_options=True,
            persist_state="session",
            help="The shipped model, a folder listed in TOKENSCOPE_MODELS, or type a folder or "
            "a Hugging Face id and press Enter.",
        )
        model_card.show(st.session_state["model"] or available()[0])
        st.number_input(
            "New tokens", min_value=0, step=16, key="max_new_tokens", persist_state="session",
            disabled=st.session_state["mode"] == SCORE,
            help="Generation ends here at the latest, or at an end-of-sequence token.",
        )  # fmt: skip
        # A link may hold values beyond what one would offer; the range then reaches out to them.
        st.slider(
            "Temperature", 0.0, max(2.0, st.session_state["temperature"]), step=0.05,
            key="temperature", persist_state="session",
            disabled=st.session_state["mode"] == SCORE,
            help="0 always takes the favourite (greedy). Metrics stay those of the raw model.",
        )  # fmt: skip
        st.slider(
            "Top-p", min(0.05, st.session_state["top_p"]), 1.0, step=0.05, key="top_p",
            persist_state="session", disabled=_greedy(),
            help="Draw from the smallest set holding this much probability.",
        )  # fmt: skip
        with st.expander("More sampling"):
            _more_sampling()


def _greedy() -> bool:
    return bool(st.session_state["temperature"] == 0.0 or st.session_state["mode"] == SCORE)


def _more_sampling() -> None:
    st.number_input(
        "Top-k", min_value=0, key="top_k", persist_state="session", disabled=_greedy(),
        help="Draw from this many favourites; 0 is off.",
    )  # fmt: skip
    st.slider(
        "Min-p", 0.0, 1.0, step=0.01, key="min_p", persist_state="session", disabled=_greedy(),
        help="Drop tokens less likely than this share of the favourite; 0 is off.",
    )  # fmt: skip
    st.slider(
        "Repetition penalty", min(0.5, st.session_state["repetition_penalty"]),
        max(2.0, st.session_state["repetition_penalty"]), step=0.05, key="repetition_penalty",
        persist_state="session", help="Above 1, tokens already present become less likely.",
    )  # fmt: skip
    # As text: a browser's numbers cannot hold every seed.
    st.text_input(
        "Seed", key="seed", persist_state="session", disabled=_greedy(),
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


def invitation() -> str:
    """What to do first, in the chosen mode."""
    return _INVITATION[st.session_state["mode"]]


def prompt_box() -> None:
    """Mode, examples, the prompt itself and the button that runs it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Mode", (GENERATE, FILL, SCORE), key="mode", required=True,
            label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
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
                    "Back to my text", icon=":material/undo:", on_click=_undo_example,
                    width="stretch",
                )  # fmt: skip
    mode = st.session_state["mode"]
    st.text_area(
        _TEXT_LABEL[mode],
        key="prompt",
        height=110 if mode == FILL else 170,
        persist_state="session",
        placeholder="Type or paste Python here, or choose an example.",
    )
    if mode == FILL:
        st.text_area(
            "Code after the gap",
            key="suffix",
            height=110,
            persist_state="session",
            help="The model reads the code before the gap, then the code after it, and then "
            "writes what belongs between; the strip shows them in that order.",
        )
    suffix = st.session_state["suffix"] if mode == FILL else ""
    for hint in prompt_checks.hints(st.session_state["prompt"] + suffix):
        st.caption(f":material/info: {hint}")
    st.button(
        _RUN_LABEL[mode],
        type="primary",
        icon=":material/play_arrow:",
        on_click=submit,
        disabled=runs.current().busy,
    )


def _take_example(prompt: str) -> None:
    if st.session_state["prompt"] not in {example.prompt for example in EXAMPLES}:
        st.session_state[_KEPT] = st.session_state["prompt"]
    st.session_state["prompt"] = prompt


def _undo_example() -> None:
    st.session_state["prompt"] = st.session_state.pop(_KEPT)


def submit(*, prompt: str | None = None, max_new_tokens: int | None = None) -> None:
    """Run what the controls say; a given prompt or length takes the place of theirs."""
    state = st.session_state
    generating = state["mode"] != SCORE
    text = state["prompt"] if prompt is None else prompt
    length = state["max_new_tokens"] if max_new_tokens is None else max_new_tokens
    refused = prompt_checks.refusal(text, generating=generating, max_new_tokens=length)
    if refused is not None:
        runs.refuse(refused)
        return
    try:
        suffix = state["suffix"] if state["mode"] == FILL else None
        request = _request(text, suffix, length if generating else 0)
    except TokenScopeError as error:
        runs.refuse(error)
        return
    runs.start(state["model"] or available()[0], request)


def _request(prompt: str, suffix: str | None, max_new_tokens: int) -> Request:
    state = st.session_state
    sampling = Sampling(
        temperature=state["temperature"],
        top_k=state["top_k"],
        top_p=state["top_p"],
        min_p=state["min_p"],
        repetition_penalty=state["repetition_penalty"],
        seed=_seed(state["seed"]),
    )
    return Request(
        prompt=prompt,
        suffix=suffix,
        max_new_tokens=max_new_tokens,
        # What a run does not depend on is not part of it: equal runs are then found again.
        sampling=_relevant(sampling) if max_new_tokens else Sampling(),
        candidates=state["candidates"],
        stop=_stop_strings(state["stop"]) if max_new_tokens else (),
    )


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RequestError(
            asked=f"The seed was set to “{text}”.",
            found="It is not a whole number.",
            action="Set it to one, such as 0.",
        ) from None


def _relevant(sampling: Sampling) -> Sampling:
    if not sampling.greedy:
        return sampling
    return Sampling(repetition_penalty=sampling.repetition_penalty)


def _stop_strings(lines: str) -> tuple[str, ...]:
    try:
        return tuple(
            line.encode("latin-1", "backslashreplace").decode("unicode_escape")
            for line in lines.splitlines()
            if line
        )
    except UnicodeDecodeError as error:
        raise RequestError(
            asked="The stop strings were to be read.",
            found=f"One has a backslash that Python would not accept ({error.reason}).",
            action="Write \\\\ for a backslash.",
        ) from None
