"""Lines are called by their numbers in the file that a text is part of."""

from __future__ import annotations

import json

import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_core import export
from tokenscope_core.syntax.program import Program

TEXT = "def f(a):\n    return a\n\nf(1)\n"


@pytest.fixture(scope="module")
def part() -> ts.Trace:
    lm = tiny_models.language_model()
    return ts.generate(lm, ts.Request(TEXT, 0, first_line=41))


def test_figures_are_those_of_the_text_alone(part: ts.Trace) -> None:
    alone = ts.score(tiny_models.language_model(), TEXT)
    assert part.logprob[1:].tolist() == alone.logprob[1:].tolist()
    assert "first_line" not in json.dumps(alone.request.to_json())
    assert ts.Trace.from_bytes(part.to_bytes()).first_line == 41
    assert ts.Request.from_json(part.request.to_json()) == part.request


def test_every_table_counts_from_there(part: ts.Trace) -> None:
    by_line = ts.aggregate(part, by="line", metric="surprisal")
    assert sorted(int(line) for line in by_line["line"]) == [41, 42, 43, 44]
    assert Program(part).line_of(0) == 41 and Program(part).line_of(len(TEXT) - 1) == 44
    other = ts.generate(tiny_models.language_model("gpt2"), part.request)
    compared = ts.compare_models(part, other)
    assert ts.line_frame(compared)["line"].tolist() == [41, 42, 43, 44]
    assert ts.span_frame(compared)["line"].iloc[-1] == 44
    assert 'data-number="41"' in export.report(part).decode()
    assert 'data-number="41"' in part._repr_html_()


@pytest.mark.parametrize("line", [0, -3, 2**31, "one", 1.5])
def test_a_number_that_no_line_has_is_refused(line: object) -> None:
    with pytest.raises(ts.RequestError):
        ts.Request("x", 0, first_line=line)  # type: ignore[arg-type]
