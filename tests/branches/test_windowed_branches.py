"""What builds on a text that was scored in windows: it works in the window, or is refused."""

from __future__ import annotations

from functools import partial

import numpy as np
import oracles
import pytest
import tiny_models
import torch

import tokenscope_core as ts
from tokenscope_core import export

CONTEXT, OVERLAP = tiny_models.CONTEXT, 100
TEXT = "".join(f"def f{i}(a):\n    return a + {i}\n" for i in range(90))


@pytest.fixture(scope="module", params=[True, False], ids=["bos", "no bos"])
def windowed(request: pytest.FixtureRequest) -> tuple[ts.LanguageModel, ts.Trace]:
    lm = tiny_models.language_model("llama", request.param)
    trace = ts.score(lm, TEXT, overlap=OVERLAP, candidates=4)
    assert len(trace.seams) >= 2
    return lm, trace


def read_before(lm: ts.LanguageModel, trace: ts.Trace, position: int) -> list[int]:
    """The tokens that the window of a position reads before it."""
    lead = len(lm.tokenizer("")["input_ids"])
    seen = oracles.context_lengths(len(trace) + 1, CONTEXT, OVERLAP, lead)
    count = seen[position] if position < len(trace) else seen[position - 1] + 1
    ids: list[int] = trace.token_ids.tolist()
    if count == position:
        return ids[:position]
    return ids[:lead] + ids[position - count + lead : position]


