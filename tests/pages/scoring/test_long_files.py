"""Scoring files on the decode page: opened, in part, and longer than the model's context."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import tiny_models

from tokenscope_core.prompts.windows import DEFAULT_OVERLAP

App = Any
CONTEXT = tiny_models.CONTEXT
LONG = "".join(f"def f{i}(a):\r\n    return a + {i}\r\n" for i in range(60))
LINES = LONG.count("\n")


def scoring(app: App, *files: tuple[str, bytes]) -> App:
    app.open()
    app.test.session_state["mode"] = "Score code"
    app.run()
    if files:
        app.test.file_uploader(key="uploaded files").upload(*files[0])
        for file in files[1:]:
            app.test.file_uploader(key="uploaded files").upload(*file)
        app.run()
    return app


def test_a_file_is_scored_as_it_is_in_windows_that_are_offered_before(app: App) -> None:
    scoring(app, ("long.py", LONG.encode()))
    assert f"{LINES} lines" in app.texts and "CR LF" in app.texts
    assert "context holds 512" in app.texts and "It is read in" in app.texts
    assert "is known once this model has scored" in app.texts
    app.generate("Score")
    trace = app.state.trace
    assert trace.text == LONG and trace.request.overlap == DEFAULT_OVERLAP
    assert f"It is read in {len(trace.seams) + 1} windows" in app.texts
    assert "At the speed of the last text it scored" in app.texts


def test_the_overlap_can_be_chosen(app: App) -> None:
    scoring(app, ("long.py", LONG.encode()))
    app.test.number_input(key="overlap").set_value(40)
    app.run().generate("Score")
    assert app.state.trace.request.overlap == 40
    assert app.state.trace.context_length[app.state.trace.seams[0]] == 41


def test_lines_of_a_file_keep_their_numbers(app: App) -> None:
    scoring(app, ("long.py", LONG.encode()))
    app.test.number_input(key="From line").set_value(21)
    app.run()
    app.test.number_input(key="to line").set_value(30)
    app.run().generate("Score")
    trace = app.state.trace
    assert trace.text == "".join(LONG.splitlines(keepends=True)[20:30])
    assert trace.first_line == 21 and trace.request.overlap is None


def test_only_the_tail_that_fits_can_be_scored_with_its_lines_numbers(app: App) -> None:
    scoring(app, ("long.py", LONG.encode()))
    app.test.button(key="only the tail").click()
    app.run().generate("Score")
    trace = app.state.trace
    assert trace.request.overlap is None and LONG.endswith(trace.text)
    assert trace.first_line == LINES - trace.text.count("\n") + 1
    assert len(trace) <= CONTEXT


def test_a_typed_text_is_offered_windows_and_its_tail_too(app: App) -> None:
    scoring(app)
    app.test.text_area(key="prompt").set_value(LONG.replace("\r\n", "\n"))
    app.run()
    assert "context holds 512" in app.texts
    app.test.button(key="only the tail").click()
    app.run().generate("Score")
    assert app.state.trace.first_line > 1
    app.test.text_area(key="prompt").set_value("x = 1\n")
    app.run().generate("Score")
    assert app.state.trace.text == "x = 1\n" and app.state.trace.first_line == 1


def test_many_files_are_a_list_to_choose_from(app: App) -> None:
    scoring(app, ("b.py", b"b = 2\n"), ("a.py", b"a = 1\n"))
    chooser = app.test.selectbox(key="open file")
    assert chooser.options == ["a.py", "b.py"]
    chooser.set_value(1)
    app.run().generate("Score")
    assert app.state.trace.text == "b = 2\n"
    app.press("Close")
    assert app.test.text_area(key="prompt").value


@pytest.mark.parametrize(
    ("raw", "words"), [(b"x = '\xff'\n", "0xFF"), (b"", "is empty"), (b"\0\xff", "NUL")]
)
def test_what_cannot_be_scored_says_why_and_runs_nothing(app: App, raw: bytes, words: str) -> None:
    scoring(app, ("odd.py", raw))
    assert words in app.texts
    assert next(b for b in app.test.button if b.label == "Score").disabled
    app.press("Close")
    assert not next(b for b in app.test.button if b.label == "Score").disabled


def test_a_link_to_lines_of_a_file_counts_them_as_the_file_does(app: App) -> None:
    test_lines_of_a_file_keep_their_numbers(app)
    key = app.state.trace.key
    other = type(app)(app.test.session_state["model"])
    other.open(run=key)
    assert other.state.trace.first_line == 21
    assert other.test.number_input(key="first line").value == 21


def test_a_token_behind_a_seam_can_be_replaced_and_attention_is_not_offered(app: App) -> None:
    scoring(app, ("long.py", LONG.encode()))
    app.generate("Score")
    parent = app.state.trace
    position = int(parent.seams[0]) + 5
    app.test.session_state["run_state"] = replace(app.state, selected=position)
    app.run()
    app.test.button(key="put candidate").click()
    app.run().until_ended()
    child = app.state.trace
    assert app.state.problem is None and child.parent == (parent.key, position)
    assert child.context_length[position] == parent.context_length[position]
    app.test.switch_page("pages/attention.py").run()
    assert not app.test.exception and "no one pass over it has attention" in app.texts
