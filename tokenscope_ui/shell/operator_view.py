"""How the server does: models in memory, queues, what was asked for, how full the store is."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from tokenscope_core import RecordError, Store
from tokenscope_core.display.formatting import count_text, duration_text
from tokenscope_core.jobs.model_pool import Queue
from tokenscope_core.jobs.server_figures import ServerFigures
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_ui.request import problems
from tokenscope_ui.server.server import service

REFRESH_S = 2.0
_UNKNOWN = "not known yet"


def draw_server() -> None:
    """Draw the figures of this moment."""
    figures = ServerFigures.of(service())
    with st.container(horizontal=True):
        _figure("Running for", duration_text(figures.running_s))
        rate = figures.hit_rate
        _figure("Answered without a run", _UNKNOWN if rate is None else f"{100 * rate:.0f} %")
        _figure("Memory of the server", size_text(figures.own_bytes))
        _figure(
            "Free on the machine",
            f"{size_text(figures.memory.available)} of {size_text(figures.memory.total)}",
        )
    st.markdown("**Models**")
    _table(_models(figures), "No model is in memory: the first run loads one.")
    st.markdown("**What was asked for since the server began**")
    _table(pd.DataFrame([figures.outcomes]), "")
    st.markdown("**The store**")
    store = service().store
    try:
        _draw_store(store)
    except RecordError as error:
        problems.box(error, title="The store cannot be read")
    if store.gone:
        st.button(
            "Create the store anew, empty", icon=":material/create_new_folder:",
            on_click=_create_anew,
            help="Where it lay before. Do so only if it does not come back: what is kept then is "
            "not brought together with what was there.",
        )  # fmt: skip


def _create_anew() -> None:
    try:
        service().store.create_anew()
    except RecordError as error:
        st.toast(str(error))


def _draw_store(store: Store) -> None:
    _table(_usage(store), "")
    st.caption(
        "Joined: an equal run was in progress. Traces and captures that were not looked at for the "
        "longest time make room at the limit, and are computed again on demand; sessions, short "
        "links and imports stay."
    )
    st.text(_kept_text(store))


def _kept_text(store: Store) -> str:
    """How what people made is spread over them."""
    owners = sorted(store.usage_by_owner().values(), key=lambda kept: -kept.bytes)
    if not owners:
        return "Nobody keeps a session."
    most, bound = owners[0], store.bounds.bytes_per_visitor
    of = "" if bound is None else f" of the {size_text(bound)} that each may keep"
    return (
        f"Sessions are kept for {count_text(len(owners), 'visitor')}; the one with the most has "
        f"{size_text(most.bytes)}{of}, in {count_text(most.records, 'record')}. Without sign-in "
        "every visit counts as a visitor."
    )


def _models(figures: ServerFigures) -> pd.DataFrame:
    loaded = {model.choice: model for model in figures.models}
    return pd.DataFrame(
        {
            "model": str(queue.choice),
            "in memory": size_text(held.bytes) if (held := loaded.get(queue.choice)) else "no",
            "device": held.device if held else "",
            "now": queue.phase or "idle",
            "waiting": queue.waiting,
            "time left": _time_left(queue),
        }
        for queue in figures.queues
    )


def _time_left(queue: Queue) -> str:
    if queue.phase is None and not queue.waiting:
        return ""
    return _UNKNOWN if queue.seconds is None else f"about {duration_text(queue.seconds)}"


def _usage(store: Store) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "part": use.name,
            "records": use.records,
            "on disk": size_text(use.bytes),
            "limit": "none" if use.limit is None else size_text(use.limit),
            "at the limit": "new ones are refused" if use.name == "sessions" else "old ones go",
        }
        for use in store.usage()
    )


def _figure(label: str, value: str) -> None:
    st.metric(label, value, border=True)


def _table(frame: pd.DataFrame, empty: str) -> None:
    if frame.empty:
        st.caption(empty)
    else:
        st.dataframe(frame, hide_index=True)