def logprobs_of(lm: ts.LanguageModel, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        logits = lm.model(torch.tensor([ids]), use_cache=False).logits[0].double().numpy()
    return oracles.log_softmax(logits)


@pytest.mark.parametrize("place", ["first window", "at a seam", "later", "behind the end"])
def test_a_fork_goes_on_in_the_window_of_its_position(
    windowed: tuple[ts.LanguageModel, ts.Trace], place: str
) -> None:
    lm, trace = windowed
    position = {
        "first window": 70,
        "at a seam": int(trace.seams[1]),
        "later": int(trace.seams[1]) + 33,
        "behind the end": len(trace),
    }[place]
    child = ts.fork(lm, trace, position, text="x", max_new_tokens=6)
    before = read_before(lm, trace, position)
    written = child.token_ids[position:].tolist()
    logprobs = logprobs_of(lm, before + written)
    for i, token_id in enumerate(written):
        row = logprobs[len(before) + i - 1]
        assert child.logprob[position + i] == pytest.approx(row[token_id], abs=2e-4)
        if i:  # the first was put there
            assert token_id == row.argmax()
    assert child.context_length[position:].tolist() == [
        len(before) + i for i in range(len(written))
    ]
    np.testing.assert_array_equal(child.logprob[:position], trace.logprob[:position])
    assert child.request.overlap is None and child.parent == (trace.key, position)
    longer = ts.extend(lm, child, 3)
    assert longer.key == ts.fork(lm, trace, position, text="x", max_new_tokens=9).key
    assert longer.context_length[-1] == len(before) + len(written) + 2
    again = logprobs_of(lm, before + longer.token_ids[position:].tolist())
    assert longer.token_ids[-1] == again[-2].argmax()
    # A fork of the fork stays in that window.
    grown = ts.fork(lm, child, position + 2, max_new_tokens=4)
    assert grown.token_ids[position:].tolist() == child.token_ids[position : position + 6].tolist()
    assert grown.context_length[-1] == len(before) + 5


def test_alternatives_grow_each_in_the_window(
    windowed: tuple[ts.LanguageModel, ts.Trace],
) -> None:
    lm, trace = windowed
    position = int(trace.seams[0]) + 50
    children = ts.explore(lm, trace, position, top=3, max_new_tokens=4)
    for child in children:
        token_id = int(child.token_ids[position])
        alone = ts.fork(lm, trace, position, token_id=token_id, max_new_tokens=4)
        assert child.key == alone.key
        assert child.token_ids.tolist() == alone.token_ids.tolist()
        assert (child.context_length[:position] == trace.context_length[:position]).all()


def test_a_fork_goes_as_far_as_its_window_holds_and_is_refused_beyond(
    windowed: tuple[ts.LanguageModel, ts.Trace],
) -> None:
    lm, trace = windowed
    position = int(trace.seams[1]) - 4
    seen = int(trace.context_length[position])
    child = ts.fork(lm, trace, position, text="x")
    assert child.context_length[-1] == CONTEXT - 1 and len(child) - position == CONTEXT - seen
    with pytest.raises(ts.ContextLengthError, match="fork earlier") as refused:
        ts.fork(lm, trace, position, text="x", max_new_tokens=64)
    assert refused.value.prompt_tokens == seen + 1
    with pytest.raises(ts.RequestError, match="Fork it at its end"):
        ts.extend(lm, trace, 5)
    # The rest of a long file is no more than a window holds either.
    rest = len(trace) - 71
    with pytest.raises(ts.ContextLengthError):
        ts.fork(lm, trace, 70, text="x", kept=rest, max_new_tokens=0)


def test_what_takes_a_pass_over_the_whole_text_is_refused_with_a_way_out(
    windowed: tuple[ts.LanguageModel, ts.Trace],
) -> None:
    lm, trace = windowed
    child = ts.fork(lm, trace, len(trace), max_new_tokens=3)
    for one in (trace, child):
        for refused in (
            partial(ts.attention, layers=[0]),
            partial(ts.top_attention, top=2, layers=[0]),
            ts.rollout,
            ts.head_overview,
            ts.attention_flow,
            partial(ts.influence, positions=[80]),
            lambda lm, one: ts.compare(trace, one, lm=lm),
        ):
            with pytest.raises(ts.RequestError, match=r"read in \d windows") as caught:
                refused(lm, one)
            assert "by themselves" in caught.value.action


def test_a_fork_in_the_first_window_is_a_text_like_any_other(
    windowed: tuple[ts.LanguageModel, ts.Trace],
) -> None:
    lm, trace = windowed
    child = ts.fork(lm, trace, 70, text="x", max_new_tokens=3)
    assert ts.attention(lm, child, layers=[0], queries=(70, 72)).weights.shape[-1] == len(child)
    assert np.isfinite(ts.influence(lm, child).total).any()


def test_two_readings_are_compared_by_their_figures(
    windowed: tuple[ts.LanguageModel, ts.Trace],
) -> None:
    lm, trace = windowed
    other = ts.score(lm, TEXT, overlap=OVERLAP + 60, candidates=4)
    frame = ts.compare(trace, other).frame()
    np.testing.assert_allclose(
        frame["surprisal_diff"], other.surprisal - trace.surprisal, equal_nan=True
    )
    assert (frame["context_length_diff"] != 0).any()
    reader = tiny_models.language_model("gpt2")
    both = ts.compare_models(trace, ts.score(reader, TEXT, overlap=OVERLAP))
    assert both.same_text and len(ts.line_frame(both)) == TEXT.count("\n")


def test_a_session_in_windows_is_computed_again_and_scripted(
    windowed: tuple[ts.LanguageModel, ts.Trace], store: ts.Store
) -> None:
    lm, trace = windowed
    child = ts.fork(lm, trace, int(trace.seams[0]) + 9, text="x", max_new_tokens=5)
    session = ts.Session.start(trace).add(child)
    again = ts.trace_of(session, child.key, store, lm)
    assert again.token_ids.tolist() == child.token_ids.tolist()
    np.testing.assert_array_equal(again.context_length, child.context_length)
    assert store.get(trace.key) is not None
    shared = ts.share.decode(ts.share.encode(session))
    assert [b.key for b in shared.session.branches] == [trace.key, child.key]
    script = export.replay_script(session, traces=[trace, child])
    assert f"overlap={OVERLAP}" in script
    cut = ts.cut_short(trace, CONTEXT + 7)
    assert len(cut.seams) == 1 and cut.finish_reason == "cancelled"
