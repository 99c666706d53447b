"""A link to a model that is not on the server yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_hub import NAME, FakeHub
from share_screen import another, tree, until_open

from tokenscope_core import Session, Trace
from tokenscope_core.sharing import links as share

App = Any


@pytest.fixture
def far_away(
    app: App,
    grown: tuple[Session, list[Trace]],
    elsewhere: Callable[[], None],
    tiny_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[FakeHub, str]]:
    """A server that lacks the model of a link, which the hub has; and the link."""
    session = replace(grown[0], model=replace(grown[0].model, name=NAME))
    link = share.encode(session)
    elsewhere()
    monkeypatch.setenv("TOKENSCOPE_MODELS", "")
    hub = FakeHub(Path(tiny_folder))
    hub.go_online(tmp_path / "hub", monkeypatch)
    yield hub, link
    hub.close()


def test_a_model_that_is_not_here_is_downloaded_on_a_word_and_then_opens_the_link(
    app: App, far_away: tuple[FakeHub, str]
) -> None:
    hub, link = far_away
    other = another(app, share=link)
    assert "can be downloaded from the hub" in other.texts
    assert "Open it here" not in other.buttons
    assert not any(name.endswith(".safetensors") for name in hub.served)
    other.press("Download the model")
    other.until(lambda: "Open it here" in other.run().buttons)
    assert "is here, in exactly that version" in other.texts
    assert "Download the model" not in other.buttons
    until_open(other.press("Open it here"))
    assert tree(other).current == other.state.trace.key


def test_a_download_can_be_stopped(app: App, far_away: tuple[FakeHub, str]) -> None:
    hub, link = far_away
    hub.go_on.clear()
    other = another(app, share=link).press("Download the model")
    assert "Stop" in other.buttons
    other.press("Stop")
    hub.go_on.set()
    assert "Stop" not in other.run().buttons
    assert "Download the model" in other.buttons


def test_a_hub_that_does_not_answer_is_said(app: App, far_away: tuple[FakeHub, str]) -> None:
    hub, link = far_away
    other = another(app, share=link)
    hub.close()
    other.press("Download the model").until(lambda: "could not be fetched" in other.run().texts)


def test_a_model_that_the_operator_names_but_has_not_downloaded_can_be(
    app: App, far_away: tuple[FakeHub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", NAME)
    assert "Download the model" in another(app, share=far_away[1]).buttons
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", "tokenscope-py")
    refused = another(app, share=far_away[1])
    assert "does not offer the model" in refused.texts
    assert "Download the model" not in refused.buttons
