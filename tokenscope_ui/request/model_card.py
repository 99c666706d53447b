"""What is known of a model before it runs: its facts, the memory it needs, what is loaded now."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import ModelChoice, TokenScopeError
from tokenscope_core.jobs.model_pool import LoadedModel
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files import hub
from tokenscope_core.models.files.choice import BYTES_PER_NUMBER
from tokenscope_core.models.files.facts import ModelFacts, facts_ahead, facts_of, hub_facts
from tokenscope_core.models.files.machine import devices, memory_of
from tokenscope_core.models.files.memory_need import about_tokens, memory_need, shortage, size_text
from tokenscope_core.models.files.model_files import changed_files, find
from tokenscope_core.models.files.sources import require_allowed
from tokenscope_ui.server.server import service

_NOT_STATED = "not stated"
_ASK_TIMEOUT_S = 4.0
_ANSWER_KEPT_S = 600
_NAMED_FILES = 3
_CACHE_USE = {
    "branches": "read on from any token",
    "chunks": "read on from its end",
    "steps": "only token by token",
    "none": "none: the whole text is read at every step",
}


def draw_model_card(choice: ModelChoice) -> None:
    """Draw a popover with what is known of a model, and a warning where it will not fit. Nothing
    is loaded or downloaded for it."""
    running = _service()
    loaded = running.loaded_models() if running is not None else ()
    here = running.loaded_model(choice) if running is not None else None
    facts, problem = _facts(choice.name)
    with st.popover("About this model", icon=":material/info:", width="stretch"):
        if facts is not None:
            st.markdown("**Memory needed**")
            st.table(dict(_memory_rows(choice, facts)), hide_header=True, border="horizontal")
        else:
            st.text(problem)
        _in_memory(loaded)
        if facts is not None:
            st.markdown("**The model**")
            st.table(dict(_rows(facts, here)), hide_header=True, border="horizontal")
    if here is not None:
        _say_replaced(here)
    checked = running is not None and running.limits.memory_check
    if checked and facts is not None and here is None:
        _warn(choice, facts, loaded)


def _service() -> GenerationService | None:
    """The service; None where it cannot start, which running then explains."""
    try:
        return service()
    except TokenScopeError:
        return None


def _facts(name: str) -> tuple[ModelFacts | None, str]:
    """The facts of a model, from its files or else from the hub; or why there are none."""
    try:
        require_allowed(name)
        files = find(name)
        if files is not None:
            return facts_of(files), ""
        ahead = facts_ahead(name)
        if ahead is not None:
            return ahead, ""
    except TokenScopeError as error:
        return None, f"{error.found} {error.action}"
    if hub.is_offline() or not hub.is_hub_id(name):
        return None, "It is not on this machine, so its size is unknown."
    return _ask_hub(name)


@st.cache_data(ttl=_ANSWER_KEPT_S, show_spinner="Asking the hub …")
def _ask_hub(name: str) -> tuple[ModelFacts | None, str]:
    try:
        return hub_facts(hub.ask(name, _ASK_TIMEOUT_S)), ""
    except TokenScopeError as error:
        return None, f"{error.found} Its size is unknown."


def _rows(facts: ModelFacts, loaded: LoadedModel | None) -> list[tuple[str, str]]:
    heads = _count(facts.heads)
    if facts.key_value_heads not in (None, facts.heads):
        heads += f", sharing {facts.key_value_heads:,} of keys and values"
    stored = f"{size_text(facts.weight_bytes)} in {_word(facts.precision)}"
    if facts.gguf is not None:
        stored += f", from {size_text(facts.gguf.bytes)} of {_word(facts.gguf.kind)}"
    if facts.quantised is not None:
        stored = f"{size_text(facts.weight_bytes)}, quantised by {_word(facts.quantised)}"
    return [
        ("architecture", _word(facts.architecture)),
        ("parameters", _parameters(facts)),
        ("weights", stored),
        *_adapter_rows(facts),
        ("layers", _count(facts.layers)),
        ("attention heads", heads),
        ("width", _count(facts.width)),
        ("vocabulary", _count(facts.vocabulary)),
        ("context", _count(facts.context)),
        ("chat template", _yes(facts.chat_template)),
        ("fills gaps", _yes(facts.fill_in_the_middle)),
        ("cache use", _CACHE_USE[loaded.capabilities.cache] if loaded else "known once loaded"),
        ("figures repeat to", _rounding(loaded)),
    ]


def _adapter_rows(facts: ModelFacts) -> list[tuple[str, str]]:
    if facts.adapter is None:
        return []
    numbers = f"{facts.adapter.numbers:,} numbers"
    return [("adapter", f"{_word(facts.adapter.method)}, {numbers}, added to the weights")]


def _rounding(loaded: LoadedModel | None) -> str:
    """How far the model's figures depend on how a text is read, as seen when it was loaded."""
    rounding = loaded.capabilities.rounding if loaded else None
    return "known once loaded" if rounding is None else str(rounding)


