"""What each head does, against plain loops in float64 and worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import syntax_traces
import tiny_families
import tiny_models
import torch
from numpy.typing import NDArray

import tokenscope_core as ts
from tokenscope_core.attention.heads.measuring import HeadMeasuring
from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_core.attention.heads.statistics import BY_NAME, HEAD_STATISTICS, Rows
from tokenscope_core.attention.heads.token_locations import Places
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.folding.frames import syntax_frame

Floats = NDArray[np.float64]
CODE = "import os\n\ndef add(a, b):\n    total = a + b\n    return total\n\nadd(1, add(2, 3))\n"


def trace_of(text: str = CODE, prompt: int = 9) -> Trace:
    return syntax_traces.trace_of(syntax_traces.words(text), prompt=prompt)


def random_heads(length: int, heads: int = 3, seed: int = 0) -> torch.Tensor:
    """Causal weights [head, query, key], some heads sharp."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(heads, length, length, generator=generator)
    logits *= torch.linspace(0.5, 6.0, heads)[:, None, None]
    future = torch.ones(length, length).triu_(1).bool()
    return logits.masked_fill(future, -math.inf).softmax(-1)


def measured(
    trace: Trace,
    *layers: torch.Tensor,
    rows: Rows = "all",
    masked: tuple[int, ...] = (),
    language: str | None = None,
) -> HeadOverview:
    fold = HeadMeasuring(Places.of(trace, language), rows=rows, masked=masked)
    for number, weights in enumerate(layers):
        fold.add(number, weights)
    return fold.overview()


def oracle(
    trace: Trace,
    weights: Floats,
    rows: Rows,
    masked: tuple[int, ...],
    first: Callable[[int], int] = lambda i: 0,
    sinks: tuple[int, ...] = (0,),
) -> dict[str, float]:
    """The registry's formulae, row by row, of one head that sees the keys from `first` on."""
    frame = syntax_frame(trace)
    ids, prompt, length = trace.token_ids.tolist(), trace.prompt_length, len(trace)
    raw, size = weights.astype(np.float64), len(trace.text_bytes)
    terms: dict[str, list[float]] = {name: [] for name in BY_NAME}
    mass = 0.0
    for i in range(1, length):
        if rows == "predicting" and not prompt - 1 <= i < length - 1:
            continue
        if any(first(i) <= s < i for s in sinks):
            terms["sink_mass"].append(sum(raw[i, s] for s in sinks if s < i))
        keys = [j for j in range(first(i), i + 1) if j not in masked]
        left = sum(raw[i, j] for j in keys)
        if left == 0:
            continue
        a = {j: raw[i, j] / left for j in keys}
        mass += 1.0
        if len(keys) > 1:
            entropy = -sum(p * math.log(p) for p in a.values() if p > 0)
            terms["entropy_norm"].append(entropy / math.log(len(keys)))
        terms["mean_distance"].append(sum(a[j] * (i - j) for j in keys))
        unit = frame.at[i, "unit_start"], frame.at[i, "unit_end"]
        wanted = {
            "current_token": [i],
            "previous_token": [i - 1],
            "duplicate_token": [j for j in range(i) if ids[j] == ids[i]],
            "induction": [j + 1 for j in range(i - 1) if ids[j] == ids[i]],
            "prompt_share": range(prompt) if i >= prompt else [],
            "same_line": [j for j in keys if frame.at[j, "line"] == frame.at[i, "line"]],
            "same_statement": []
            if unit == (0, size)
            else [j for j in keys if (frame.at[j, "unit_start"], frame.at[j, "unit_end"]) == unit],
            "same_function": []
            if frame.at[i, "function"] == ""
            else [j for j in keys if frame.at[j, "function"] == frame.at[i, "function"]],
        }
        for name, chosen in wanted.items():
            if any(j in a for j in chosen):
                terms[name].append(sum(a[j] for j in chosen if j in a))
    return {name: float(np.mean(column)) if column else np.nan for name, column in terms.items()}


@pytest.mark.parametrize("rows", ["all", "predicting"])
@pytest.mark.parametrize("masked", [(), (0,), (0, 7, 12)])
def test_every_statistic_is_its_formula_row_by_row(rows: Rows, masked: tuple[int, ...]) -> None:
    trace = trace_of()
    weights = random_heads(len(trace))
    found = measured(trace, weights, rows=rows, masked=masked)
    for head in range(3):
        expected = oracle(trace, weights[head].numpy(), rows, masked)
        assert not math.isnan(expected["same_function"])
        for name in BY_NAME:
            assert found.statistic(name)[0, head] == pytest.approx(
                expected[name], abs=2e-6, rel=2e-6
            ), name


