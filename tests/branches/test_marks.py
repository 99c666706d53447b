"""Marks: few, by lexeme, outside names and comments; and what the calibration says of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_core.branches import calibration
from tokenscope_core.branches.hindsight import Hindsight
from tokenscope_core.branches.marks import lexeme_of, marks
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.syntax.program import Program

TEXT = """def first(a, b):
    # words
    return total <= 10 + b * 3 - a / 7


def second(a):
    return value
"""


@pytest.fixture(scope="module")
def trace() -> ts.Trace:
    return ts.score(tiny_models.language_model(), TEXT)


def found(trace: ts.Trace, log_odds: dict[int, float], *, breaking: int = -1) -> Hindsight:
    """A result with one alternative at each position, half of its log-odds by the rest."""
    position = np.array(sorted(log_odds), dtype=np.int64)
    values = np.array([log_odds[p] for p in position])
    return Hindsight(
        position=position,
        token_id=trace.token_ids[position],
        alternative_id=np.full(len(position), 7, dtype=np.int64),
        choice=values / 2,
        rest=values / 2,
        read=np.full(len(position), 32, dtype=np.int64),
        at_most=values,
        breaks=np.where(position == breaking, 1, 0).astype(np.int8),
        asked=position,
        askable=len(trace),
        top=1,
        horizon=32,
        give_up=None,
    )


def at(trace: ts.Trace, text: str, *, after: int = 0) -> int:
    """The position of the token that a text begins in."""
    byte = TEXT.index(text, after)
    return int(np.searchsorted(trace.byte_end, byte, side="right"))


def test_of_the_tokens_of_a_lexeme_the_largest_is_the_mark(trace: ts.Trace) -> None:
    first = at(trace, "total")
    assert trace.byte_end[first] - trace.byte_start[first] < len(" total"), "several tokens"
    result = found(trace, {first: 9.0, first + 1: 12.0, first + 2: 8.5})
    (mark,) = marks(Program(trace, "python"), result)
    assert mark.position == first + 1 and mark.log_odds == pytest.approx(12.0)
    assert mark.first <= first and mark.after >= first + 3
    assert mark.function == "first" and mark.line == 3
    text = b"".join(trace.vocabulary.pieces(trace.token_ids[mark.first : mark.after].tolist()))
    assert text.strip() == b"total"


def test_lexemes_cover_the_text_in_order(trace: ts.Trace) -> None:
    numbers = lexeme_of(Program(trace, "python"))
    assert numbers[0] == 0 and set(np.diff(numbers)) == {0, 1}


def test_at_most_three_a_function_and_ten_in_all_the_clearest_first(trace: ts.Trace) -> None:
    places = {at(trace, text): 9.0 + i for i, text in enumerate(("total", "10", "*", "3", "7"))}
    places[at(trace, "value")] = 8.1
    program = Program(trace, "python")
    shown = marks(program, found(trace, places))
    assert [mark.function for mark in shown] == ["first"] * 3 + ["second"]
    assert [round(mark.log_odds, 1) for mark in shown] == [13.0, 12.0, 11.0, 8.1]
    assert len(marks(program, found(trace, places), per_function=None)) == 6
    assert len(marks(program, found(trace, places), per_function=None, most=2)) == 2
    assert len(marks(program, found(trace, places), per_function=None, threshold=12.5)) == 1


def test_names_comments_and_what_breaks_are_left_out(trace: ts.Trace) -> None:
    name, comment, bug = at(trace, "first"), at(trace, "words"), at(trace, "10")
    program = Program(trace, "python")
    result = found(trace, {name: 20.0, comment: 19.0, bug: 9.0})
    assert [mark.position for mark in marks(program, result)] == [bug]
    assert [mark.position for mark in marks(program, result, prose=True)] == [name, comment, bug]
    assert marks(program, found(trace, {bug: 9.0}, breaking=bug)) == ()


def _table(clearest: list[float]) -> dict[str, object]:
    figures = {
        "threshold": 8.0,
        "recall": [0.28, 0.2, 0.36],
        "marks_without_bug": [0.1, 0.0, 0.2],
        "precision": {"2": [0.5, 0.4, 0.6], "6": [0.2, 0.1, 0.3], "31": [None, None, None]},
    }
    first = {"hindsight": clearest, "line length": [0.3, 0.2, 0.4], "random": [0.1, 0.0, 0.2]}
    return {
        "model": "m", "fingerprints": ["known"], "dtype": "float32", "command": "c",
        "seeded": {"bugs": 150, "hindsight": [figures], "first_line": first},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("clearest", "words"),
    [
        (
            [0.5, 0.41, 0.6],
            "Measured on 150 bugs put into working functions: 28 % (20 to 36) of them are marked, "
            "and so many of the marks are on the line of a bug: 50 % (40 to 60) where one function "
            "in 2 has a bug; 20 % (10 to 30) where one function in 6 has a bug; none where one "
            "function in 31 has a bug.",
        ),
        ([0.5, 0.4, 0.6], "This model finds no bugs this way: of 150"),
    ],
)
def test_the_calibration_of_a_model_in_words(
    clearest: list[float], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.json").write_text(json.dumps(_table(clearest)))
    monkeypatch.setattr(calibration, "_FOLDER", tmp_path)
    calibration._calibrations.cache_clear()
    try:
        model = ModelIdentity("m", "known", 300)
        assert calibration.calibration_words(model, 8.0).startswith(words)
        for other, threshold in ((dataclasses.replace(model, fingerprint="x"), 8.0), (model, 5.0)):
            said = calibration.calibration_words(other, threshold)
            assert "was not measured for this model" in said
    finally:
        calibration._calibrations.cache_clear()


def test_the_shipped_model_is_said_to_find_nothing_and_every_table_is_whole() -> None:
    words = calibration.calibration_words(ts.load_model().identity, 8.0)
    assert words.startswith("This model finds no bugs this way: of 150")
    for names, found in calibration._calibrations():
        assert names and found.command.startswith("python -m benchmarks.hindsight")
        for rates in (found.seeded, found.natural):
            assert 8.0 in rates and all(rate.bugs for rate in rates.values())
