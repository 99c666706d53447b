"""What screens show of a trace: units, scales, visible text, charts' tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from made_traces import made

from tokenscope_core import METRICS, Request, Trace, generate
from tokenscope_core.display.formatting import (
    difference_text,
    duration_text,
    metric_text,
    probability_text,
)
from tokenscope_core.display.scales import (
    STRIP_METRICS,
    LogUnit,
    difference_scale,
    scale_of,
    screen_unit,
    tint_values,
    to_screen,
    trace_scale,
)
from tokenscope_core.display.visible import on_one_line
from tokenscope_ui.components.strip import TokenFlag
from tokenscope_ui.drawing.charts import candidate_table, position_table
from tokenscope_ui.request.prompt_checks import hints, reading_note, refusal
from tokenscope_ui.trace.strip_payload import build_payload

LN2 = math.log(2)


@pytest.fixture(scope="module")
def trace() -> Trace:
    lm = tiny_models.language_model()
    return generate(lm, Request("x = 'é👋'\r\n\tdef", max_new_tokens=24, candidates=12))


def test_log_quantities_are_shown_in_bits_and_variances_in_bits_squared() -> None:
    assert to_screen("surprisal", np.array([LN2]))[0] == pytest.approx(1.0)
    assert to_screen("varentropy", np.array([LN2**2]))[0] == pytest.approx(1.0)
    assert to_screen("prob", np.array([0.25]))[0] == 0.25
    assert to_screen("surprisal", np.array([2.0]), "nats")[0] == 2.0


def test_every_metric_of_the_strip_is_defined_and_has_a_scale(trace: Trace) -> None:
    assert set(STRIP_METRICS) <= {metric.name for metric in METRICS}
    for name in STRIP_METRICS:
        for unit in ("bits", "nats"):
            scale = scale_of(name, trace.column(name), unit=unit)  # type: ignore[arg-type]
            assert scale.low < scale.high
            assert [t for t, _ in scale.ticks] == sorted(t for t, _ in scale.ticks)


def test_an_absolute_scale_does_not_depend_on_the_trace(trace: Trace) -> None:
    for name in STRIP_METRICS:
        assert scale_of(name, trace.column(name)) == scale_of(name, np.array([np.nan]))


def test_a_relative_scale_holds_every_value_of_the_trace(trace: Trace) -> None:
    for name in STRIP_METRICS:
        scale = scale_of(name, trace.column(name), relative=True)
        values = tint_values(name, trace.column(name))
        known = values[np.isfinite(values)]
        assert (known >= scale.low).all()
        assert (known <= scale.high).all()
        assert scale.note.startswith("relative to this trace")


def test_places_go_from_no_tint_to_all_of_it_by_the_root_of_the_distance() -> None:
    bits = np.array([0.0, 12 / 8, 12 / 64, 12.0, 96.0])
    assert scale_of("surprisal", bits).places(bits) == pytest.approx([0, 0.5, 0.25, 1, 2])
    shares = np.array([1.0, 0.75, 0.0])
    assert scale_of("prob", shares).places(shares) == pytest.approx([0, -0.5, -1])
    signed = np.array([-8.0, -2.0, 0.0, 2.0])
    assert scale_of("typicality", signed).places(signed) == pytest.approx([-1, -0.5, 0, 0.5])


def test_a_relative_scale_is_not_stretched_by_prompt_or_template() -> None:
    chat = made(["<s>", "p", "a", "b", "<end>"], prompt_length=2)
    stored = np.array([9.0, 8.0, 0.5, 1.0, 7.0])
    scale = trace_scale(chat, "surprisal", stored, relative=True, unit="nats")
    assert (scale.low, scale.high) == (0.5, 1.0)
    scored = made(["a", "b", "<end>"], prompt_length=3)
    scale = trace_scale(scored, "surprisal", stored[2:], relative=True, unit="nats")
    assert (scale.low, scale.high) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b" a\t\n", "·a→↵"),
        (b"\x00\x1b\x7f", "⟨NUL⟩⟨ESC⟩⟨DEL⟩"),
        ("é👋".encode(), "é👋"),
        ("👋".encode()[:2], "⟨F0⟩⟨9F⟩"),
        ("\u202ea\u200b".encode(), "⟨U+202E⟩a⟨U+200B⟩"),
    ],
)
def test_token_bytes_are_shown_with_nothing_left_to_guess(data: bytes, shown: str) -> None:
    assert on_one_line(data) == shown


@given(st.binary(max_size=12))
def test_visible_text_never_hides_anything(data: bytes) -> None:
    shown = on_one_line(data)
    assert bool(shown) == bool(data)
    assert not any(ord(character) < 0x20 for character in shown)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "100.00 %"), (0.999999, ">99.99 %"), (0.5, "50.00 %"), (0.0012, "0.12 %"),
     (5.6e-7, "5.6 × 10⁻⁵ %"), (1e-9, "1.0 × 10⁻⁷ %"), (0.0, "0 %"), (math.nan, "not available")],
)  # fmt: skip
def test_probabilities_never_round_to_certainty_or_nothing(value: float, shown: str) -> None:
    assert probability_text(value) == shown


def test_a_missing_metric_is_said_to_be_missing() -> None:
    assert metric_text("entropy", math.nan) == "not available"
    assert metric_text("rank", 1200.0) == "1,200"
    assert metric_text("typicality", -1.5) == "−1.500 bits"
    assert metric_text("typicality", -0.0001) == "0.000 bits"
    assert screen_unit(METRICS[0], "nats") == "nats"
    assert metric_text("min_p_ratio", 0.0) == "0.000"


def test_a_small_ratio_is_not_shown_as_nothing() -> None:
    assert metric_text("min_p_ratio", 4.7e-5) == "4.7 × 10⁻⁵"
    assert metric_text("min_p_ratio", 0.0012) == "0.001"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "under 1 s"), (89, "89 s"), (120, "2 min"), (5 * 3600, "5 h"), (72 * 3600, "3 days")],
)
def test_a_duration_is_said_in_a_unit_of_its_size(seconds: float, shown: str) -> None:
    assert duration_text(seconds) == shown


def test_candidates_and_all_other_tokens_hold_the_whole_probability(trace: Trace) -> None:
    for position in range(1, len(trace)):
        for most in (1, 5, 12):
            table = candidate_table(trace, position, most)
            assert table["prob"].sum() == pytest.approx(1.0, abs=1e-5)
            assert (table["kind"] == "taken").sum() == 1
            assert table["label"].is_unique
            assert table["kind"].iloc[-1] == "tail"


def test_all_others_are_the_same_however_many_candidates_are_shown(trace: Trace) -> None:
    for position in range(1, len(trace)):
        last = [candidate_table(trace, position, most).iloc[-1] for most in (1, 5, 8, 10, 40)]
        assert len({row["label"] for row in last}) == 1
        assert [row["prob"] for row in last] == pytest.approx([last[0]["prob"]] * 5, abs=1e-6)
        recorded = set(trace.candidate_ids[position].tolist()) | {int(trace.token_ids[position])}
        left = trace.model.vocabulary_size - len(recorded - {-1})
        assert last[0]["label"].startswith(f"all {left:,} others")


@pytest.mark.parametrize("metric", STRIP_METRICS)
@pytest.mark.parametrize("unit", ["bits", "nats"])
def test_ticks_name_the_values_they_stand_at(metric: str, unit: LogUnit) -> None:
    values = np.array([0.013, 1.58, 7.351, 2862.4])
    for relative in (False, True):
        scale = scale_of(metric, values, relative=relative, unit=unit)
        for value, label in scale.ticks:
            number = float(label.replace("−", "-").replace(",", ""))
            named = np.log10(number) if metric == "rank" else number
            assert named == pytest.approx(value, abs=(scale.high - scale.low) / 500)


@pytest.mark.parametrize(
    ("metric", "labels"),
    [("elapsed_ms", "0 25 50 75 100"), ("surprisal", "0 0.2 2 5 12"),
     ("prob", "0 0.4 0.8 0.94 1"), ("typicality", "−8 −2 0 2 8")],
)  # fmt: skip
def test_ticks_of_a_fixed_scale_are_round(metric: str, labels: str) -> None:
    assert " ".join(label for _, label in scale_of(metric, np.empty(0)).ticks) == labels


def test_ratio_ticks_are_those_of_the_largest_change() -> None:
    ratios = difference_scale("rank", np.array([1.05, -0.3]), relative=True).ticks
    assert [label for _, label in ratios] == ["1/11.2", "1", "11.2"]


def test_the_first_token_has_no_candidates(trace: Trace) -> None:
    assert candidate_table(trace, 0, 10).empty


def test_the_position_table_leaves_out_what_is_missing(trace: Trace) -> None:
    assert position_table(trace, "surprisal")["position"].tolist() == list(range(1, len(trace)))
    drawn = position_table(trace, "sampled_logprob")
    assert drawn["position"].tolist() == list(range(trace.prompt_length, len(trace)))


def test_the_strip_gets_each_token_with_its_value_or_the_reason(trace: Trace) -> None:
    payload = json.loads(build_payload(trace, "sampled_logprob", run="r", invisibles=True))
    flags = [TokenFlag(flag) for flag in payload["flags"]]
    assert len(flags) == len(payload["values"]) == len(trace)
    assert flags[0] == TokenFlag.SPECIAL | TokenFlag.PROMPT
    for position in range(len(trace)):
        assert (TokenFlag.PROMPT in flags[position]) == (position < trace.prompt_length)
        assert (payload["values"][position] is None) == (str(position) in payload["reasons"])
    texts = [
        text
        for text, flag in zip(payload["text"], flags, strict=True)
        if TokenFlag.SPECIAL not in flag and TokenFlag.PROMPT in flag
    ]
    parts = [
        bytes.fromhex(text) if TokenFlag.INCOMPLETE in flag else text.encode()
        for text, flag in zip(texts, flags[1:], strict=False)
    ]
    assert b"".join(parts) == trace.request.prompt.encode()


def test_characters_split_over_tokens_are_shown_whole_unless_bytes_are_asked_for() -> None:
    lm = tiny_models.language_model()
    split = generate(lm, Request("'👋' + 'ü世'", max_new_tokens=0))
    payload = json.loads(build_payload(split, "surprisal", run="r"))
    flags = [TokenFlag(flag) for flag in payload["flags"]]
    hidden = TokenFlag.SPECIAL | TokenFlag.CONTINUES
    shown = [t for t, flag in zip(payload["text"], flags, strict=True) if not flag & hidden]
    assert "".join(shown) == "'👋' + 'ü世'"
    assert not any(TokenFlag.INCOMPLETE in flag for flag in flags)
    assert any(TokenFlag.CONTINUES in flag for flag in flags)
    raw = json.loads(build_payload(split, "surprisal", run="r", invisibles=True))
    assert any(TokenFlag.INCOMPLETE in TokenFlag(flag) for flag in raw["flags"])


def test_bytes_that_form_no_character_stay_visible() -> None:
    lm = tiny_models.language_model()
    whole = generate(lm, Request("👋", max_new_tokens=0))
    pieces = [lm.vocabulary.token_bytes[i] for i in whole.token_ids[1:].tolist()]
    assert len(pieces) > 1
    cut = replace(
        whole,
        token_ids=whole.token_ids[:-1].copy(),
        source=whole.source[:-1].copy(),
        metrics={name: column[:-1].copy() for name, column in whole.metrics.items()},
        candidate_ids=whole.candidate_ids[:-1].copy(),
        candidate_logprobs=whole.candidate_logprobs[:-1].copy(),
        candidate_kept=whole.candidate_kept[:-1].copy(),
        prompt_length=whole.prompt_length - 1,
    )
    payload = json.loads(build_payload(cut, "surprisal", run="r"))
    assert payload["text"][1] == pieces[0].hex(" ").upper()


def test_a_prompt_that_can_run_is_not_refused() -> None:
    assert refusal("x", generating=True, max_new_tokens=1) is None
    assert refusal("x", generating=False, max_new_tokens=0) is None
    assert refusal("", generating=False, max_new_tokens=5) is not None
    assert list(hints("def f():\n\treturn 1\r\n")) == []


def test_a_text_read_differently_from_how_it_was_typed_is_pointed_out(trace: Trace) -> None:
    assert reading_note(trace) is None
    composed = replace(trace, request=replace(trace.request, prompt="x = 'e\u0301👋'"))
    assert "as typed" in (reading_note(composed) or "")


def test_what_is_infinite_is_written_as_a_sign() -> None:
    """A token of probability 0 has no finite surprisal."""
    assert metric_text("surprisal", math.inf) == "∞ bits"
    assert metric_text("logprob", -math.inf, "nats") == "−∞ nats"
    assert difference_text("surprisal", -math.inf) == "−∞ bits"
