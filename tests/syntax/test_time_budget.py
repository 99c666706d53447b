"""Texts nobody planned: time stays bounded, and what was given up is said to be missing."""

from __future__ import annotations

import pytest
from syntax_traces import trace_of, words

from tokenscope_core import icicle_frame, syntax_frame
from tokenscope_core.syntax import time_budget as budget
from tokenscope_core.syntax.documents.texts import MARKDOWN, cut_text
from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.judging.scopes import scopes_of
from tokenscope_core.syntax.judging.structure import name_marks
from tokenscope_core.syntax.judging.validity import breaking_pieces, standing, validity
from tokenscope_core.syntax.time_budget import Budget, OutOfTime
from tokenscope_core.syntax.unfinished.prefixes import GrowingText

HOSTILE = b"int f() { return 1; }\n" * 400
ANSWER = b"Look:\n```cpp\n" + HOSTILE + b"```\nand\n```python\nx = 1\n```\n"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time at all for whole texts; a second for what is small."""

    def of(text: bytes) -> Budget:
        return Budget(1.0 if len(text) < 1_000 else 0.0)

    monkeypatch.setattr(budget.Budget, "of", of)


def test_a_parse_that_takes_too_long_is_given_up_and_the_next_begins_anew() -> None:
    text = GrowingText(grammar("cpp"), Budget(0.0))
    with pytest.raises(OutOfTime):
        text.feed(HOSTILE)
    text.budget = Budget(10.0)
    assert text.feed(b"int x;\n")
    assert text.ending() == b""


@pytest.mark.usefixtures("hurried")
def test_levels_of_what_was_given_up_are_missing_and_its_bytes_are_there() -> None:
    pieces = cut_text(HOSTILE, "cpp")
    assert pieces.unread == ((0, len(HOSTILE)),)
    assert set(pieces.levels["leaf"]) == {"code"}
    assert set(pieces.levels["function"]) == {""}
    assert not pieces.levels["error"].any()
    assert pieces.end[-1] == len(HOSTILE)
    trace = trace_of(words(HOSTILE))
    assert set(syntax_frame(trace, "cpp")["leaf"]) == {"code"}
    assert icicle_frame(trace, language="cpp")["kind"].tolist() == ["code"]


@pytest.mark.usefixtures("hurried")
def test_verdicts_on_what_was_given_up_are_missing() -> None:
    trace = trace_of(words(HOSTILE))
    found = validity(trace, "cpp")
    assert set(found.completable.tolist()) == {-1}
    assert found.breaks == ()
    assert found.given_up == (0,)
    assert standing(HOSTILE, "cpp") is None
    assert breaking_pieces(trace, len(trace) - 1, [b")", None], "cpp") == (None, None)
    assert scopes_of(trace, len(trace) - 1, "cpp") == ()
    assert name_marks(b"foo(bar)\n" * 200) == ()


def test_one_fence_that_takes_too_long_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares = iter([Budget(0.0), Budget(10.0)] * 2)
    monkeypatch.setattr(Budget, "share", lambda _: next(shares))
    pieces = cut_text(ANSWER, MARKDOWN)
    assert [ANSWER[start:end] for start, end in pieces.unread] == [HOSTILE]
    assert pieces.levels["leaf"].tolist()[-5:] == ["=", "whitespace", "integer", "newline", "fence"]
    found = validity(trace_of(words(ANSWER)), MARKDOWN)
    assert found.given_up == (ANSWER.index(HOSTILE),)
    inside = trace_of(words(ANSWER)).byte_end > ANSWER.index(b"x = 1")
    assert found.completable[inside][0] == 1


def test_two_thousand_fences_are_read_whole_within_what_a_text_may_take() -> None:
    answer = b"```python\ndef f(x):\n    return x\n```\nprose\n" * 2_000
    pieces = cut_text(answer, MARKDOWN)
    assert pieces.unread == ()
    assert len(set(pieces.unit.tolist())) > 2_000
