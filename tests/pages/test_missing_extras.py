"""Where an optional package is not installed, a page does the rest and says how to have it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from syntax_traces import trace_of, words

from tokenscope_core.syntax.documents import recognition
from tokenscope_core.syntax.documents.detection import language_of
from tokenscope_ui.drawing import chart_files
from tokenscope_ui.drawing.chart_files import PICTURES_MISSING
from tokenscope_ui.server.lru_cache import Remembered
from tokenscope_ui.trace import programs

CODE = b"def add(a, b):\n    return a + b\n"


@pytest.fixture
def without_classifier(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    remembered = (recognition._classifier, recognition.recognise)
    monkeypatch.setitem(sys.modules, "magika", None)
    monkeypatch.setattr(programs, "_programs", Remembered(10**6))
    for function in remembered:
        function.cache_clear()
    yield
    for function in remembered:
        function.cache_clear()


@pytest.mark.usefixtures("without_classifier")
def test_without_the_classifier_a_language_is_a_guess_that_says_so() -> None:
    with pytest.warns(UserWarning, match=r'pip install "tokenscope-code\[recognition\]"'):
        found = language_of(trace_of(words(CODE)))
    assert (found.language, found.certainty) == ("python", "a guess")
    assert recognition.BY_GRAMMAR_ALONE in found.reason
    assert recognition.recognise(b"#include <vector>\nstd::vector<int> v;\n").language == "cpp"
    assert recognition.recognise(b"Once upon a time there was a fox.\n").language is None


@pytest.mark.usefixtures("without_classifier")
@pytest.mark.filterwarnings("ignore:TokenScope:UserWarning")
def test_the_syntax_page_says_how_the_language_was_told(app: Any) -> None:
    app.open(prompt=CODE.decode()).generate()
    app.test.switch_page("pages/syntax.py")
    app.run()
    assert any(recognition.BY_GRAMMAR_ALONE in caption.value for caption in app.test.caption)


def test_without_a_renderer_charts_are_offered_as_their_source(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert not chart_files.draws_pictures()
    app.open().generate()
    app.test.switch_page("pages/share.py")
    app.run()
    assert any(PICTURES_MISSING in caption.value for caption in app.test.caption)
    names = [button.label for button in app.test.get("download_button")]
    assert "Vega-Lite JSON" in names
    assert not {"PNG", "SVG"} & set(names)


def test_with_a_renderer_nothing_is_said_to_be_missing(app: Any) -> None:
    app.open().generate()
    app.test.switch_page("pages/share.py")
    app.run()
    assert not any(PICTURES_MISSING in caption.value for caption in app.test.caption)
    assert {"PNG", "SVG"} <= {button.label for button in app.test.get("download_button")}
