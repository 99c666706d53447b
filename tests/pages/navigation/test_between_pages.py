"""What is on screen stays from page to page: the run, how it was asked for, and what was typed."""

from __future__ import annotations

from typing import Any

import pytest

from tokenscope_ui.pages import ATTENTION, BRANCHES, COMPARE, DECODE, SHARE, SYNTAX, Page

App = Any


def asked_otherwise(app: App) -> dict[str, str]:
    """A run that nobody would take for the one that the form offers first; its address."""
    app.open()
    app.test.session_state["prompt"] = "import os\n"
    app.test.session_state["temperature"] = 0.25
    app.test.session_state["max_new_tokens"] = 3
    app.run().generate()
    return {name: value(app, name) for name in ("session", "run")}


def value(app: App, name: str) -> str:
    found = app.test.query_params[name]
    return found if isinstance(found, str) else str(found[0])


def turn_to(app: App, page: Page, **address: str) -> None:
    app.test.switch_page(f"pages/{page.name}.py")
    app.open(**address)


@pytest.mark.parametrize(
    "page", [SYNTAX, ATTENTION, BRANCHES, COMPARE, SHARE], ids=lambda p: p.name
)
def test_the_form_says_how_a_run_was_asked_for_that_another_page_opened(
    app: App, page: Page
) -> None:
    address = asked_otherwise(app)
    later = type(app)(app.test.session_state["model"])
    later.test.switch_page(f"pages/{page.name}.py")
    later.open(**address)
    turn_to(later, DECODE)
    assert later.test.text_area(key="prompt").value == "import os\n"
    assert later.test.slider(key="temperature").value == 0.25
    assert later.test.number_input(key="max_new_tokens").value == 3
    later.generate()
    assert later.state.trace.key == app.state.trace.key, "the same request, run again"


def test_a_link_to_a_session_alone_shows_its_branch(app: App) -> None:
    address = asked_otherwise(app)
    later = type(app)(app.test.session_state["model"])
    later.test.switch_page("pages/compare.py")
    later.open(session=address["session"])
    turn_to(later, DECODE)
    assert later.state.trace.key == app.state.trace.key
    assert later.test.text_area(key="prompt").value == "import os\n"


def test_another_tree_fills_the_form_and_what_was_typed_can_be_had_back(app: App) -> None:
    first = asked_otherwise(app)
    app.test.session_state["prompt"] = "x = 1\n"
    app.run().generate()
    app.test.text_area(key="prompt").set_value("never run").run()
    turn_to(app, BRANCHES)
    app.test.selectbox(key="branches_other").select(first["session"]).run()
    turn_to(app, DECODE)
    assert app.test.text_area(key="prompt").value == "import os\n"
    app.press("Back to my text")
    assert app.test.text_area(key="prompt").value == "never run"


def test_a_text_that_was_run_is_in_its_run_and_is_not_kept_beside_it(app: App) -> None:
    first = asked_otherwise(app)
    app.test.session_state["prompt"] = "x = 1\n"
    app.run().generate()
    app.open(run=first["run"])
    assert app.test.text_area(key="prompt").value == "import os\n"
    assert "Back to my text" not in app.buttons


def test_a_look_at_another_page_leaves_what_is_being_typed_alone(app: App) -> None:
    asked_otherwise(app)
    app.test.text_area(key="prompt").set_value("being typed").run()
    turn_to(app, SYNTAX)
    turn_to(app, DECODE)
    assert app.test.text_area(key="prompt").value == "being typed"


def test_whether_the_prompt_counts_is_in_the_address(app: App) -> None:
    address = asked_otherwise(app)
    turn_to(app, SYNTAX)
    app.test.toggle(key="syntax_prompt").set_value(True).run()
    assert value(app, "prompt") == "1"
    later = type(app)(app.test.session_state["model"])
    later.test.switch_page("pages/syntax.py")
    later.open(**address, prompt="1")
    assert later.test.toggle(key="syntax_prompt").value is True
