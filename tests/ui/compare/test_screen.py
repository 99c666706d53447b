"""How two compared branches are put on a screen: marks, tints, differences, charts."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from made_traces import made
from tiny_models import language_model

import tokenscope_core as ts
from tokenscope_core.display.formatting import difference_text
from tokenscope_core.display.scales import difference_scale
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_ui.compare import payload
from tokenscope_ui.compare.chart import difference_table, divergence_table, divergence_text
from tokenscope_ui.compare.measuring import cost_text
from tokenscope_ui.compare.syntax import categories
from tokenscope_ui.compare.words import in_words
from tokenscope_ui.components.strip import TokenFlag

TEXT = "def f(é):\n    return 1\n\n\nx = 2\ny = 3\nz = 4\n"


@pytest.fixture(scope="module")
def comparison() -> ts.Comparison:
    """Three tokens put in before `z`, measured."""
    lm = language_model()
    root = ts.score(lm, TEXT)
    position = next(i for i in range(len(root)) if root.byte_start[i] == TEXT.encode().index(b"z"))
    child = ts.fork(
        lm, root, position, text="👋", removed=0, kept=len(root) - position, max_new_tokens=0
    )
    return ts.compare(root, child, lm=lm)


def drawn(comparison: ts.Comparison, side: Any, **how: Any) -> dict[str, Any]:
    look = {
        "metric": "surprisal", "difference": False, "relative": False, "unit": "nats",
        "invisibles": False, "whole": True,
    }  # fmt: skip
    found: dict[str, Any] = json.loads(
        payload.side_payload(comparison, side, payload.ComparisonLook(**(look | how)))
    )
    return found


def test_shared_and_lone_tokens_are_marked(comparison: ts.Comparison) -> None:
    shared, longer = comparison.shared_prefix, len(comparison.b) - len(comparison.a)
    flags = [TokenFlag(flag) for flag in drawn(comparison, "b")["flags"]]
    assert all(TokenFlag.SHARED in flag for flag in flags[:shared])
    assert all(TokenFlag.ALONE in flag for flag in flags[shared : shared + longer])
    marks = TokenFlag.SHARED | TokenFlag.CHANGED | TokenFlag.ALONE
    assert not any(flag & marks for flag in flags[shared + longer :])


def test_both_are_tinted_on_one_scale(comparison: ts.Comparison) -> None:
    for how in ({"relative": True}, {"difference": True, "relative": True}):
        assert drawn(comparison, "a", **how)["scale"] == drawn(comparison, "b", **how)["scale"]


def test_partners_share_their_difference_and_lone_tokens_say_why_they_have_none(
    comparison: ts.Comparison,
) -> None:
    a, b = (drawn(comparison, side, difference=True) for side in ("a", "b"))
    assert a["values"][-1] == b["values"][-1]
    expected = comparison.b.surprisal[-1] - comparison.a.surprisal[-1]
    assert a["values"][-1] == pytest.approx(expected, abs=5e-4)
    lone = comparison.shared_prefix
    assert b["values"][lone] is None
    assert b["reasons"][str(lone)] == "nothing to compare it with in A"


def test_without_the_shared_beginning_positions_and_lines_stay_what_they_are(
    comparison: ts.Comparison,
) -> None:
    whole, short = drawn(comparison, "b"), drawn(comparison, "b", whole=False)
    first = short["first_position"]
    assert 0 < first < comparison.shared_prefix
    assert short["text"] == whole["text"][first:]
    before = comparison.b.text_bytes[: int(comparison.b.byte_start[first])]
    assert short["first_line"] == 1 + before.count(b"\n")
    assert len(short["values"]) == len(short["flags"]) == len(short["text"])


def test_charts_begin_where_the_two_part(comparison: ts.Comparison) -> None:
    table = difference_table(comparison, "entropy", "bits")
    assert table["row"].min() >= comparison.shared_prefix
    row = int(table["row"].iloc[-1])
    i, j = comparison.alignment.position_a[row], comparison.alignment.position_b[row]
    moved = (comparison.b.entropy[j] - comparison.a.entropy[i]) / NATS_PER_BIT
    assert table["value"].iloc[-1] == pytest.approx(moved)
    divergences = divergence_table(comparison, "nats")
    jsd = divergences[divergences["which"] == "Jensen-Shannon"].set_index("row")["value"]
    known = np.flatnonzero(np.isfinite(comparison.jsd))
    known = known[known >= comparison.shared_prefix]
    np.testing.assert_allclose(jsd.loc[known], comparison.jsd[known])


def test_words_count_one_token_as_one() -> None:
    one = ts.compare(made(["if", " x", ":"]), made(["if", " y", ":"]))
    changed = "1 token is changed, 0 stand only in **A**, 0 only in **B**, and 1 is the same."
    assert changed in " ".join(in_words(one))
    more = ts.compare(made(["if", " x", " x", ":", "\n"]), made(["if", " y", " y", ":", "\n"]))
    assert "2 tokens are changed, 0 stand" in " ".join(in_words(more))
    assert "and 2 are the same." in " ".join(in_words(more))


def test_words_name_where_they_part_and_meet(comparison: ts.Comparison) -> None:
    words = " ".join(in_words(comparison))
    shared = comparison.shared_prefix
    assert f"share the first {shared} tokens and part at **position {shared}**" in words
    assert comparison.rejoin is not None
    i, j = comparison.rejoin
    assert f"position {i} of A and {j} of B" in words.replace("**", "")
    assert f"share {comparison.rejoined_tokens} tokens from there, to the end of both." in words


def sentence(a: ts.Trace, b: ts.Trace) -> str:
    return next(s for s in in_words(ts.compare(a, b)) if "meet again in text" in s)


def test_a_last_token_that_happens_to_be_the_same_is_said_to_be_one() -> None:
    asked = ts.Request("if", max_new_tokens=2)
    a, b = (
        dataclasses.replace(made(["if", name, ":"], finish_reason="length"), request=asked)
        for name in (" x", " y")
    )
    assert "share 1 token from there, to where both runs ended; what" in sentence(a, b)
    longer = dataclasses.replace(made(["if", " y", ":", "\n"]), request=asked)
    words = sentence(a, longer)
    assert "share 1 token from there, until **A** ended (reached the number of new" in words
    ended = made(["if", " y", ":"], finish_reason="eos")
    words = sentence(a, ended)
    assert "share 1 token from there, to the end of both; the run of **A** ended" in words
    other = made(["if", " x", ":"], finish_reason="eos")
    assert "share 1 token from there, to the end of both." in sentence(other, ended)


def test_cost_counts_what_is_read_of_either(comparison: ts.Comparison) -> None:
    shared = comparison.shared_prefix
    expected = f"{len(comparison.a) - 1 - shared} tokens of A and {len(comparison.b) - 1 - shared}"
    assert f"Reads {expected} of B again, and the {shared}" in cost_text(comparison)


def test_categories_count_every_token_after_the_parting(comparison: ts.Comparison) -> None:
    found = categories(comparison)
    assert found is not None
    assert found.table["tokens_a"].sum() == len(comparison.a) - comparison.shared_prefix
    assert found.table["differing_a"].sum() == 0
    assert found.table["differing_b"].sum() == len(comparison.b) - len(comparison.a)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("surprisal", 1.5, "+1.500 bits"),
        ("surprisal", -0.0001, "0.000 bits"),
        ("prob", -0.25, "−25.00 points"),
        ("prob", 0.0005, "+0.05 points"),
        ("margin", 8e-8, "0.00 points"),
        ("rank", -1200.0, "−1,200"),
        ("rank", 0.0, "0"),
        ("elapsed_ms", 0.04, "0.0 ms"),
        ("entropy", float("nan"), "not available"),
    ],
)
def test_differences_have_a_sign_unless_they_are_zero(name: str, value: float, shown: str) -> None:
    assert difference_text(name, value, "bits") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.000 bits"), (1.25, "1.250 bits"), (2e-5, "2.0 × 10⁻⁵ bits"),
     (np.nan, "not available")],
)  # fmt: skip
def test_small_divergences_are_told_from_zero(value: float, shown: str) -> None:
    assert divergence_text(value, "bits") == shown


@pytest.mark.parametrize("metric", ["surprisal", "rank", "prob", "elapsed_ms"])
def test_scales_of_differences_are_neutral_at_zero(metric: str) -> None:
    for values in (np.array([]), np.array([np.nan, 0.0]), np.array([-3.0, 0.5])):
        for relative in (False, True):
            scale = difference_scale(metric, values, relative=relative)
            assert scale.low == -scale.high < 0
            assert scale.ticks[0][0] == scale.low
