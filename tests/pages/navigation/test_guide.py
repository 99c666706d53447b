"""A first example leads through the pages, and needs no model."""

from __future__ import annotations

from typing import Any

import pytest

from tokenscope_core.models.files.sources import sources
from tokenscope_ui.guide.recording import FILE, read
from tokenscope_ui.pages import METRICS

App = Any
PAGES = ("decode", "branches", "compare", "syntax", "attention")


@pytest.fixture
def recorded() -> Any:
    return read(FILE.read_bytes())


def press(app: App, key: str) -> App:
    app.test.button(key=key).click()
    return app.run()


def keys(app: App) -> set[str]:
    return {button.key for button in app.test.button}


def test_five_steps_lead_through_the_pages_without_a_model(app: App, recorded: Any) -> None:
    models = {trace.model.fingerprint for trace in recorded.traces.values()}
    assert all(source.name not in ("smollm2", *models) for source in sources())
    press(app.open(), "guide begin")
    for number, page in enumerate(PAGES, 1):
        assert f"{number} of 5" in app.texts
        assert not app.test.error
        assert app.state.trace.key in recorded.traces
        said = "of the attention sat on" if page == "attention" else ""
        assert said in app.texts
        if page == "compare":
            assert "the model’s expectations differ" in app.texts, "measured beforehand"
        if number < len(PAGES):
            press(app, "guide next")
    assert "guide own" in keys(app)


def test_at_the_end_stands_an_empty_box_for_code(app: App) -> None:
    press(app.open(), "guide begin")
    for _ in PAGES[1:]:
        press(app, "guide next")
    press(app, "guide own")
    assert "of 5" not in app.texts
    assert app.test.session_state["mode"] == "Score code"
    assert app.test.text_area(key="prompt").value == ""
    assert app.state.trace is None
    app.test.text_area(key="prompt").set_value("x = 1\n")
    app.run().generate("Score")
    assert app.state.trace.text == "x = 1\n"
    assert "guide begin" not in keys(app)


def test_it_can_be_left_and_declined(app: App, recorded: Any) -> None:
    press(press(app.open(), "guide begin"), "guide leave")
    assert "of 5" not in app.texts
    assert app.state.trace.key in recorded.traces, "the session stays open"
    other = type(app)(app.test.session_state["model"]).open()
    press(other, "guide decline")
    assert "guide begin" not in keys(other)


def test_it_is_offered_only_where_there_is_nothing_of_ones_own(app: App) -> None:
    app.open()
    assert "guide begin" in keys(app)
    app.generate()
    assert "guide begin" not in keys(app)
    found = app.test.query_params["session"]
    session = found if isinstance(found, str) else found[0]
    by_link = type(app)(app.test.session_state["model"])
    assert "guide begin" not in keys(by_link.open(session=session))
    assert by_link.state.trace.key == app.state.trace.key
    other = type(app)(app.test.session_state["model"])
    other.test.switch_page(f"pages/{METRICS.name}.py")
    assert "guide begin" not in keys(other.open())


def test_one_who_strays_is_led_back(app: App) -> None:
    press(app.open(), "guide begin")
    app.test.switch_page(f"pages/{METRICS.name}.py")
    press(app.run(), "guide again")
    assert "1 of 5" in app.texts
    assert app.state.selected is not None


def test_the_steps_back_and_again_make_no_further_copies(app: App) -> None:
    press(app.open(), "guide begin")
    name = app.test.query_params["session"]
    for key in ("guide next", "guide next", "guide back", "guide back"):
        press(app, key)
    assert app.test.query_params["session"] == name
