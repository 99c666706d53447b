"""From the controls to a request: what the form of a run says, run."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tokenscope_core import Request, Sampling, TokenScopeError
from tokenscope_core.models.files.model_files import ModelFiles, find
from tokenscope_core.models.files.sources import is_allowed, source_of
from tokenscope_ui.drawing.markdown import as_markdown
from tokenscope_ui.request import (
    authors_view,
    long_text,
    model_picker,
    open_files,
    prompt_checks,
    prompt_controls,
    prompt_view,
    sampling_controls,
    template_controls,
    turn_end,
)
from tokenscope_ui.request.prompt_controls import CHAT, RUN_LABEL, SCORE
from tokenscope_ui.runs import runs

# Whether the form is open; and whether a run was shown when that was last settled.
_FORM, _SHOWN = "run form open", "run form beside a run"
_OPEN, _BEGINNING = "Prompt, model and sampling", 60
_DEFAULTS = {**prompt_controls.DEFAULTS, **sampling_controls.DEFAULTS, **long_text.DEFAULTS}


def initialise() -> None:
    """Give every control its value before it is drawn: of a run that was opened on whichever page,
    else the default."""
    runs.restore()
    opened = runs.take_for_form()
    if opened is not None:
        model, request = opened
        prompt_controls.fill(request)
        sampling_controls.fill(request)
        if request.overlap is not None:
            st.session_state["overlap"] = request.overlap
        model_picker.choose(model)
    for name, value in _DEFAULTS.items():
        st.session_state.setdefault(name, value)


def draw_form(*, shown: bool) -> DeltaGenerator:
    """Prompt, model and sampling, and the button that runs them: folded into one line beside a
    run that is `shown`. Returns the place for `reading_preview`."""
    # Streamlit forgets whether it is open while another page is.
    if st.session_state.get(_SHOWN) != shown or _FORM not in st.session_state:
        st.session_state.update({_SHOWN: shown, _FORM: not shown})
    # Another label draws all of the form anew, under the hands of who is typing in it.
    label = _OPEN if st.session_state[_FORM] else _summary()
    left, right = st.columns([0.86, 0.14])
    form = left.expander(label, key=_FORM, icon=":material/edit_note:", on_change="rerun")
    prompt, settings = form.columns([0.6, 0.4], gap="medium")
    with prompt:
        place, obstacle = _prompt_box()
    with right:
        st.button(
            RUN_LABEL[prompt_controls.mode()],
            type="primary",
            icon=":material/play_arrow:",
            on_click=submit,
            disabled=runs.current().busy or obstacle is not None,
            width="stretch",
        )
    with settings:
        model_picker.draw_model_picker()
        scoring = prompt_controls.mode() == SCORE
        sampling_controls.draw_sampling(scoring=scoring, healable=prompt_controls.goes_on())
        if not scoring:
            authors_view.draw_authors_settings(_files(), _request_or_none())
    return place


def begin_own() -> None:
    """Open an empty form for code of one's own, which a model reads and says what surprised it."""
    prompt_controls.begin_own()
    st.session_state[_FORM] = True


def _summary() -> str:
    """The form in one line."""
    state, model = st.session_state, source_of(model_picker.chosen().name)
    parts = [prompt_controls.mode(), model.label]
    if prompt_controls.mode() != SCORE:
        temperature = state["temperature"]
        parts.append(f"{state['max_new_tokens']:,} new tokens")
        parts.append(f"temperature {temperature:g}" if temperature else "greedy")
    said = " ".join(prompt_controls.asked().split())
    beginning = said if len(said) <= _BEGINNING else said[: _BEGINNING - 1] + "…"
    return " · ".join([*map(as_markdown, parts), f"*{as_markdown(beginning)}*" if said else ""])


def _prompt_box() -> tuple[DeltaGenerator, str | None]:
    """The place for what the model reads, and why the prompt cannot be run."""
    prompt_controls.draw_prompt()
    if prompt_controls.mode() == CHAT:
        template_controls.draw_template_options(_files())
    place = st.container()
    obstacle = _obstacle()
    if obstacle is not None:
        st.info(obstacle, icon=":material/block:")
    return place, obstacle


def reading_preview(place: DeltaGenerator) -> None:
    """What the model reads, in its place; drawn last, since a tokenizer may have to be loaded."""
    if _obstacle() is None:
        with place:
            if prompt_controls.mode() == CHAT:
                turn_end.show_turn_end(_files())
            if prompt_controls.mode() == SCORE and prompt_controls.prompt():
                lines = prompt_controls.source_text().line_count
                long_text.draw_offer(prompt_controls.prompt(), lines, _files())
            prompt_view.what_the_model_reads(_request_or_none(), _files())


def submit(*, prompt: str | None = None, max_new_tokens: int | None = None) -> None:
    """Run what the controls say; a given prompt or length takes the place of theirs."""
    try:
        request = _request(prompt=prompt, max_new_tokens=max_new_tokens)
    except TokenScopeError as error:
        runs.refuse(error)
        return
    said = "".join(message.content for message in request.messages)
    refused = prompt_checks.refusal(
        said + request.prompt + (request.suffix or ""),
        generating=prompt_controls.mode() != SCORE,
        max_new_tokens=request.max_new_tokens,
        conversation=bool(request.messages),
    )
    if refused is not None:
        runs.refuse(refused)
        return
    st.session_state[_FORM] = False
    prompt_controls.note_run()
    runs.start(model_picker.chosen(), request)


def _request(*, prompt: str | None = None, max_new_tokens: int | None = None) -> Request:
    """What the controls say.

    Raises:
        RequestError: a control has a value that cannot be used.
    """
    state = st.session_state
    generating = prompt_controls.mode() != SCORE
    length = state["max_new_tokens"] if max_new_tokens is None else max_new_tokens
    text = prompt_controls.prompt() if prompt is None else prompt
    return Request(
        prompt=text,
        suffix=prompt_controls.suffix(),
        messages=prompt_controls.messages(),
        max_new_tokens=length if generating else 0,
        # What a run does not depend on is not part of it: equal runs are then found again.
        sampling=sampling_controls.sampling() if generating else Sampling(),
        candidates=state["candidates"],
        stop=sampling_controls.stop_strings() if generating else (),
        stop_token_ids=sampling_controls.stop_token_ids() if generating else (),
        overlap=None if generating else long_text.overlap_for(text, _files()),
        first_line=1 if generating else prompt_controls.first_line(),
        template=prompt_controls.template_options(),
        heal=prompt_controls.goes_on() and bool(state["heal"]),
    )


def _obstacle() -> str | None:
    """Why the chosen model cannot do what the chosen mode asks of it."""
    if prompt_controls.mode() == SCORE and (problem := open_files.problem()) is not None:
        return problem
    request, files = _request_or_none(), _files()
    return prompt_checks.obstacle(request, files) if request and files else None


def _request_or_none() -> Request | None:
    """What the controls say, where they can be used."""
    try:
        return _request()
    except TokenScopeError:
        return None


def _files() -> ModelFiles | None:
    """The chosen model's files, where they are on this machine and may be read."""
    name = model_picker.chosen().name
    try:
        return find(name) if is_allowed(name) else None
    except TokenScopeError:
        return None
