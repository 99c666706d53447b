"""Attention between the parts of a program, against loops over tokens and worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import syntax_traces
import tiny_families
import tiny_models
import torch
from numpy.typing import NDArray

import tokenscope_core as ts
from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.flow.flow import LEVELS, Flow, Level
from tokenscope_core.attention.flow.parts import SPECIAL, parts_of
from tokenscope_core.attention.flow.sums import FlowSums, flow_in
from tokenscope_core.attention.heads.sinks import without
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.errors import RequestError
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.folding.frames import Syntax, analyse, syntax_frame

CODE = "import os\n\ndef add(a, b):\n    total = a + b\n    return total\n\nadd(1, add(2, 3))\n"


def trace_of(text: str = CODE, prompt: int = 9) -> Trace:
    return syntax_traces.trace_of(syntax_traces.words(text), prompt=prompt)


def weights_of(length: int, layers: int = 2, heads: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(layers, heads, length, length, generator=generator)
    future = torch.ones(length, length).triu_(1).bool()
    return logits.masked_fill(future, -math.inf).softmax(-1)


def captured_of(weights: torch.Tensor, queries: range | None = None) -> AttentionMap:
    layers, heads, rows, _ = weights.shape
    positions = np.array(queries if queries is not None else range(rows), dtype=np.int64)
    return AttentionMap(
        weights.numpy()[:, :, positions if queries is not None else slice(None)],
        tuple(range(layers)),
        tuple(range(heads)),
        positions,
    )


def streamed(syntax: Syntax, weights: torch.Tensor, by: Level, **options: object) -> Flow:
    fold = FlowSums(syntax, by, **options)  # type: ignore[arg-type]
    for number, layer in enumerate(weights):
        fold.add(number, layer)
    return fold.flow()


def oracle(
    trace: Trace,
    heads: NDArray[np.float32],
    by: str,
    rows: Rows,
    masked: tuple[int, ...],
    firsts: Sequence[Callable[[int], int]] = (),
) -> dict[tuple[str, str], tuple[float, float]]:
    """Mean share and mean share under even attention, token by token and head by head.

    `firsts`: for each head, the first key that a row can see; all, where there are none.
    """
    label = syntax_frame(trace)[by].astype(str).tolist()
    names = set(label)
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    firsts = firsts or [lambda i: 0] * len(heads)
    for weights, first in zip(heads.astype(np.float64), firsts, strict=True):
        for i in range(1, len(trace)):
            if rows == "predicting" and not trace.prompt_length - 1 <= i < len(trace) - 1:
                continue
            keys = [j for j in range(first(i), i + 1) if j not in masked]
            left = sum(weights[i, j] for j in keys)
            if left == 0:
                continue
            for name in names:
                inside = [j for j in keys if label[j] == name]
                share = sum(weights[i, j] for j in inside) / left
                found.setdefault((label[i], name), []).append((share, len(inside) / len(keys)))
    return {
        pair: (float(np.mean([a for a, _ in cell])), float(np.mean([b for _, b in cell])))
        for pair, cell in found.items()
    }


@pytest.mark.parametrize("by", ["category", "leaf", "statement", "scope", "function", "line"])
@pytest.mark.parametrize(("rows", "masked"), [("all", ()), ("all", (0, 7)), ("predicting", (0,))])
def test_the_flow_is_the_mean_share_and_beside_it_that_of_even_attention(
    by: Level, rows: Rows, masked: tuple[int, ...]
) -> None:
    trace = trace_of()
    weights = weights_of(len(trace))
    flow = streamed(analyse(trace), weights, by, rows=rows, masked=masked)
    expected = oracle(trace, weights.flatten(0, 1).numpy(), by, rows, masked)
    assert {query for query, _ in expected} == {
        part for part, row in zip(flow.parts, flow.mean, strict=True) if not np.isnan(row).any()
    }
    for (query, key), (mean, uniform) in expected.items():
        cell = flow.parts.index(query), flow.parts.index(key)
        assert flow.mean[cell] == pytest.approx(mean, abs=1e-6)
        assert flow.uniform[cell] == pytest.approx(uniform, abs=1e-9)


@pytest.mark.parametrize("family", tiny_families.SEEN)
@pytest.mark.parametrize("masked", [(), (0, 40)])
def test_even_attention_is_over_the_keys_that_a_layer_lets_a_row_see(
    family: str, masked: tuple[int, ...]
) -> None:
    lm = tiny_models.language_model(family, bos=False)
    trace = ts.score(lm, CODE)
    captured = ts.attention(lm, trace)
    firsts = tiny_families.first_keys(family)
    for layer in (None, 0, 1):
        chosen = slice(None) if layer is None else slice(layer, layer + 1)
        of_heads = [first for first in firsts[chosen] for _ in captured.heads]
        heads = captured.weights[chosen].reshape(-1, len(trace), len(trace))
        expected = oracle(trace, heads, "line", "all", masked, of_heads)
        streamed = ts.attention_flow(
            lm, trace, "line", layers=None if layer is None else [layer], masked=masked
        )
        stored = flow_in(without(captured, masked), trace, "line", layer=layer)
        for flow in (streamed, stored):
            for (query, key), (mean, uniform) in expected.items():
                cell = flow.parts.index(query), flow.parts.index(key)
                assert flow.mean[cell] == pytest.approx(mean, abs=1e-5)
                assert flow.uniform[cell] == pytest.approx(uniform, abs=1e-9)


@pytest.mark.parametrize("by", LEVELS)
@pytest.mark.parametrize("whole_tokens", [True, False])
def test_what_flows_from_a_part_sums_to_one(by: Level, whole_tokens: bool) -> None:
    trace = trace_of()
    flow = streamed(analyse(trace), weights_of(len(trace)), by, whole_tokens=whole_tokens)
    for matrix in (flow.mean, flow.uniform):
        rows = matrix[~np.isnan(matrix).any(axis=1)]
        assert len(rows) > 1
        assert rows.sum(axis=1) == pytest.approx(1.0)
    assert flow.query_tokens.sum() == pytest.approx(len(trace) - 1)
    assert flow.key_tokens.sum() == pytest.approx(len(trace))


def test_even_attention_has_ratio_one_everywhere() -> None:
    trace = trace_of()
    length = len(trace)
    even = torch.ones(length, length).tril() / torch.arange(1, length + 1)[:, None]
    flow = streamed(analyse(trace), even[None, None], "category")
    assert np.nanmax(abs(flow.ratio - 1.0)) < 1e-5
    assert np.isnan(flow.ratio).any(), "some kinds come before some others only"


def test_a_head_by_hand() -> None:
    # Tokens: "x", " =", " 1", "\n"; each attends to the one before.
    trace = syntax_traces.trace_of([b"x", b" =", b" 1", b"\n"])
    weights = torch.zeros(1, 1, 4, 4)
    weights[0, 0, range(4), [0, 0, 1, 2]] = 1.0
    frame = streamed(analyse(trace), weights, "category").frame().set_index(["query", "key"])
    assert frame.loc[("assignment operator", "variable"), "mean"] == 1.0
    assert frame.loc[("assignment operator", "variable"), "uniform"] == 0.5
    assert frame.loc[("assignment operator", "variable"), "ratio"] == 2.0
    assert frame.loc[("newline", "number"), "ratio"] == 4.0
    assert frame.loc[("number", "variable"), "mean"] == 0.0
    assert frame["thin"].all(), "a kind of which there is one token says nothing about the kind"
    assert "variable" not in frame.index.get_level_values("query"), "the first token has no choice"


def test_a_part_is_shared_out_by_bytes_on_request() -> None:
    trace = syntax_traces.trace_of([b"x", b" =", b" 1", b"\n"])
    syntax = analyse(trace)
    whole, by_bytes = parts_of(syntax, "category"), parts_of(
        syntax, "category", whole_tokens=False
    )  # fmt: skip
    assert "whitespace" not in whole.names
    column = by_bytes.share[:, by_bytes.names.index("whitespace")]
    assert column.tolist() == [0.0, 0.5, 0.5, 0.0]


def test_tokens_without_bytes_are_a_part_of_their_own() -> None:
    trace = syntax_traces.trace_of([b"", b"x", b" =", b" 1"], special=frozenset({0}))
    for by in LEVELS:
        parts = parts_of(analyse(trace), by)
        assert parts.share[0, parts.names.index(SPECIAL)] == 1.0


def test_statements_are_named_by_their_line_and_how_they_begin() -> None:
    trace = trace_of("x = 1\nx = 1; x = 1\n" + "y" * 60 + " = 2\n")
    names = parts_of(analyse(trace), "unit").names
    assert {"1: x = 1", "2: x = 1", "2: x = 1 (2)"} <= set(names)
    assert any(name.startswith("3: yyy") and name.endswith("…") for name in names)


def test_a_statement_that_is_all_of_the_text_has_a_name() -> None:
    assert parts_of(analyse(trace_of("x = y", prompt=2)), "unit").names == ("1: x = y",)


def test_functions_of_one_name_are_parts_of_their_own() -> None:
    twice = trace_of("def f():\n    return 1\ndef f():\n    return 2\n")
    assert parts_of(analyse(twice), "function").names == ("f", "", "f (2)")


def test_single_places_are_never_called_thin() -> None:
    trace = trace_of()
    assert not streamed(analyse(trace), weights_of(len(trace)), "line").thin.any()


@pytest.mark.parametrize("masked", [(), (0, 5)])
def test_captured_attention_flows_as_it_does_while_streaming(masked: tuple[int, ...]) -> None:
    trace = trace_of()
    weights = weights_of(len(trace))
    stored = flow_in(without(captured_of(weights), masked), trace)
    passing = streamed(analyse(trace), weights, "category", masked=masked)
    assert stored.masked == passing.masked == masked
    assert np.allclose(stored.mean, passing.mean, atol=1e-6, equal_nan=True)
    assert np.allclose(stored.uniform, passing.uniform, equal_nan=True)
    assert stored.frame()["query_tokens"].equals(passing.frame()["query_tokens"])


def test_one_head_and_some_rows_can_be_looked_at_alone() -> None:
    trace = trace_of()
    weights = weights_of(len(trace))
    some = range(10, 20)
    flow = flow_in(captured_of(weights, some), trace, "line", layer=1, head=2)
    assert (flow.layers, flow.heads) == ((1,), (2,))
    assert flow.query_tokens.sum() == len(some)
    row = flow.mean[flow.parts.index("3")]
    label = syntax_frame(trace)["line"].to_numpy()
    inside = [i for i in some if label[i] == 3]
    expected = weights[1, 2, inside][:, label == 3].sum(-1).mean()
    assert row[flow.parts.index("3")] == pytest.approx(float(expected), abs=1e-6)


def test_attention_of_another_text_is_refused() -> None:
    with pytest.raises(RequestError, match="Capture the attention of this trace"):
        flow_in(captured_of(weights_of(5)), trace_of())


def test_an_unknown_level_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError, match="category, leaf"):
        parts_of(analyse(trace_of()), "colour")  # type: ignore[arg-type]


def test_a_head_that_has_nothing_but_the_sink_does_not_count_without_it() -> None:
    trace = trace_of()
    weights = weights_of(len(trace), layers=1)
    parked = torch.zeros_like(weights[:, :1])
    parked[..., 0] = 1.0
    with_parked = streamed(
        analyse(trace), torch.cat([weights, parked], 1), "category", masked=(0,)
    )  # fmt: skip
    alone = streamed(analyse(trace), weights, "category", masked=(0,))
    assert np.allclose(with_parked.mean, alone.mean, equal_nan=True)
