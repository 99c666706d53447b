"""Which two models, which text, and the button that scores it with both."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Request, TokenScopeError, Trace
from tokenscope_core.models.files.model_files import find
from tokenscope_core.models.files.sources import accepts_others, available, base_of, called
from tokenscope_core.prompts.windows import DEFAULT_OVERLAP
from tokenscope_ui.request import long_text, model_picker, prompt_checks
from tokenscope_ui.request.examples import EXAMPLES
from tokenscope_ui.runs import runs
from tokenscope_ui.two_models import state
from tokenscope_ui.two_models.state import Side

MODEL_KEYS = ("two_models_a", "two_models_b")
TEXT_KEY = "compared_text"


def initialise() -> None:
    """Give every control its value before it is drawn: from the address, else the default."""
    restored = state.restore()
    if restored is not None:
        for key, side in zip(MODEL_KEYS, restored.sides, strict=True):
            if side.model:
                st.session_state[key] = _known(side.model)
        text = next((text for side in restored.sides if (text := _text_of(side))), None)
        if text is not None:
            st.session_state[TEXT_KEY] = text
    first = str(st.session_state.get("model") or available()[0])
    base = base_of(first)
    second = next((model for model in available() if model != first), first)
    for key, model in zip(MODEL_KEYS, (base, first) if base else (first, second), strict=True):
        if not st.session_state.get(key):
            st.session_state[key] = model
    prompt = st.session_state.get("prompt")
    st.session_state.setdefault(TEXT_KEY, _decoded_text() or prompt or EXAMPLES[0].prompt)


def draw_model_choice() -> None:
    """Draw the models, the text and the buttons."""
    for column, key, name in zip(st.columns(2), MODEL_KEYS, "AB", strict=True):
        with column:
            model_picker.select(f"Model {name}", key)
    _offer_on_and_off()
    if len(available()) < 2:
        st.caption(
            ":material/info: Only one model is on this machine. Type a folder or a Hugging Face id "
            "above and press Enter, or list folders in `TOKENSCOPE_MODELS`."
            if accepts_others()
            else ":material/info: This server offers one model only: there is none to compare "
            "it with."
        )
    text = st.text_area(
        "Text to score with both", key=TEXT_KEY, height=170, persist_state="session",
        placeholder="Type or paste code here.",
    )  # fmt: skip
    # In a place of their own, so that what is below does not move while it is drawn again.
    with st.container():
        for hint in prompt_checks.hints(text):
            st.caption(f":material/info: {hint}")
    with st.container(horizontal=True):
        st.button(
            "Compare", type="primary", icon=":material/compare_arrows:", on_click=submit,
            disabled=state.current().busy,
        )  # fmt: skip
        decoded = _decoded_text()
        if decoded is not None:
            st.button(
                "Use the decoded text", icon=":material/stylus_note:", on_click=_take_decoded,
                disabled=decoded == text, help="Takes over what the Decode page shows.",
            )  # fmt: skip


def _offer_on_and_off() -> None:
    """Of an adapter, a button that puts its base beside it; or which of both is which."""
    chosen = tuple(str(st.session_state.get(key) or "") for key in MODEL_KEYS)
    for name, model in zip("AB", chosen, strict=True):
        base = base_of(model) if model else None
        if base is None:
            continue
        if chosen == (base, model):
            st.caption(":material/info: A is the base model, B the same with the adapter on it.")
            continue
        st.button(
            f"Adapter {name} off and on", icon=":material/toggle_on:", key=f"on and off {name}",
            on_click=_put_side_by_side, args=(base, model), disabled=state.current().busy,
            help="Its base model as A, and the same with the adapter as B.",
        )  # fmt: skip


def _put_side_by_side(base: str, adapter: str) -> None:
    for key, model in zip(MODEL_KEYS, (base, adapter), strict=True):
        st.session_state[key] = model


def submit(*, text: str | None = None) -> None:
    """Score the text with both models; a given one takes the place of that in the box."""
    wanted = st.session_state[TEXT_KEY] if text is None else text
    refused = prompt_checks.refusal(wanted, generating=False, max_new_tokens=0, examples=False)
    if refused is not None:
        state.refuse(refused)
        return
    try:
        a, b = (str(st.session_state.get(key) or available()[0]) for key in MODEL_KEYS)
        # Both run the same request, also where one of them could do without windows.
        long = any(_needs_windows(name, wanted) for name in (a, b))
        overlap = DEFAULT_OVERLAP if long else None
        request = Request(prompt=wanted, max_new_tokens=0, overlap=overlap)
    except TokenScopeError as error:
        state.refuse(error)
        return
    state.start((a, b), request)


def _needs_windows(model: str, text: str) -> bool:
    """Whether a model cannot read a text in one piece; what else is wrong with it is said when it
    is run."""
    try:
        return long_text.needs_windows(text, find(model))
    except TokenScopeError:
        return False


def _known(model: str) -> str:
    """A model as it stands in the list: a trace names a folder by its last part only."""
    return next((known for known in available() if model in called(known)), model)


def _text_of(side: Side) -> str | None:
    if side.ticket is not None:
        return side.ticket.view().request.prompt
    return None if side.trace is None else _scored_text(side.trace)


def _scored_text(trace: Trace) -> str:
    """What to score to get this trace's text: as typed where nothing was added to it."""
    request = trace.request
    plain = request.max_new_tokens == 0 and request.suffix is None and not request.messages
    return request.prompt if plain else trace.text


def _decoded_text() -> str | None:
    trace = runs.shown_trace(runs.current())
    return None if trace is None else _scored_text(trace)


def _take_decoded() -> None:
    decoded = _decoded_text()
    if decoded is not None:
        st.session_state[TEXT_KEY] = decoded
