"""What a model's authors set for its generation, beside what the controls say."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tokenscope_core import Request
from tokenscope_core.models.files.authors_settings import AuthorsSettings, authors_settings_of
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_ui.request import sampling_controls
from tokenscope_ui.request.sampling_words import in_words

_OFF: dict[str, Any] = {
    "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "repetition_penalty": 1.0,
    "frequency_penalty": 0.0, "presence_penalty": 0.0, "no_repeat_ngram_size": 0,
    "logit_bias": (), "suppress_tokens": (), "stop": (),
}  # fmt: skip
_MANY = 4


def draw_authors_settings(files: ModelFiles | None, request: Request | None) -> None:
    """Draw an expander: what the files ask for, what is left out of it here, how the controls
    differ, and the button that takes it all."""
    if files is None:
        return
    settings = authors_settings_of(files)
    with st.expander("As the model’s authors set it", key="authors settings"):
        if settings.given:
            st.caption(f"Their files say: {_listed(settings.given)}.")
        st.caption(
            f"`generate()` of transformers: {in_words(settings.sampling)}"
            + ("" if settings.given else " Their files ask for nothing else.")
        )
        if settings.idle:
            st.caption(
                f"Without effect, as their files do not say do_sample: {_listed(settings.idle)}."
            )
        if settings.left_out:
            st.caption(f":material/warning: Not followed here: {_listed(settings.left_out)}.")
        differs = differences_words(settings, request) if request is not None else ""
        if request is not None and request.max_new_tokens:
            st.caption(f"The controls: {differs}." if differs else "The controls say the same.")
        st.button(
            "Take these", key="take authors settings", icon=":material/settings_backup_restore:",
            on_click=_take, args=(settings,), disabled=request is None or not differs,
        )  # fmt: skip


def differences_words(settings: AuthorsSettings, request: Request) -> str:
    """In what a request is not as the authors set it, such as `temperature 0.8, not greedy`; empty
    where it is."""
    found = settings.differences(request)
    return "; ".join(
        f"{_name(name)} {_value(name, own)}, not {_value(name, theirs)}"
        for name, own, theirs in found
    )


def _take(settings: AuthorsSettings) -> None:
    asked = Request("", int(st.session_state["max_new_tokens"]), candidates=1)
    sampling_controls.fill_as(settings.applied_to(asked))


def _listed(pairs: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{name} `{_short(value)}`" for name, value in pairs)


def _short(value: Any) -> str:
    text = str(list(value) if isinstance(value, tuple) else value).replace("`", "ˋ")
    return text if len(text) <= 60 else f"{text[:59]}…"


def _name(name: str) -> str:
    return "stop strings" if name == "stop" else name.replace("_", " ")


def _value(name: str, value: Any) -> str:
    if name == "temperature" and value == 0.0:
        return "greedy"
    if value == _OFF.get(name):
        return "off"
    if isinstance(value, tuple):
        return f"{len(value):,} set" if len(value) > _MANY else _short(value)
    return f"{value:g}"
