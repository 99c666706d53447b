"""Files that a visitor brings: a session, a trace, log-probabilities in OpenAI's JSON.

What they say is shown as it stands and kept apart from what was computed here (`from_file`).
"""

from __future__ import annotations

import streamlit as st

from tokenscope_core import (
    RecordError,
    Shared,
    TokenScopeError,
    Trace,
    import_openai_logprobs,
    session_file,
)
from tokenscope_core.from_file import alone, is_from_file
from tokenscope_core.model_choice import ModelChoice
from tokenscope_ui import problems
from tokenscope_ui.share import opening

_UPLOAD = "brought file"
_PROBLEM = "brought file problem"
_SEEN = "brought file seen"
_TYPES = ("tokenscope", "zip", "arrow", "json")


def draw() -> None:
    """The place for a file, and why the last one could not be used."""
    uploaded = st.file_uploader(
        "A session file (.tokenscope), a trace (.arrow), or a response of an OpenAI-style API with "
        "logprobs (.json)",
        type=list(_TYPES), key=_UPLOAD,
    )  # fmt: skip
    if uploaded is None:
        st.session_state.pop(_PROBLEM, None)
        st.session_state.pop(_SEEN, None)
    elif st.session_state.get(_SEEN) != uploaded.file_id:
        st.session_state[_SEEN] = uploaded.file_id
        try:
            take(uploaded.getvalue())
        except TokenScopeError as refused:
            st.session_state[_PROBLEM] = refused
        else:
            st.session_state.pop(_PROBLEM, None)
            st.rerun()
    problem = st.session_state.get(_PROBLEM)
    if problem is not None:
        problems.box(problem, title="That file cannot be used", key="problem file")


def take(blob: bytes) -> None:
    """Look at what a file holds.

    Raises:
        RecordError: it is none of the files that can be read, or damaged.
    """
    if blob.startswith(b"PK"):
        opened = session_file.read(blob)
        opening.take_file(opened.shared, opened.traces, opened.problems)
        return
    trace = _trace(blob)
    session = alone(trace)
    shared = Shared(session, {}, ModelChoice(trace.model.name))
    opening.take_file(shared, {trace.key: trace}, _notes(trace))
    if is_from_file(trace.model) or trace.branch is not None:
        # Nothing to choose: it cannot be computed, and is shown as it stands.
        opening.open_figures()


def _trace(blob: bytes) -> Trace:
    if blob.startswith(b"ARROW1"):
        return Trace.from_bytes(blob)
    if blob.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return import_openai_logprobs(blob)
    raise RecordError(
        asked="A file was to be opened.",
        found="It is no session file, no trace in Arrow, and no JSON.",
        action="Take a file that TokenScope wrote, or the whole response of an API with logprobs.",
    )


def _notes(trace: Trace) -> tuple[str, ...]:
    if trace.branch is not None:
        return ("The trace is a branch without the run it grew on: it is shown by itself.",)
    return ()
