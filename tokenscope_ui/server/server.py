"""What all browser sessions of one server share: the store and the generation service."""

from __future__ import annotations

import logging
import sys
import tempfile
import uuid

import streamlit as st
from altair.utils import schemapi

from tokenscope_core import RecordError, RequestError, Store
from tokenscope_core.jobs.activity_log import log_to_stderr
from tokenscope_core.jobs.service import GenerationService, Limits
from tokenscope_core.settings import choice_of
from tokenscope_ui.server.malloc_arenas import share_heaps

_LOG = logging.getLogger(__name__)
# A decode step takes and gives back the interpreter lock some hundred times. At Python's default of
# 5 ms a page that is being drawn makes every one of them wait that long.
_SWITCH_INTERVAL_S = 0.0005
_TEMPORARY = (
    "The store's folder cannot be used; the server's log says why. Until that is mended, what is "
    "made here lasts only as long as the server runs: save what you need."
)
_SET_ASIDE = (
    "The file that held the sessions was found damaged and has been moved aside as it was. What "
    "could be read of it opens as before; the server's log says how much that is, and where the "
    "file is. New sessions are kept again."
)
_GONE = (
    "The folder of the store is gone: it was deleted or moved, or its disk is not mounted. Nothing "
    "is kept until it is back: download what you need. Whoever runs the server can create it anew, "
    "empty, on the page Operator or by starting the server again."
)


@st.cache_resource(show_spinner=False)
def service() -> GenerationService:
    """The one service of this server, over the one store."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    share_heaps()
    # Nor are the parts of charts checked one by one; see `chart_files.draw_chart`.
    schemapi.disable_debug_mode()
    log_to_stderr(as_json=choice_of("TOKENSCOPE_LOG", ("text", "json")) == "json")
    return GenerationService(_store()[0], limits=Limits.from_environment())


def notices() -> tuple[str, ...]:
    """What visitors have to know about the store, sentences; mostly nothing."""
    try:
        store, at_start = _store()
    except RequestError as malformed:
        return (str(malformed),)
    damaged = (_SET_ASIDE,) if store.notices else ()
    return (*at_start, *damaged, *((_GONE,) if store.gone else ()))


@st.cache_resource(show_spinner=False)
def _store() -> tuple[Store, tuple[str, ...]]:
    """The store, or where its folder cannot be used one that lasts as long as the server.

    The log names folders and causes; visitors are told what it means for them.
    """
    bounds = Limits.from_environment().storage_bounds
    try:
        store = Store(bounds=bounds)
    except RecordError as error:
        _LOG.error("%s", error)
        return Store(tempfile.mkdtemp(prefix="tokenscope-"), bounds=bounds), (_TEMPORARY,)
    return store, ()


def _lost(subscriber: str) -> None:
    service().lose(subscriber)


@st.cache_resource(scope="session", on_release=_lost, show_spinner=False)
def _subscriber() -> str:
    return uuid.uuid4().hex


def subscriber() -> str:
    """Names this browser session to the service, which learns when the session is gone."""
    return _subscriber()