def _parameters(facts: ModelFacts) -> str:
    if facts.parameters is not None:
        return f"{facts.parameters:,}"
    per_number = BYTES_PER_NUMBER.get(facts.precision)
    if per_number is None or facts.quantised is not None:
        return _NOT_STATED
    return f"about {facts.weight_bytes // per_number:,}"


def _memory_rows(choice: ModelChoice, facts: ModelFacts) -> list[tuple[str, str]]:
    need = memory_need(facts, dtype=choice.dtype, tokens=_run_length())
    device = choice.device or devices()[0]
    memory = memory_of(device)
    rows = [
        ("weights", size_text(need.weights)),
        (f"cache, about {need.tokens:,} tokens", _size(need.cache)),
        ("cache, whole context", _size(need.cache_when_full)),
        (f"free on {_word(device)}", f"{size_text(memory.available)} of {size_text(memory.total)}"),
    ]
    if facts.download_bytes is not None:
        rows.insert(0, ("download", size_text(facts.download_bytes)))
    return rows


def _in_memory(loaded: tuple[LoadedModel, ...]) -> None:
    """Every model in memory, with a button that takes it out."""
    st.markdown("**In memory now**")
    if not loaded:
        st.caption("No model: the first run loads one.")
    for number, model in enumerate(reversed(loaded)):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{model.choice}, {size_text(model.bytes)} on {model.device}")
            st.button(
                "Unload", key=f"unload {number}", on_click=_unload, args=(model.choice,),
                help="Frees its memory; the next run loads it again.",
            )  # fmt: skip


def _unload(choice: ModelChoice) -> None:
    try:
        service().unload(choice)
    except TokenScopeError as error:
        st.toast(f"{error.found} {error.action}", icon=":material/error:")


def _warn(choice: ModelChoice, facts: ModelFacts, loaded: tuple[LoadedModel, ...]) -> None:
    """Say beforehand that a model will be refused."""
    device = choice.device or devices()[0]
    freed = sum(model.bytes for model in loaded if model.idle)
    memory = memory_of(device)
    present = min(memory.total, memory.available + freed)
    short = shortage(choice, facts, tokens=_run_length(), present=present)
    if short is not None:
        warn("Too large", f"{short.found} {short.action}", key="too large")


def warn(title: str, said: str, *, key: str) -> None:
    """Draw a warning; what it says is plain text."""
    with st.container(border=True, key=key):
        st.markdown(f":orange[:material/warning:] **{title}**")
        st.text(said)


def _say_replaced(loaded: LoadedModel) -> None:
    """Say where a model's files are no longer those it was loaded from, and offer to load them."""
    changed = changed_files(loaded.files)
    if not changed:
        return
    names = ", ".join(changed[:_NAMED_FILES]) + (", …" if changed[_NAMED_FILES:] else "")
    warn(
        "Its files have changed",
        f"Since this model was loaded: {names}. Runs go on with what is in memory, under its own "
        "identity. Loaded anew it is another model, with traces of its own.",
        key="replaced",
    )
    st.button(
        "Load it anew", icon=":material/refresh:", key="load anew", width="stretch",
        on_click=_unload, args=(loaded.choice,),
        help="Takes the old weights out of memory; the next run loads the files as they are now.",
    )  # fmt: skip


def _run_length() -> int:
    """About how many tokens a run of what the controls say has."""
    state = st.session_state
    written = about_tokens(state.get("prompt") or "", state.get("suffix") or "")
    return written + int(state.get("max_new_tokens") or 0)


def _word(text: str) -> str:
    """Letters, digits and underscores only: a table cell would take the rest for Markdown."""
    return "".join(c for c in text if c.isalnum() or c == "_")


def _count(number: int | None) -> str:
    return _NOT_STATED if number is None else f"{number:,}"


def _size(count: int | None) -> str:
    return _NOT_STATED if count is None else size_text(count)


def _yes(known: bool | None) -> str:
    return {True: "yes", False: "no", None: "not known yet"}[known]
