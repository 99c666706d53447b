"""A run in progress: where it stands, how fast it goes, and the button that stops it."""

from __future__ import annotations

import streamlit as st

from tokenscope_core.jobs import JobView
from tokenscope_ui import runs
from tokenscope_ui.formatting import count_text, duration_text


def show(view: JobView, *, key: str) -> None:
    """Draw the progress of a run that has not ended."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key} progress"):
        st.button(
            "Stop", icon=":material/stop:", on_click=runs.stop, key=f"{key} stop",
            help="Stops now and keeps what has been decoded.",
        )  # fmt: skip
        total = max(1, view.request.max_new_tokens)
        st.progress(min(1.0, view.new_tokens / total), text=progress_text(view))


def progress_text(view: JobView) -> str:
    """The state of a run in one line."""
    match view.phase:
        case "queued":
            return _queued(view.queue_position)
        case "loading":
            return f"Loading the model `{view.model.replace('`', '')}` …"
        case "running" if view.request.max_new_tokens == 0 or view.new_tokens == 0:
            return f"Reading the prompt … {count_text(view.prompt_tokens, 'token')}"
        case "running":
            return _running(view)
        case _:
            return ""


def _queued(position: int | None) -> str:
    if not position:
        return "Starting …"
    verb = "comes" if position == 1 else "come"
    return f"Waiting: {count_text(position, 'run')} of this model {verb} first"


def _running(view: JobView) -> str:
    text = f"{view.new_tokens:,} of {count_text(view.request.max_new_tokens, 'token')}"
    if view.tokens_per_second is not None:
        text += f" · {view.tokens_per_second:.0f} tokens/s"
    if view.seconds_left is not None:
        text += f" · about {duration_text(view.seconds_left)} left"
    return text
