"""Files that a visitor brings: a session, a trace, an engine's answer with log-probabilities.

What they say is shown as it stands and kept apart from what was computed here (`from_file`).
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from tokenscope_core import (
    Imported,
    RecordError,
    Shared,
    TokenScopeError,
    Trace,
    import_answer,
)
from tokenscope_core.interchange.answer_file import is_text_of_an_answer
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.sessions.uploads import alone, is_from_file
from tokenscope_core.sharing import session_file
from tokenscope_ui.request import model_picker, problems
from tokenscope_ui.share import opening

_UPLOAD = "brought file"
_PROBLEM = "brought file problem"
_SEEN = "brought file seen"
_NAMELESS = "brought answer without bytes"
_TOKENIZER = "tokenizer of a brought answer"
_TYPES = ("tokenscope", "zip", "arrow", "json", "jsonl", "ndjson", "txt", "sse")


@dataclass(frozen=True, slots=True)
class _Nameless:
    """An answer that gives ids in place of bytes, until somebody names the tokenizer."""

    blob: bytes
    found: Imported


def draw_upload() -> None:
    """The place for a file, and why the last one could not be used."""
    uploaded = st.file_uploader(
        "A session file (.tokenscope), a trace (.arrow), or an engine's answer with logprobs "
        "(.json; a stream as .jsonl or .txt)",
        type=list(_TYPES), key=_UPLOAD,
        help="Answers of OpenAI's APIs, vLLM, llama.cpp, Ollama, text-generation-inference and "
        "Gemini are read.",
    )  # fmt: skip
    if uploaded is None:
        for name in (_PROBLEM, _SEEN, _NAMELESS):
            st.session_state.pop(name, None)
    elif st.session_state.get(_SEEN) != uploaded.file_id:
        st.session_state[_SEEN] = uploaded.file_id
        st.session_state.pop(_NAMELESS, None)
        _take(uploaded.getvalue())
    nameless = st.session_state.get(_NAMELESS)
    if nameless is not None:
        _ask_for_tokenizer(nameless)
    problem = st.session_state.get(_PROBLEM)
    if problem is not None:
        problems.box(problem, title="That file cannot be used", key="problem file")


def _take(blob: bytes, tokenizer: str | None = None) -> None:
    """Look at a file, and draw the page anew; or say below why it cannot be used."""
    try:
        with st.spinner("Reading the file …"):
            take(blob, tokenizer)
    except TokenScopeError as refused:
        st.session_state[_PROBLEM] = refused
    else:
        st.session_state.pop(_PROBLEM, None)
        st.rerun()


def _ask_for_tokenizer(nameless: _Nameless) -> None:
    with st.container(border=True, key="tokenizer wanted"):
        st.text(_origin(nameless.found))
        model_picker.select("Read it with the tokenizer of", _TOKENIZER)
        with st.container(horizontal=True, key="tokenizer ways"):
            chosen = st.button("Read with this tokenizer", type="primary")
            plain = st.button(
                "Open without", help="Tokens of unknown bytes are shown by their ids, and are not "
                "in the text.",
            )  # fmt: skip
    if chosen:
        _take(nameless.blob, str(st.session_state.get(_TOKENIZER) or ""))
    elif plain:
        st.session_state.pop(_NAMELESS)
        _open_answer(nameless.found)
        st.rerun()


def take(blob: bytes, tokenizer: str | None = None) -> None:
    """Look at what a file holds.

    Args:
        blob: the file.
        tokenizer: of an answer that gives ids, the model whose tokenizer tells their bytes.

    Raises:
        RecordError: it is none of the files that can be read, or damaged.
        ModelError: the tokenizer cannot be used.
    """
    if blob.startswith(b"PK"):
        opened = session_file.read(blob)
        opening.take_file(opened.shared, opened.traces, opened.problems)
    elif blob.startswith(b"ARROW1"):
        _open_trace(Trace.from_bytes(blob))
    elif is_text_of_an_answer(blob):
        found = import_answer(blob, tokenizer=tokenizer)
        if found.needs_tokenizer and tokenizer is None:
            st.session_state[_NAMELESS] = _Nameless(blob, found)
        else:
            st.session_state.pop(_NAMELESS, None)
            _open_answer(found)
    else:
        raise RecordError(
            asked="A file was to be opened.",
            found="It is no session file, no trace in Arrow, and no answer in JSON.",
            action="Take a file that TokenScope wrote, or the whole response of an engine with "
            "logprobs.",
        )


def _open_answer(found: Imported) -> None:
    _open_trace(found.trace, note=_origin(found))


def _open_trace(trace: Trace, note: str = "") -> None:
    session = alone(trace).note(trace.key, note).without_history()
    shared = Shared(session, {}, ModelChoice(trace.model.name))
    opening.take_file(shared, {trace.key: trace}, _notes(trace))
    if is_from_file(trace.model) or trace.branch is not None:
        # Nothing to choose: it cannot be computed, and is shown as it stands.
        opening.open_figures()


def _origin(found: Imported) -> str:
    """What the answer was recognised as, and what is to be said of it."""
    return "\n".join((f"Read as: {found.format}.", *found.notes))


def _notes(trace: Trace) -> tuple[str, ...]:
    if trace.branch is not None:
        return ("The trace is a branch without the run it grew on: it is shown by itself.",)
    return ()
