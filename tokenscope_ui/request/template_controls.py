"""What a chat template can be told beside the turns; nothing is drawn that a model's lacks."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tokenscope_core import Request, RequestError, TemplateOptions
from tokenscope_core.caching import lru_cache
from tokenscope_core.models.files.json_files import parse_value
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.files.tokenizer_files import chat_templates, special_names
from tokenscope_core.prompts.template_process import TemplateError, variables_of

_DEFAULT = "default"
_SECONDS = 5.0
_VALUES = "template_variables"
DEFAULTS: dict[str, object] = {"template_name": _DEFAULT, "template_tools": "", _VALUES: ()}


def fill(request: Request) -> None:
    """Set the controls to a request's options."""
    options = request.template or TemplateOptions()
    st.session_state.update(
        template_name=options.name or _DEFAULT, template_tools=options.tools,
        template_variables=options.variables,
    )  # fmt: skip
    for key in [key for key in st.session_state if str(key).startswith("template variable ")]:
        del st.session_state[key]


def options() -> TemplateOptions | None:
    """What the controls say; None where they say nothing.

    Raises:
        RequestError: the tools are no JSON list of objects.
    """
    state = st.session_state
    name = None if state["template_name"] == _DEFAULT else state["template_name"]
    found = TemplateOptions(name, state[_VALUES], state["template_tools"])
    return None if found == TemplateOptions() else found


def draw_template_options(files: ModelFiles | None) -> None:
    """Draw an expander for the chosen model's templates, where they read anything but the turns."""
    templates = {} if files is None else dict(chat_templates(files))
    state = st.session_state
    if state["template_name"] not in (_DEFAULT, *templates):
        state["template_name"] = _DEFAULT
    chosen = templates.get(state["template_name"], "")
    variables = () if files is None else _variables(chosen, special_names(files))
    takes_tools = any("tools" in text for text in templates.values())
    named = [name for name in templates if name != _DEFAULT]
    state[_VALUES] = tuple(pair for pair in state[_VALUES] if pair[0] in variables)
    if not takes_tools:
        state["template_tools"] = ""
    if not (variables or takes_tools or named):
        return
    with st.expander("Options of the chat template", key="template options"):
        if named:
            st.selectbox("Template", (_DEFAULT, *named), key="template_name")
        for name in variables:
            _variable(name)
        if takes_tools:
            st.text_area(
                "Tools", key="template_tools", height=110, persist_state="session",
                placeholder='[{"type": "function", "function": {"name": "add"}}]',
                help="A JSON list of tools, as the template expects them.",
            )  # fmt: skip
            try:
                TemplateOptions(tools=state["template_tools"])
            except RequestError as problem:
                st.caption(f":material/error: {problem.found}")


def takes_tools() -> bool:
    """Whether tools are offered, so that a turn may be what one of them answers."""
    return bool(str(st.session_state["template_tools"]).strip())


def _variable(name: str) -> None:
    key = f"template variable {name}"
    value = dict(st.session_state[_VALUES]).get(name)
    st.session_state.setdefault(key, "" if value is None else _as_text(value))
    st.text_input(
        name, key=key, on_change=_set, args=(name,), placeholder="not set",
        help="A variable that the template reads: true, false, a number or a text.",
    )  # fmt: skip


def _set(name: str) -> None:
    typed = str(st.session_state[f"template variable {name}"]).strip()
    others = tuple(pair for pair in st.session_state[_VALUES] if pair[0] != name)
    st.session_state[_VALUES] = (*others, (name, parse_value(typed))) if typed else others


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=32)
def _variables(template: str, special: frozenset[str]) -> tuple[str, ...]:
    try:
        return tuple(n for n in variables_of(template, seconds=_SECONDS) if n not in special)
    except TemplateError:
        return ()  # filling it in says what is wrong with it
