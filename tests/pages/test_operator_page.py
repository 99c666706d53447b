"""The operator's page: who sees it, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from tokenscope_core import RecordError, Store
from tokenscope_ui.server import visitors


def shown(app: Any) -> str | None:
    """What the page says; None where it is not among the pages."""
    app.open()
    try:
        app.test.switch_page("pages/server.py")
    except ValueError:
        return None
    app.run()
    tables = [str(frame.value) for frame in app.test.dataframe]
    metrics = [f"{metric.label} {metric.value}" for metric in app.test.metric]
    return "\n".join([app.texts, *tables, *metrics])


def test_on_an_open_server_nobody_sees_it(app: Any) -> None:
    assert shown(app) is None


def test_it_tells_of_models_runs_and_the_store(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_OPERATOR_PAGE", "on")
    app.open().generate()
    text = shown(app)
    assert text is not None
    for said in ("Answered without a run", "tiny", "new ones are refused", "traces"):
        assert said in text


def test_those_the_operator_names_see_it_once_signed_in(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_OPERATORS", "Ada@example.org, bob@example.org")
    person: dict[str, object] = {"is_logged_in": True, "iss": "i", "sub": "s"}
    monkeypatch.setattr(visitors, "_user", lambda: person)
    assert shown(app) is None
    person["email"] = "ada@example.org"
    assert "Running for" in (shown(app) or "")
    person["email_verified"] = False
    app.test.switch_page("pages/decode.py")
    assert shown(app) is None


def test_a_store_that_cannot_be_read_is_said_beside_all_other_figures(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_store: object) -> None:
        raise RecordError(asked="a", found="The disk is gone.", action="b")

    monkeypatch.setenv("TOKENSCOPE_OPERATOR_PAGE", "on")
    monkeypatch.setattr(Store, "usage", unreadable)
    text = shown(app)
    assert text is not None
    assert "The disk is gone." in text
    assert "Running for" in text
