"""The page of attention of a run of a tiny model."""

from __future__ import annotations

from typing import Any

import pytest
from attention_screen import PAGE, PROMPT

import tokenscope_core as ts
from tokenscope_ui.server.server import service

App = Any


@pytest.fixture
def page(app: App) -> App:
    app.test.switch_page(PAGE)
    return app


@pytest.fixture
def trace(page: App, tiny_folder: str) -> ts.Trace:
    """A run of a model that this server has, and has in memory."""
    request = ts.Request(PROMPT, max_new_tokens=20)
    made_here = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert made_here is not None
    return made_here
