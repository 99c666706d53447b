"""A metric on the nodes of a tree, checked by hand and against every token added up by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.folding.aggregation import aggregate
from tokenscope_core.syntax.folding.icicle import icicle_frame

CODE = "class Stack:\n    def push(self, x):\n        self.items += [x]\n\n\nprint(Stack())\n"
CHAT = "Look:\n\n```python\ndef f():\n    return 1\n```\n\n```cobol\nMOVE 1 TO X.\n```\n"


def texts(frame: pd.DataFrame, trace: Trace) -> list[str]:
    bounds = zip(frame["byte_start"], frame["byte_end"], strict=True)
    return [trace.text_bytes[start:end].decode() for start, end in bounds]


def by_hand(trace: Trace, start: int, end: int, metric: str) -> tuple[float, float]:
    """The tokens in a range and their mean, one after the other."""
    n = total = 0.0
    for position, value in enumerate(trace.column(metric).tolist()):
        first, last = int(trace.byte_start[position]), int(trace.byte_end[position])
        if trace.source[position] == "prompt" or first == last or np.isnan(value):
            continue
        share = max(0, min(last, end) - max(first, start)) / (last - first)
        if share:
            n, total = n + share, total + share * value
    return n, total / n if n else np.nan


def test_a_small_program_by_hand() -> None:
    # "x" | " =" | " yy": below the module the assignment, below it its leaves.
    trace = trace_of([b"x", b" =", b" yy"], entropy=[1.0, 2.0, 3.0])
    frame = icicle_frame(trace)
    assert texts(frame, trace) == ["x = yy", "x = yy", "x", "=", "yy"]
    assert frame["kind"].tolist() == ["module", "assignment", "identifier", "=", "identifier"]
    assert frame["parent"].tolist() == [-1, 0, 1, 1, 1]
    assert frame["depth"].tolist() == [0, 1, 2, 2, 2]
    assert frame["leaf"].tolist() == [False, False, True, True, True]
    assert frame["bytes"].tolist() == [6, 6, 1, 1, 2]
    np.testing.assert_allclose(frame["tokens"], [3, 3, 1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(frame["mean"], [2.0, 2.0, 1.0, 2.0, 3.0])
    assert frame["bytes_before"].tolist() == [0, 0, 0, 2, 4]
    np.testing.assert_allclose(frame["tokens_before"], [0, 0, 0, 1 + 1 / 2, 2 + 1 / 3])


def test_classes_and_functions_are_named_and_nothing_stands_twice() -> None:
    trace = trace_of(words(CODE))
    frame = icicle_frame(trace)
    assert [name for name in frame["name"] if name] == ["class Stack", "function push"]
    above = frame.iloc[frame["parent"].to_numpy()[2:]]
    below = frame.iloc[2:]
    same = (above["byte_start"].to_numpy() == below["byte_start"].to_numpy()) & (
        above["byte_end"].to_numpy() == below["byte_end"].to_numpy()
    )
    assert not same.any()
    assert "augmented_assignment" in frame["kind"].tolist(), "says more than expression_statement"
    assert "expression_statement" not in frame["kind"].tolist()


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_node_is_the_sum_of_its_tokens(data: st.DataObject) -> None:
    blob = (CODE + "é = '👋'\n").encode()
    cuts = data.draw(st.sets(st.integers(1, len(blob) - 1)))
    ends = [*sorted(cuts), len(blob)]
    pieces = [blob[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    entropy = data.draw(
        st.lists(
            st.floats(0, 9) | st.sampled_from([np.nan, np.inf]),
            min_size=len(pieces),
            max_size=len(pieces),
        )
    )
    prompt = data.draw(st.integers(0, len(pieces) - 1))
    trace = trace_of(pieces, prompt=prompt, entropy=entropy)
    frame = icicle_frame(trace)
    for row in frame.itertuples():
        n, mean = by_hand(trace, int(row.byte_start), int(row.byte_end), "entropy")
        assert row.n == pytest.approx(n, abs=1e-8)
        assert row.mean == pytest.approx(mean, nan_ok=True)
    children = frame[1:].groupby("parent")[["bytes", "tokens"]].sum()
    parents = frame.loc[children.index, ["bytes", "tokens"]]
    assert (children <= parents + 1e-6).all(axis=None)


def test_the_prompt_counts_only_when_asked() -> None:
    trace = trace_of(words(CODE), prompt=len(words("class Stack:\n    def push(self, x):\n")))
    frame = icicle_frame(trace)
    assert "parameters" not in frame["kind"].tolist()
    assert frame["name"].tolist()[:3] == ["", "class Stack", "function push"]
    assert frame.loc[0, "tokens"] == len(trace) - trace.prompt_length
    assert (frame["bytes"][1:] > 0).all()
    assert icicle_frame(trace, generated_only=False).loc[0, "tokens"] == len(trace)


def test_nodes_whose_tokens_have_no_value_are_missing_and_keep_their_place() -> None:
    trace = trace_of([b"x", b"=", b"y"], entropy=[1.0, np.nan, np.nan])
    frame = icicle_frame(trace).set_index("byte_start")
    last = frame.iloc[-1]
    assert (last["bytes"], last["tokens"], last["n"]) == (1, 1.0, 0.0)
    assert np.isnan(last["mean"])
    assert np.isnan(last["ci_low"])
    assert frame["mean"].iloc[0] == 1.0


def test_what_a_model_ruled_out_is_infinite_where_it_stands_alone() -> None:
    trace = trace_of([b"x", b"=", b"y", b"\n", b"z"], entropy=[1.0, 2.0, np.inf, 4.0, 5.0])
    frame = icicle_frame(trace)
    assert frame["mean"].tolist() == [np.inf, np.inf, 1.0, 2.0, np.inf, 5.0]
    assert set(frame["ci_note"][:2]) == {"none: a value is infinite"}


def test_fenced_code_is_read_where_it_stands() -> None:
    trace = trace_of(words(CHAT))
    frame = icicle_frame(trace, language="markdown")
    assert frame["kind"].tolist()[:2] == ["document", "module"]
    assert frame["name"].tolist()[2] == "function f"
    assert texts(frame, trace)[2] == "def f():\n    return 1"
    assert frame["kind"].tolist()[-1] == "code"
    assert frame["leaf"].tolist()[-1]


def test_the_interval_of_a_node_is_that_of_its_tokens_by_themselves() -> None:
    """A function of a text, and the same function as a text of its own."""
    body = "".join(f"    x{i} = f(y) + {i}\n" for i in range(40))
    pieces = words("import os\n" * 20 + "def g():\n" + body)
    values = np.random.default_rng(0).gamma(0.5, 2.0, len(pieces))
    whole = trace_of(pieces, entropy=values)
    row = icicle_frame(whole).set_index("kind").loc["function_definition"]
    inside = (whole.byte_start >= row["byte_start"]) & (whole.byte_end <= row["byte_end"])
    own = trace_of(
        [whole.vocabulary.token_bytes[int(i)] for i in whole.token_ids[inside]],
        entropy=whole.entropy[inside],
    )
    alone = aggregate(own, "language").iloc[0]
    columns = ["n", "mean", "ci_low", "ci_high", "units"]
    # A line end with its indentation is one token here, and of two statements there.
    np.testing.assert_allclose(row[columns].astype(float), alone[columns].astype(float), 0.01)
    assert row["ci_low"] < row["mean"] < row["ci_high"]


def test_a_single_statement_has_no_interval() -> None:
    frame = icicle_frame(trace_of(words("x = y\n" * 12))).set_index("kind")
    assert frame.loc["module", "units"] == 12
    assert frame.loc["module", "ci_note"] == "for this text"
    statements = frame.loc["assignment"]
    assert set(statements["ci_note"]) == {"none: 1 statement, at least 10 are needed"}
    assert statements["ci_low"].isna().all()


def test_of_a_text_that_was_given_and_scored_all_tokens_count() -> None:
    given = trace_of(words(CODE), prompt=len(words(CODE)))
    frame = icicle_frame(given, "surprisal")
    assert frame.loc[0, "n"] == len(given)
    assert set(frame["counted"]) == {"all"}
    assert len(frame) == len(icicle_frame(given, "surprisal", generated_only=False))
    assert set(icicle_frame(trace_of(words(CODE), prompt=3))["counted"]) == {"generated"}


@pytest.mark.parametrize("text", ["", "\n", " ", "x", "= =", "\xff"])
def test_any_text_has_at_least_its_whole(text: str) -> None:
    frame = icicle_frame(trace_of(words(text.encode("latin-1"))))
    assert frame.loc[0, "bytes"] == len(text)
    assert frame.loc[0, "parent"] == -1


def test_nesting_beyond_the_recursion_limit() -> None:
    depth = 5000
    trace = trace_of([*[b"("] * depth, b"1", *[b")"] * depth])
    frame = icicle_frame(trace)
    assert frame["depth"].max() > depth
    assert frame.loc[frame["depth"].idxmax(), "bytes"] == 1


def test_an_unknown_metric_or_language_is_refused() -> None:
    trace = trace_of(words(CODE))
    with pytest.raises(ts.RequestError, match="surprisal"):
        icicle_frame(trace, "happiness")
    with pytest.raises(ts.RequestError):
        icicle_frame(trace, language="klingon")