def test_a_text_longer_than_a_thumbnail_is_measured_in_blocks_that_fit_together() -> None:
    trace = trace_of(
        "".join(CODE.replace("add", name) for name in ("add", "sub", "mul")), prompt=20
    )
    weights = random_heads(len(trace), heads=2)
    found = measured(trace, weights)
    assert len(trace) % 32
    for head in range(2):
        expected = oracle(trace, weights[head].numpy(), "all", ())
        values = {name: found.statistic(name)[0, head] for name in BY_NAME}
        assert values == pytest.approx(expected, rel=5e-6, abs=5e-6)


def test_even_attention_by_hand() -> None:
    length = 12
    trace = syntax_traces.trace_of([f"w{i} ".encode() for i in range(length)], prompt=4)
    even = torch.ones(length, length).tril() / torch.arange(1, length + 1)[:, None]
    found = measured(trace, even[None])
    of = {name: found.statistic(name)[0, 0] for name in BY_NAME}
    rows = np.arange(1, length)
    assert of["entropy_norm"] == pytest.approx(1.0)
    assert of["mean_distance"] == pytest.approx((rows / 2).mean())
    assert of["previous_token"] == pytest.approx((1 / (rows + 1)).mean())
    assert of["sink_mass"] == pytest.approx((1 / (rows + 1)).mean())
    assert of["prompt_share"] == pytest.approx((4 / (rows[3:] + 1)).mean())
    assert of["same_line"] == pytest.approx(1.0)
    assert {name: even[0] for name, even in found.uniform.items()} == pytest.approx(of, nan_ok=True)


# Those of gpt-oss spend less than all on keys, and the loops take a whole for granted.
@pytest.mark.parametrize("family", [name for name in tiny_families.SEEN if name != "gpt_oss"])
@pytest.mark.parametrize("masked", [(), (0, 40)])
def test_statistics_and_even_attention_are_of_the_keys_that_a_layer_lets_a_row_see(
    family: str, masked: tuple[int, ...]
) -> None:
    lm = tiny_models.language_model(family, bos=False)
    trace = ts.score(lm, CODE)
    found = ts.head_overview(lm, trace, masked=masked, language="python")
    weights = ts.attention(lm, trace).weights
    for layer, first in enumerate(tiny_families.first_keys(family)):
        even = np.zeros((len(trace), len(trace)))
        for i in range(len(trace)):
            even[i, first(i) : i + 1] = 1 / (i + 1 - first(i))
        columns = [*weights[layer], even]
        for head, column in enumerate(columns):
            frame = oracle(trace, column, "all", masked, first, found.sinks.positions)
            for name, expected in frame.items():
                values = [*found.statistic(name)[layer], found.uniform[name][layer]]
                assert values[head] == pytest.approx(expected, rel=2e-5, abs=2e-6, nan_ok=True), (
                    layer,
                    head,
                    name,
                )


def one_key_each(length: int, key_of: dict[int, int]) -> torch.Tensor:
    weights = torch.zeros(1, length, length)
    for query in range(length):
        weights[0, query, key_of.get(query, 0)] = 1.0
    return weights


def test_a_head_that_attends_to_the_previous_token() -> None:
    trace = trace_of()
    length = len(trace)
    found = measured(trace, one_key_each(length, {i: i - 1 for i in range(1, length)}))
    assert found.statistic("previous_token")[0, 0] == 1.0
    assert found.statistic("mean_distance")[0, 0] == 1.0
    assert found.statistic("entropy_norm")[0, 0] == 0.0
    assert found.statistic("current_token")[0, 0] == 0.0


def test_heads_that_copy_on_a_text_said_twice() -> None:
    trace = syntax_traces.trace_of([b"a", b"b", b"c", b"d"] * 2)
    duplicate = one_key_each(8, {i: i - 4 for i in range(4, 8)})
    induction = one_key_each(8, {i: i - 3 for i in range(4, 8)})
    found = measured(trace, duplicate, induction)
    assert found.statistic("duplicate_token").tolist() == [[1.0], [0.0]]
    assert found.statistic("induction").tolist() == [[0.0], [1.0]]
    assert found.row_counts["induction"].tolist() == [4, 4]
    assert found.row_counts["duplicate_token"].tolist() == [4, 4]


