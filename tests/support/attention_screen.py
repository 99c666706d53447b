"""What the tests of the page of attention look at, and what it has to show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tiny_models import language_model

import tokenscope_core as ts
from tokenscope_core.attention.on_demand import attention
from tokenscope_ui.attention.view_choice import AttentionLook

App = Any
PAGE = "pages/attention.py"
APP = Path(__file__).resolve().parents[2] / "app.py"
PROMPT = "def add(a, b):\n"
LAYER = 1
CAPTURE = f"Capture layer {LAYER}"


def captured(trace: ts.Trace, layer: int = LAYER) -> Any:
    """What the page has to show, from the same weights."""
    return attention(reader(trace), trace, layers=[layer])


def reader(trace: ts.Trace) -> Any:
    """The same weights under the name that the trace knows them by."""
    lm = language_model()
    return replace(lm, identity=trace.model)


def look_of(page: App) -> AttentionLook:
    look: AttentionLook = page.test.session_state["attention"]
    return look


def table_with(page: App, *columns: str) -> Any:
    """The first table that has such columns."""
    return next(t.value for t in page.test.dataframe if {*columns} <= {*t.value})


def sources(page: App) -> Any:
    return table_with(page, "even", "token")


def settled(page: App, wanted: str) -> App:
    return page.until(lambda: wanted in page.run().texts)
