"""From the controls to a request: what the side bar and the prompt box say, run."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Request, Sampling, TokenScopeError
from tokenscope_ui import model_picker, prompt_checks, prompt_controls, runs, sampling_controls
from tokenscope_ui.prompt_controls import RUN_LABEL, SCORE

_DEFAULTS = {**prompt_controls.DEFAULTS, **sampling_controls.DEFAULTS}


def initialise() -> None:
    """Give every control its value before it is drawn: from the address, else the default."""
    restored = runs.restore()
    if restored is not None:
        model, request = restored
        prompt_controls.fill(request)
        sampling_controls.fill(request)
        model_picker.choose(model)
    for name, value in _DEFAULTS.items():
        st.session_state.setdefault(name, value)


def side_bar() -> None:
    """Model, length and sampling."""
    with st.sidebar:
        model_picker.draw()
        sampling_controls.draw(scoring=prompt_controls.mode() == SCORE)


def prompt_box() -> None:
    """The prompt and the button that runs it."""
    prompt_controls.draw()
    st.button(
        RUN_LABEL[prompt_controls.mode()],
        type="primary",
        icon=":material/play_arrow:",
        on_click=submit,
        disabled=runs.current().busy,
    )


def submit(*, prompt: str | None = None, max_new_tokens: int | None = None) -> None:
    """Run what the controls say; a given prompt or length takes the place of theirs."""
    state = st.session_state
    generating = prompt_controls.mode() != SCORE
    text = state["prompt"] if prompt is None else prompt
    length = state["max_new_tokens"] if max_new_tokens is None else max_new_tokens
    refused = prompt_checks.refusal(text, generating=generating, max_new_tokens=length)
    if refused is not None:
        runs.refuse(refused)
        return
    try:
        request = Request(
            prompt=text,
            suffix=prompt_controls.suffix(),
            max_new_tokens=length if generating else 0,
            # What a run does not depend on is not part of it: equal runs are then found again.
            sampling=sampling_controls.sampling() if generating else Sampling(),
            candidates=state["candidates"],
            stop=sampling_controls.stop_strings() if generating else (),
            stop_token_ids=sampling_controls.stop_token_ids() if generating else (),
        )
    except TokenScopeError as error:
        runs.refuse(error)
        return
    runs.start(model_picker.chosen(), request)
