"""The default model is loaded while the first page is being read.

It is a job like any other: within the operator's limits, in the queue, on the page *Operator*. A
run that is asked for meanwhile waits for it and says how far the loading has come.
"""

from __future__ import annotations

import logging
import threading

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_core.failures import log_place
from tokenscope_core.jobs.model_preparation import ReadyModel
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files.sources import sources
from tokenscope_core.settings import choice_of
from tokenscope_ui.server.server import service

_LOG = logging.getLogger(__name__)
# The browser fetches scripts of the page until about then, from this same process.
_AFTER_PAGE_S = 1.0


def begin() -> None:
    """Load the model that a run takes by default, a moment after the first page was drawn.

    Once a server, in the background; nothing where the operator set TOKENSCOPE_PRELOAD=off.

    Raises:
        RequestError: it is set to something that it cannot be.
    """
    if choice_of("TOKENSCOPE_PRELOAD", ("on", "off")) == "on":
        _begin_once()


@st.cache_resource(show_spinner=False)
def _begin_once() -> None:
    timer = threading.Timer(_AFTER_PAGE_S, preload, (service(),))
    timer.daemon = True
    timer.start()


def preload(runs: GenerationService) -> None:
    """Ask for the first model that can be chosen without a download, where none is in use yet."""
    try:
        first = next(iter(sources()), None)
        if first is None or first.kind in ("hub", "package") or first.problem is not None:
            return
        if runs.queues():
            return
        runs.analyse(first.name, ReadyModel(), "the server itself")
    except TokenScopeError as refused:
        # Whoever starts a run reads it on the page.
        _LOG.info("The default model is not loaded ahead of a run: %s", refused)
    except Exception as error:
        log_place(_LOG, "The default model was not loaded ahead of a run", error)
