"""What a person chooses on the page of syntax.

The address holds what differs from the defaults: `as` (the language), `by` (what the table is by),
`code` (the pieces that the code is in).
"""

from __future__ import annotations

from typing import cast

import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.display.scales import STRIP_METRICS
from tokenscope_core.record.metric_registry import OF_ONE_TOKEN
from tokenscope_core.syntax.documents.detection import Detected
from tokenscope_core.syntax.documents.texts import (
    MARKDOWN,
    known_languages,
    language_label,
)
from tokenscope_core.syntax.folding.aggregation import LEVELS as ALL_LEVELS
from tokenscope_core.syntax.folding.aggregation import Level
from tokenscope_ui.components.address import url_choices
from tokenscope_ui.drawing.markdown import as_markdown
from tokenscope_ui.syntax_view import other as compared
from tokenscope_ui.syntax_view.nodes import Width
from tokenscope_ui.syntax_view.other import Other
from tokenscope_ui.syntax_view.pieces import Kind
from tokenscope_ui.syntax_view.reading import KINDS, SyntaxLook
from tokenscope_ui.syntax_view.words import LEVELS
from tokenscope_ui.trace import view_controls
from tokenscope_ui.trace.programs import program_of

DETECT = "detect"
LEVEL_KEY, LANGUAGE_KEY = "syntax_level", "syntax_language"
PROMPT_KEY, KIND_KEY = "syntax_prompt", "syntax_kind"
WIDTH_KEY = "syntax_width"
_KIND: Kind = "statement"
# What is folded here are means over the tokens of a part.
_METRICS = tuple(name for name in STRIP_METRICS if name in OF_ONE_TOKEN)


def draw_syntax_controls(trace: Trace) -> tuple[SyntaxLook, Other | None]:
    """Draw the controls above the code; returns what is chosen, and what it is compared with."""
    found = program_of(trace).detected
    url_choices.take("as", LANGUAGE_KEY, known_languages())
    language = chosen_language() or found.language
    only_given = not bool((trace.source != "prompt").any())
    with st.container(horizontal=True, vertical_alignment="bottom", key="syntax tools"):
        metric = view_controls.metric("Metric", _METRICS)
        kind = _kind()
        level = _level(language)
        other, problem = compared.choose(trace)
        beside_prompt = other is not None and other.prompt_only
        with view_controls.seldom_changed():
            _read_as(found)
            url_choices.take_switch("prompt", PROMPT_KEY)
            prompt = st.toggle(
                "Include the prompt", key=PROMPT_KEY, persist_state="session",
                disabled=beside_prompt or only_given,
                help="What is compared with the prompt is what was generated." if beside_prompt
                else "Nothing was generated here, so all tokens count." if only_given
                else "Its tokens count with the probability the model itself gave them.",
            )  # fmt: skip
            url_choices.tell_switch("prompt", prompt)
            relative = view_controls.relative(what="trace", over="the pieces of this one")
            unit = view_controls.unit()
            invisibles = view_controls.invisibles()
    if chosen_language() is None and found.certainty == "a guess":
        st.caption(f"Read as {language_label(language)}, which is a guess: {found.reason}.")
    if problem is not None:
        st.caption(f":material/info: {as_markdown(problem)}")
    look = SyntaxLook(
        metric=metric, level=level, language=language, prompt=prompt and not beside_prompt,
        unit=unit, relative=relative, invisibles=invisibles,
        kind=kind or _KIND,
    )  # fmt: skip
    return look, other


def _kind() -> Kind | None:
    """Draw the choice of the pieces that the code is in."""
    url_choices.take("code", KIND_KEY, KINDS)
    kind = st.segmented_control(
        "Code in", tuple(KINDS), key=KIND_KEY, required=True,
        # A click in the table sets it too, which a default beside it would be at odds with.
        default=None if KIND_KEY in st.session_state else _KIND,
        format_func=lambda name: KINDS[name], persist_state="session",
        help="The pieces that the code is tinted in, each by the mean of its own tokens; as in "
        "the table: by the mean of the part it belongs to.",
    )  # fmt: skip
    url_choices.tell("code", str(kind or _KIND), _KIND)
    return kind


def _read_as(found: Detected) -> None:
    """Draw the choice of the language, and why one was taken that nobody chose."""
    chosen = st.selectbox(
        "Read as", (DETECT, *known_languages()), key=LANGUAGE_KEY, persist_state="session",
        format_func=lambda name: (
            f"{language_label(found.language)} ({found.certainty})" if name == DETECT
            else language_label(name)
        ),
        help="The first entry is what the text itself suggests.",
    )  # fmt: skip
    url_choices.tell("as", str(chosen), DETECT)
    if chosen == DETECT:
        st.caption(f"Read as {language_label(found.language)}: {found.certainty} ({found.reason}).")


def chosen_language() -> str | None:
    """The language chosen on the page; None where the text itself is to suggest it."""
    chosen = st.session_state.get(LANGUAGE_KEY)
    return chosen if chosen in known_languages() else None


def _level(language: str) -> Level:
    offered = [level for level in ALL_LEVELS if level != "language" or language == MARKDOWN]
    url_choices.take("by", LEVEL_KEY, offered)
    if st.session_state.get(LEVEL_KEY) not in offered:
        st.session_state.pop(LEVEL_KEY, None)
    chosen = st.selectbox(
        "Table by", offered, key=LEVEL_KEY, width=220, persist_state="session",
        format_func=lambda name: LEVELS[name],
    )  # fmt: skip
    url_choices.tell("by", chosen, offered[0])
    return chosen


def width() -> Width:
    """What the width of a node of the tree stands for."""
    chosen = st.segmented_control(
        "Width", ("tokens", "bytes"), default="tokens", key=WIDTH_KEY, required=True,
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    return cast(Width, chosen)


def include_prompt() -> None:
    """Let the prompt count."""
    st.session_state[PROMPT_KEY] = True


def show_parts() -> None:
    """Show the code in the parts of the table."""
    st.session_state[KIND_KEY] = "part"
