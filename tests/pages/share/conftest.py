"""A session to share, and a server that has never seen it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from share_screen import REQUEST, run

from tokenscope_core import Edit, Session, Trace
from tokenscope_core.branches.plans import plan
from tokenscope_core.jobs.generation_tasks import Branched
from tokenscope_ui.server.server import service

App = Any


@pytest.fixture
def grown(app: App, tiny_folder: str) -> tuple[Session, list[Trace]]:
    """A run and a branch of it, selected and named; kept as “made”."""
    root = run(tiny_folder, REQUEST)
    edit = Edit(root.prompt_length + 2, (70,))
    child = run(tiny_folder, Branched((plan(root, edit),)))
    session = Session.start(root).add(child, parent=root).rename(child.key, "what if")
    session = session.note(child.key, "a *note*").without_history()
    service().store.put_session("made", session.to_bytes())
    return session, [root, child]


@pytest.fixture
def elsewhere(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Goes on to a server with an empty store."""

    def move() -> None:
        service().close()
        monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "elsewhere"))
        st.cache_resource.clear()

    return move
