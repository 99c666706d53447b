"""The app under `AppTest`, on a tiny model, with a store of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from waiting import WAIT_S

from tokenscope_core import RecordError
from tokenscope_core.models.files import catalogue
from tokenscope_ui.runs import runs
from tokenscope_ui.server.server import service

ROOT = Path(__file__).resolve().parents[2]


class App:
    """The decode page, driven as a person would."""

    def __init__(self, model: str) -> None:
        self.test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=WAIT_S)
        self.test.session_state["model"] = model
        self.test.session_state["max_new_tokens"] = 12

    def open(self, **address: str) -> App:
        for name, value in address.items():
            self.test.query_params[name] = value
        return self.run()

    def run(self) -> App:
        self.test.run()
        assert not self.test.exception, self.test.exception[0].value
        return self

    def press(self, label: str) -> App:
        next(b for b in self.test.button if b.label == label).click()
        return self.run()

    def generate(self, label: str = "Generate") -> App:
        self.press(label)
        return self.until_ended()

    def until_ended(self) -> App:
        return self.until(lambda: not self.run().state.busy)

    def until(self, holds: Callable[[], bool]) -> App:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, "it did not come to that"
            time.sleep(0.02)
        return self

    def jump(self) -> int:
        """Press the first of the most surprising tokens; returns its position."""
        button = next(b for b in self.test.button if (b.key or "").startswith("jump"))
        button.click()
        self.run()
        return int(button.key.split()[1])

    @property
    def state(self) -> runs.RunState:
        if "run_state" not in self.test.session_state:
            return runs.RunState()
        state: runs.RunState = self.test.session_state["run_state"]
        return state

    @property
    def buttons(self) -> list[str]:
        return [button.label for button in self.test.button]

    @property
    def texts(self) -> str:
        elements = (self.test.text, self.test.markdown, self.test.caption, self.test.info)
        return "\n".join(str(e.value) for kind in elements for e in kind)


@pytest.fixture
def app(tiny_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(Path(tiny_folder).parent))
    monkeypatch.delenv("TOKENSCOPE_MODEL", raising=False)
    monkeypatch.setattr(catalogue, "packages_root", lambda: tmp_path / "fetched")
    st.cache_resource.clear()
    yield App(tiny_folder)
    with contextlib.suppress(RecordError):
        service().close()
    st.cache_resource.clear()
