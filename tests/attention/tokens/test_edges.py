"""What is missing, refused and kept of what attention says of single tokens."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_models
from made_traces import made

import tokenscope_core as ts
from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.tokens.tasks import AttendersOf, ReceivedOf
from tokenscope_core.progress import never, silent

WORDS = ["a", "b", "c", "d"]


def by_hand(*rows: list[float]) -> AttentionMap:
    """One head of one layer over four tokens."""
    weights = np.array(rows, dtype=np.float32)[None, None]
    return AttentionMap(weights, (0,), (0,), np.arange(4, dtype=np.int64))


HALF = by_hand([1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.6, 0.2, 0.2, 0], [0.4, 0.1, 0.3, 0.2])


def test_a_token_leans_on_sure_and_unsure_ones_as_it_is_worked_by_hand() -> None:
    trace = made(WORDS, prompt_length=2)
    trace.metrics["logprob"].flags.writeable = True
    trace.metrics["logprob"][1:] = [-1.0, -2.0, -4.0]
    frame = ts.leaning(HALF, trace, apart=[0]).frame().set_index("position")
    # The last row: 0.4 on the sink, then 1, 2 and 4 nats weighted by 0.1, 0.3 and 0.2.
    assert frame["surprisal"][3] == pytest.approx((0.1 + 0.6 + 0.8) / 0.6)
    assert frame["even_surprisal"][3] == pytest.approx(7 / 3)
    assert frame["sink_share"][3] == pytest.approx(0.4)
    assert frame["prompt_share"][3] == pytest.approx(1 / 6)
    assert frame["output_share"][3] == pytest.approx(5 / 6)
    assert np.isnan(frame["surprisal"][0]), "all of the first row is on the sink"
    assert np.isnan(frame["prompt_share"][0])


def test_what_has_no_figure_is_left_out_and_how_much_that_was_is_said() -> None:
    trace = made(WORDS)
    frame = ts.leaning(HALF, trace, apart=[]).frame().set_index("position")
    assert frame["known_surprisal"][3] == pytest.approx(0.6), "the first token has no surprisal"
    assert frame["surprisal"][3] == pytest.approx(1.0)
    assert frame["sink_share"][3] == 0
    assert np.isnan(frame["surprisal"][0])


def test_what_was_masked_before_is_set_apart_and_its_share_is_not_known_any_more() -> None:
    found = ts.leaning(ts.without(HALF, [0, 1]), made(WORDS))
    assert found.apart == (0, 1)
    assert np.isnan(found.sink_share).all()
    assert found.output_share[3] == 1.0


def test_sinks_are_found_where_nobody_says_which() -> None:
    lm = ts.load_model()
    trace = ts.score(lm, "def add(a, b):\n    return a + b\n" * 6)
    captured = ts.attention(lm, trace, layers=[3])
    assert ts.leaning(captured, trace).apart == ts.sinks_in(captured).positions
    folded = ts.attention(lm, trace, layers=[3], fold="mean")
    assert ts.leaning(folded, trace).apart == (0,)


def test_attention_of_another_text_or_of_rows_that_are_not_there_is_refused() -> None:
    with pytest.raises(ts.RequestError, match="over 4 tokens was captured, and the text has 3"):
        ts.leaning(HALF, made(WORDS[:3]))
    lm = tiny_models.language_model()
    trace = ts.score(lm, "def add(a, b):\n    return a + b\n")
    part = ts.attention(lm, trace, queries=(3, 6))
    with pytest.raises(ts.RequestError, match="of the positions 3 to 5"):
        ts.leaning(part, trace, positions=[6])
    with pytest.raises(ts.RequestError, match="of the positions 3 to 5"):
        ts.pair_grid(part, 7, 2)
    with pytest.raises(ts.RequestError, match="last row that was captured is that of position 5"):
        ts.attenders_in(part, 6)
    assert ts.attenders_in(part, 4).queries.tolist() == [4, 5]
    with pytest.raises(ts.RequestError, match="of the positions 3 to 5"):
        ts.selected_attention(part, [2, 4])
    to = ts.selected_attention(part, [2], "to").weight
    assert np.flatnonzero(~np.isnan(to)).tolist() == [3, 4, 5]


def test_no_token_attends_to_what_comes_later_and_none_is_outside_of_the_text() -> None:
    with pytest.raises(ts.RequestError, match="comes later"):
        ts.pair_grid(HALF, 1, 2)
    for asked in (
        lambda: ts.pair_grid(HALF, 4, 2),
        lambda: ts.attenders_in(HALF, 4),
        lambda: ts.selected_attention(HALF, [4]),
    ):
        with pytest.raises(ts.RequestError, match="The text has 4 tokens"):
            asked()
    with pytest.raises(ts.RequestError, match="None was given"):
        ts.selected_attention(HALF, [])


def test_a_layer_or_head_that_was_not_measured_is_a_key_error_that_says_which_were() -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, "def add(a, b):\n    return a + b\n")
    found = ts.received(lm, trace, layers=[1])
    assert found.layers == (1,)
    with pytest.raises(KeyError, match=r"layer 0 was not measured, only \[1\]"):
        found.of(0)
    with pytest.raises(KeyError, match="head 9 was not measured, only 4"):
        found.of(1, 9)
    with pytest.raises(KeyError, match=r"layer 0 was not captured, only \[1\]"):
        ts.attenders(lm, trace, 2, layers=[1]).by_head(0)


def test_folded_heads_are_one_column_of_a_pair_and_nobody_knows_which_attend() -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, "def add(a, b):\n    return a + b\n")
    folded = ts.attention(lm, trace, fold="mean")
    frame = ts.pair_grid(folded, 5, 2).frame()
    assert frame["head"].isna().all() and frame["layer"].tolist() == [0, 1]
    with pytest.raises(ts.RequestError, match="The heads were folded"):
        ts.attenders_in(folded, 2)


def test_what_a_service_computes_comes_back_from_its_bytes() -> None:
    lm = tiny_models.language_model("gemma3")
    trace = ts.score(lm, "def add(a, b):\n    return a + b\n")
    received = ReceivedOf(trace, rows="predicting", masked=(0,))
    found = received.run(lm, silent, never)
    assert found is not None
    again = received.from_bytes(received.to_bytes(found))
    for name in ("mass", "even", "rows_seeing"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    for name in ("layers", "sinks", "masked", "rows"):
        assert getattr(again, name) == getattr(found, name)
    column = AttendersOf(trace, 3)
    who = column.run(lm, silent, never)
    assert who is not None
    back = column.from_bytes(column.to_bytes(who))
    np.testing.assert_array_equal(back.weights, who.weights)
    assert (back.key, back.layers, back.queries.tolist()) == (3, who.layers, who.queries.tolist())
    assert column.recipe() != AttendersOf(trace, 4).recipe()
    for task, blob in ((received, column.to_bytes(who)), (column, b"no record")):
        with pytest.raises(ts.RecordError):
            task.from_bytes(blob)


def test_a_pass_that_is_stopped_keeps_the_layers_there_are() -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, "def add(a, b):\n    return a + b\n")
    done: list[int] = []
    task = ReceivedOf(trace)
    found = task.run(lm, lambda ran, _: done.append(ran), lambda: done[-1] == 1)
    assert found is not None and found.layers == (0,)
    np.testing.assert_allclose(found.mass[0], ts.received(lm, trace).mass[0])


def test_a_single_token_receives_nothing_and_nobody_attends_to_it_but_itself() -> None:
    lm = tiny_models.language_model(bos=False)
    trace = ts.score(lm, "d")
    assert len(trace) == 1
    found = ts.received(lm, trace)
    assert (found.mass == 0).all()
    assert np.isnan(found.frame()["ratio"]).all()
    np.testing.assert_allclose(ts.attenders(lm, trace, 0).weights, 1.0)
