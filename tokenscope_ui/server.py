"""What all browser sessions of one server share: the store and the generation service."""

from __future__ import annotations

import sys
import uuid

import streamlit as st

from tokenscope_core import Store
from tokenscope_core.service import GenerationService, Limits

# A decode step takes and gives back the interpreter lock some hundred times. At Python's default of
# 5 ms a page that is being drawn makes every one of them wait that long.
_SWITCH_INTERVAL_S = 0.0005


@st.cache_resource(show_spinner=False)
def service() -> GenerationService:
    """The one service of this server, over the one store."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    return GenerationService(Store(), limits=Limits.from_environment())


def _lost(subscriber: str) -> None:
    service().lose(subscriber)


@st.cache_resource(scope="session", on_release=_lost, show_spinner=False)
def _subscriber() -> str:
    return uuid.uuid4().hex


def subscriber() -> str:
    """Names this browser session to the service, which learns when the session is gone."""
    return _subscriber()
