"""A run in progress: where it stands, how fast it goes, and the button that stops it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from tokenscope_core.display.formatting import count_text, duration_text
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_core.jobs.job import Place
from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_core.models.files.memory_need import size_text


def show_progress(
    view: JobView | AnalysisView,
    *,
    key: str,
    on_stop: Callable[[], None],
    help: str | None = None,
    text: str = "",
) -> None:
    """Draw the progress of a run or an analysis that has not ended, and the button that stops it.

    Args:
        view: where it stands.
        key: names it on the page.
        on_stop: stops it.
        help: what stopping does.
        text: what an analysis says once it has begun.
    """
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key} progress"):
        stop_button(on_stop, key=key, help=help)
        said = text if isinstance(view, AnalysisView) else progress_text(view)
        st.progress(progress_share(view), text=waiting_text(view) or said)


def stop_button(on_stop: Callable[[], None], *, key: str, help: str | None = None) -> None:
    """Draw the button that stops what is in progress."""
    st.button("Stop", icon=":material/stop:", on_click=on_stop, key=f"{key} stop", help=help)


def progress_share(view: JobView | AnalysisView) -> float:
    """How much of what is going on has been done, 0 to 1."""
    if view.phase == "loading":
        load = view.load
        return min(1.0, load.done / load.total) if load is not None and load.total else 0.0
    if isinstance(view, AnalysisView):
        return min(1.0, view.done / view.total) if view.total else 0.0
    if _reading(view):
        return min(1.0, view.prompt_tokens / view.prompt_length) if view.prompt_length else 0.0
    return min(1.0, view.new_tokens / max(1, view.most_new_tokens))


def waiting_text(view: JobView | AnalysisView) -> str:
    """What comes before a job begins: others, or its model is loaded; empty once it has begun."""
    match view.phase:
        case "queued" if view.place is not None and view.place.load is not None:
            return _loading(view, view.place.load)
        case "queued":
            return _queued(view.place)
        case "loading":
            return _loading(view, view.load)
        case _:
            return ""


def steps_text(view: AnalysisView, what: str, after: str = "") -> str:
    """How many steps of an analysis are done, and how long the rest takes."""
    text = f"{view.done:,} of {count_text(view.total, what)}{after}"
    if view.seconds_left is not None:
        text += f" · about {duration_text(view.seconds_left)} left"
    return text


def progress_text(view: JobView) -> str:
    """The state of a run in one line."""
    match view.phase:
        case "queued" | "loading":
            return waiting_text(view)
        case "running" if _reading(view):
            return _share_text("Reading the prompt", view.prompt_tokens, view.prompt_length)
        case "running":
            return _running(view)
        case _:
            return ""


def _reading(view: JobView) -> bool:
    return view.most_new_tokens == 0 or view.new_tokens == 0


def _share_text(doing: str, done: int, total: int | None) -> str:
    if total is None:
        return f"{doing} …"
    return f"{doing} … {done:,} of {count_text(total, 'token')}"


def _loading(view: JobView | AnalysisView, load: LoadProgress | None) -> str:
    name = f"`{str(view.model).replace('`', '')}`"
    match load:
        case LoadProgress("waiting"):
            return f"Waiting for room in memory for {name}: other models are running"
        case LoadProgress("downloading", done, total) if total:
            return f"Downloading {name} … {100 * done / total:.0f} % of {size_text(total)}"
        case LoadProgress("downloading"):
            return f"Asking the hub for {name} …"
        case LoadProgress("converting", done, total) if total:
            return f"Converting {name} to safetensors, once … {done:,} of {total:,} tensors"
        case LoadProgress("identifying", done, total) if total:
            return f"Reading {name} once, to tell it from others … {_of_size(done, total)}"
        case LoadProgress("starting"):
            return f"Starting torch for {name} …"
        case LoadProgress("loading", done, total) if done and done == total:
            return f"Checking that {name} computes as it should …"
        case LoadProgress("loading", done, total) if total and done:
            return f"Loading the model {name} … {_of_size(done, total)}"
        case _:
            return f"Loading the model {name} …"


def _of_size(done: int, total: int) -> str:
    """`120 of 480 MB`: both in the unit of the total."""
    number, unit = size_text(total).split()
    factor = float(number.replace(",", "")) / total
    return f"{done * factor:,.1f} of {number} {unit}"


def _queued(place: Place | None) -> str:
    if place is None or not place.position:
        return "Starting …"
    verb = "comes" if place.position == 1 else "come"
    text = f"Waiting: {count_text(place.position, 'run')} of this model {verb} first"
    if place.seconds is not None and place.seconds >= 1:
        text += f" · about {duration_text(place.seconds)}"
    return text


def _running(view: JobView) -> str:
    text = f"{view.new_tokens:,} of {count_text(view.most_new_tokens, 'token')}"
    if view.texts > 1:
        text += f" in {view.texts} branches"
    if view.tokens_per_second is not None:
        text += f" · {view.tokens_per_second:.0f} tokens/s"
    if view.seconds_left is not None:
        text += f" · about {duration_text(view.seconds_left)} left"
    return text
