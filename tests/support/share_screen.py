"""The page Share as tests drive it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

import tokenscope_core as ts
from tokenscope_core import Request, Session, Trace
from tokenscope_ui.server.server import service

App = Any


PAGE = "pages/share.py"
REQUEST = Request("def f(a):\n", max_new_tokens=12, sampling=ts.Sampling(1.0, seed=3))


def run(model: str, wanted: Any) -> Trace:
    view = service().submit(model, wanted, "someone").wait(60.0)
    assert view.trace is not None
    return view.trace


def another(app: App, **address: str) -> App:
    """Another visitor, who opens an address."""
    return type(app)("").open(**address)


def open_page(app: App, **address: str) -> App:
    for name, value in address.items():
        app.test.query_params[name] = value
    app.test.switch_page(PAGE)
    return app.run()


def copied(app: App, label: str) -> str:
    """What a copy button puts into the clipboard."""
    for element in app.test.get("bidi_component"):
        data = json.loads(element.proto.json or "{}")
        if data.get("label") == label:
            return str(data["text"])
    raise AssertionError(f"there is no “{label}”")


def payload_of(address: str) -> str:
    return address.partition("?share=")[2]


def tree(app: App) -> Session:
    session: Session = app.test.session_state["session_state"].session
    return session


def named(app: App) -> str:
    """The session that the address names."""
    value = app.test.query_params["session"]
    return value if isinstance(value, str) else str(value[0])


def until_open(app: App) -> App:
    return app.until(lambda: app.run().state.trace is not None)


def forged(trace: Trace) -> Trace:
    """The same recipe, and so the same key, with other figures."""

    entropy = np.where(np.isnan(trace.entropy), np.nan, 0.125)
    return replace(trace, metrics={**trace.metrics, "entropy": entropy})


def bring(app: App, name: str, blob: bytes) -> App:
    app.test.file_uploader[0].upload(name, blob)
    return app.run()
