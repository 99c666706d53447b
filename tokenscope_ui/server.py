"""What all browser sessions of one server share: the store and the generation service."""

from __future__ import annotations

import uuid

import streamlit as st

from tokenscope_core import Store
from tokenscope_core.service import GenerationService


@st.cache_resource(show_spinner=False)
def service() -> GenerationService:
    """The one service of this server, over the one store."""
    return GenerationService(Store())


def _lost(subscriber: str) -> None:
    service().lose(subscriber)


@st.cache_resource(scope="session", on_release=_lost, show_spinner=False)
def _subscriber() -> str:
    return uuid.uuid4().hex


def subscriber() -> str:
    """Names this browser session to the service, which learns when the session is gone."""
    return _subscriber()