def test_a_token_right_before_is_a_duplicate_and_no_induction() -> None:
    trace = syntax_traces.trace_of([b"x", b"a", b"a"])
    found = measured(trace, one_key_each(3, {2: 2}))
    assert math.isnan(found.statistic("induction")[0, 0])
    assert found.row_counts["duplicate_token"] == 1


def test_what_there_is_no_row_for_is_missing() -> None:
    prose = "Once upon a time there lived an old king"
    nothing_twice = syntax_traces.trace_of(syntax_traces.words(prose))
    found = measured(nothing_twice, random_heads(len(nothing_twice)))
    assert found.language is None
    missing = {name for name in BY_NAME if np.isnan(found.statistic(name)).all()}
    expected = {
        "duplicate_token", "induction", "prompt_share", "same_statement", "same_function"
    }  # fmt: skip
    assert missing == expected
    assert {name for name, count in found.row_counts.items() if count[0] == 0} == expected
    assert {name for name, value in found.uniform.items() if math.isnan(value[0])} == expected


def test_a_statement_that_is_all_of_the_text_is_one() -> None:
    """A text that is one function, as many are: its head is no less of a statement."""
    for text in ("x = y", "def f(n):\n    return n"):
        trace = trace_of(text, prompt=2)
        found = measured(trace, random_heads(len(trace), heads=1))
        assert found.row_counts["same_statement"] == len(trace) - 1


def test_functions_of_one_name_are_two() -> None:
    trace = trace_of("def f():\n    return 1\ndef f():\n    return 2\n", prompt=2)
    function = Places.of(trace).function
    first, second = np.flatnonzero(trace.token_ids == trace.token_ids[1])
    assert function[first] >= 0
    assert function[second] >= 0
    assert function[first] != function[second]


def test_code_between_prose_is_in_no_statement_for_being_in_a_fence() -> None:
    trace = trace_of("Say:\n\n```python\nx = 1\n# y\n\n```\n", prompt=2)
    statement = Places.of(trace, "markdown").statement
    tokens = [trace.vocabulary.token_bytes[i] for i in trace.token_ids.tolist()]
    assert statement[tokens.index(b"x")] >= 0
    assert statement[tokens.index(b"#")] == -1


def test_one_token_has_no_row_at_all() -> None:
    trace = syntax_traces.trace_of([b"x"])
    found = measured(trace, torch.ones(2, 1, 1))
    assert all(np.isnan(found.statistic(name)).all() for name in BY_NAME)
    assert found.thumbnails.shape == (1, 2, 1, 1)


def test_a_head_that_only_looks_at_the_sink_has_nothing_left_without_it() -> None:
    trace = trace_of()
    length = len(trace)
    weights = torch.cat([one_key_each(length, {}), random_heads(length, 1)])
    found = measured(trace, weights, masked=(0,))
    assert found.statistic("sink_mass")[0, 0] == 1.0, "of the weights as they are"
    assert np.isnan(found.statistic("entropy_norm")[0]).tolist() == [True, False]
    assert np.isnan(found.statistic("same_line")[0]).tolist() == [True, False]


def test_heads_that_may_attend_to_nothing_keep_what_they_spend() -> None:
    trace = trace_of()
    weights = random_heads(len(trace), 1)
    whole, half = measured(trace, weights), measured(trace, weights / 2)
    for name in ("entropy_norm", "mean_distance"):
        assert half.statistic(name) == pytest.approx(whole.statistic(name), rel=1e-5)
    for name in ("previous_token", "sink_mass", "same_line"):
        assert half.statistic(name) == pytest.approx(whole.statistic(name) / 2, rel=1e-5)


def test_layers_of_unequal_width_are_missing_beyond_their_heads() -> None:
    trace = trace_of()
    found = measured(trace, random_heads(len(trace), 3), random_heads(len(trace), 2))
    assert found.heads == 3
    assert np.isnan(found.statistic("entropy_norm")).tolist() == [[False] * 3, [False, False, True]]


def test_the_weights_are_left_as_they_were() -> None:
    trace = trace_of()
    weights = random_heads(len(trace))
    before = weights.clone()
    measured(trace, weights, masked=(0, 5))
    assert torch.equal(weights, before)


def test_every_statistic_names_its_formula_unit_and_source() -> None:
    for statistic in HEAD_STATISTICS:
        assert statistic.formula
        assert statistic.source
        assert statistic.missing
        low, high = statistic.range
        assert low == 0.0
        assert (high is None) == (statistic.unit == "tokens")
