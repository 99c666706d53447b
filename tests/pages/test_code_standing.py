"""What the decode page says of a trace as code: valid, unfinished or broken, and by which token."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from syntax_traces import trace_of, words

from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.judging.validity import breaking_candidates
from tokenscope_core.syntax.program import Program
from tokenscope_ui.components.strip import TokenFlag
from tokenscope_ui.drawing.charts import BREAKS, CAN_GO_ON, candidate_table, verdict_ribbon
from tokenscope_ui.server.server import service
from tokenscope_ui.trace import code_standing
from tokenscope_ui.trace.strip_payload import build_payload, strip_payload

App = Any
BROKEN = "def f(a):\n    b = (a + 1\n    return b)\n"
UNFINISHED = "def f(a):\n    if a:\n        return [a, (1"
COMPLETE = "def f(a):\n    return a\n"
PROSE = "Once upon a time there was a fox, who was not so old at all.\n"


def traced(text: str) -> Trace:
    """Before each token: itself, and what breaks nearly any code."""
    return trace_of(words(text), candidates=[[piece, b" )]} ", b" x"] for piece in words(text)])


def place(text: str, token: bytes) -> int:
    return words(text).index(token)


def at_decode(app: App, trace: Trace, position: int | None = None) -> App:
    service().store.put(trace)
    app.open(run=trace.key)
    if position is not None:
        app.test.session_state["run_state"] = replace(app.state, selected=position)
        app.run()
    return app


def test_the_token_that_broke_the_code_is_flagged_on_the_strip_with_the_reason() -> None:
    trace = traced(BROKEN)
    broke = code_standing.breaks(Program(trace))
    assert [words(BROKEN)[position] for position in broke] == [b"return"]
    payload = json.loads(
        strip_payload(
            trace, "surprisal", run="r", relative=False, unit="bits", invisibles=False, broken=broke
        )
    )
    flagged = [i for i, flag in enumerate(payload["flags"]) if flag & TokenFlag.BROKE]
    assert flagged == list(broke)
    assert code_standing.BROKE in payload["reasons"][str(broke[0])]
    growing = json.loads(build_payload(trace, "surprisal", run="r", running=True))
    assert not any(flag & TokenFlag.BROKE for flag in growing["flags"])


def test_every_position_has_a_verdict_and_prose_has_none() -> None:
    trace = traced(BROKEN)
    (broke,) = code_standing.breaks(Program(trace))
    runs = code_standing.verdict_runs(Program(trace))
    assert runs["verdict"].tolist() == [code_standing.ABLE, code_standing.UNABLE]
    assert runs[["first", "after"]].to_numpy().tolist() == [[0, broke], [broke, len(trace)]]
    assert verdict_ribbon(runs).to_dict()["encoding"]["fill"]["scale"]["domain"] == [
        code_standing.ABLE, code_standing.UNABLE,
    ]  # fmt: skip
    assert len(code_standing.verdict_runs(Program(traced(PROSE)))) == 0
    assert breaking_candidates(traced(PROSE), 3) == (None, None, None)
    assert code_standing.standing(Program(traced(PROSE)), 3) is None


@pytest.mark.parametrize(
    ("text", "token", "expected"),
    [
        (COMPLETE, b" a", "complete"),
        (UNFINISHED, b" f", "unfinished"),
        (BROKEN, b" b", "broken"),
    ],
)
def test_a_position_is_complete_or_unfinished_or_broken(
    text: str, token: bytes, expected: str
) -> None:
    at = len(words(text)) - 1 - words(text)[::-1].index(token)
    assert code_standing.standing(Program(traced(text)), at) == expected


def test_candidates_that_would_break_the_code_are_told_from_those_that_leave_it_unfinished() -> (
    None
):
    trace, at = traced(UNFINISHED), place(UNFINISHED, b" a")
    table = candidate_table(trace, at, 3, breaking_candidates(trace, at))
    by_label = dict(zip(table["label"], table["code"], strict=True))
    assert by_label["·)]}·"] == BREAKS
    assert by_label["·x"] == CAN_GO_ON
    assert by_label["·a"] == CAN_GO_ON
    assert set(candidate_table(trace, at, 3)["code"]) == {""}
    broken = traced(BROKEN)
    assert breaking_candidates(broken, len(broken) - 1) == (None, None, None)


def test_the_page_says_how_the_code_stands_and_what_is_open(app: App) -> None:
    at_decode(app, traced(UNFINISHED))
    assert "can still become valid" in app.texts
    assert "Left open at the end" in app.texts
    table = next(t.value for t in app.test.table if "expected end" in t.value)
    assert table["what"].tolist() == ["`(`", "`[`", "`if`", "`function` `f`"]
    assert table["expected end"].tolist()[:2] == ["open: needs `)`", "open: needs `]`"]
    assert set(table["how sure"]) == {"certain"}


def test_the_figures_of_a_token_do_not_wait_for_its_code(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = traced(UNFINISHED)
    at_decode(app, trace)

    def never(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(code_standing, "known_language", never)
    monkeypatch.setattr(code_standing, "scopes", never)
    app.test.session_state["run_state"] = replace(app.state, selected=3)
    app.test.run()
    assert app.test.exception, "otherwise this shows nothing"
    assert [figure.label for figure in app.test.metric][:2] == ["probability", "surprisal"]
    assert "All metrics" in app.texts


def test_the_page_leads_from_a_broken_place_to_the_break(app: App) -> None:
    trace = traced(BROKEN)
    (broke,) = code_standing.breaks(Program(trace))
    at_decode(app, trace, len(trace) - 1)
    assert "cannot become valid" in app.texts
    assert "The code is broken before this token" in app.texts
    app.test.button(key="to the break").click()
    app.run()
    assert app.state.selected == broke
    assert "since this token" in app.texts
    assert "would break the code here" in app.texts


def test_a_sign_is_only_explained_beside_candidates_that_bear_it(app: App) -> None:
    text = words(UNFINISHED)
    harmless = [b" x%d" % i for i in range(11)]
    trace = trace_of(text, candidates=[[piece, *harmless, b" )]} "] for piece in text])
    at_decode(app, trace, place(UNFINISHED, b" a"))
    assert "None of the candidates shown would break the code here; 1 of the less" in app.texts
    app.test.toggle(key="all candidates").set_value(True)
    app.run()
    assert "nothing that could follow makes it valid (1 of 13 candidates)" in app.texts


def test_text_that_would_break_the_code_is_said_to_before_it_is_put_there() -> None:
    trace, at = traced(UNFINISHED), place(UNFINISHED, b" a")
    assert code_standing.would_break(Program(trace), at, b" ))")
    assert code_standing.would_break(Program(trace), at, b" not") is False
    assert code_standing.would_break(Program(traced(PROSE)), 3, b" ))") is None


def test_prose_is_not_spoken_of_as_code(app: App) -> None:
    at_decode(app, traced(PROSE), 3)
    assert "Code up to here" not in app.texts
    assert "no candidate is judged as code" in app.texts
