"""Texts longer than the context: each token's figures are those of its window read alone."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import posixpath
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import oracles
import pytest
import tiny_models
import torch
from real_model import real_model_folder

import tokenscope_core as ts
from tokenscope_core.decoding import prefill, windowed
from tokenscope_core.decoding.request_run import rows
from tokenscope_core.prompts.windows import windows_of

CONTEXT = tiny_models.CONTEXT
LINES = "".join(f"def f{i}(a, é):\n    return a + {i}\n" for i in range(400))


def text_of(lm: ts.LanguageModel, tokens: int) -> str:
    """A text of exactly so many tokens, what begins every text included."""
    ends = range(1, len(LINES))
    end = ends[bisect.bisect_left(ends, tokens, key=lambda end: len(lm.encode(LINES[:end])))]
    assert len(lm.encode(LINES[:end])) == tokens
    return LINES[:end]


def windows_read_alone(
    lm: ts.LanguageModel, ids: list[int], overlap: int, lead: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Each position that has one, with the log-probabilities [V] before it, by transformers' own
    forward pass over its window and nothing else."""
    context = lm.context_length
    assert context
    seen = oracles.context_lengths(len(ids), context, overlap, lead)
    for skipped, group in itertools.groupby(enumerate(seen), lambda pair: pair[0] - pair[1]):
        positions = [position for position, _ in group]
        text = ids[: positions[-1] + 1]
        if skipped:
            text = ids[:lead] + text[skipped + lead :]
        assert len(text) <= context
        with torch.no_grad():
            logits = lm.model(torch.tensor([text]), use_cache=False).logits[0].double().numpy()
        logprobs = oracles.log_softmax(logits)
        yield from (
            (position, logprobs[position - skipped - 1])
            for position in positions
            if position > skipped
        )


def assert_windows_read_alone(
    lm: ts.LanguageModel, trace: ts.Trace, overlap: int, lead: int, *, atol: float
) -> None:
    ids = trace.token_ids.tolist()
    known = np.zeros(len(ids), dtype=bool)
    for position, logprobs in windows_read_alone(lm, ids, overlap, lead):
        known[position] = True
        taken = logprobs[ids[position]]
        assert trace.logprob[position] == pytest.approx(taken, abs=atol), position
        entropy = -(np.exp(logprobs) * logprobs).sum()
        assert trace.entropy[position] == pytest.approx(entropy, abs=atol), position
        best = trace.candidate_ids[position, 0]
        assert logprobs[best] == pytest.approx(logprobs.max(), abs=atol), position
    np.testing.assert_array_equal(~np.isnan(trace.logprob), known)


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("overlap", [0, 1, 100, CONTEXT - 2])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_each_token_has_the_figures_of_its_window_alone(
    family: str, overlap: int, bos: bool
) -> None:
    lm = tiny_models.language_model(family, bos)
    text = text_of(lm, CONTEXT + 40 if overlap == CONTEXT - 2 else 3 * CONTEXT - 7)
    trace = ts.score(lm, text, overlap=overlap, candidates=3)
    assert trace.token_ids.tolist() == lm.encode(text)
    assert trace.text == text
    assert (trace.source == "prompt").all() and trace.finish_reason == "length"
    assert_windows_read_alone(lm, trace, overlap, int(bos), atol=2e-4)
    seen = oracles.context_lengths(len(trace), CONTEXT, overlap, int(bos))
    assert trace.context_length.tolist() == seen
    assert (trace.context_length[CONTEXT:] >= overlap).all()
    assert (trace.context_length < CONTEXT).all()


@pytest.mark.parametrize(("tokens", "count"), [(CONTEXT, 1), (CONTEXT + 1, 2)])
def test_as_long_as_the_context_and_longer_by_one(
    lm: ts.LanguageModel, tokens: int, count: int
) -> None:
    text = text_of(lm, tokens)
    trace = ts.score(lm, text, overlap=16)
    assert len(trace) == tokens and len(trace.seams) == count - 1
    assert (trace.request.overlap is None) == (count == 1)
    assert np.isnan(trace.surprisal).sum() == 1
    if count == 1:
        # What fits is the very trace that nobody asked windows for.
        assert trace.key == ts.score(lm, text).key
    else:
        assert trace.seams.tolist() == [CONTEXT] and trace.context_length[CONTEXT] == 17
        with pytest.raises(ts.ContextLengthError, match=r"overlap=256") as refused:
            ts.score(lm, text)
        assert refused.value.windows and "0 new ones" not in str(refused.value)


def test_the_first_window_is_the_text_read_whole(lm: ts.LanguageModel) -> None:
    long = ts.score(lm, text_of(lm, 2 * CONTEXT), overlap=16)
    whole = ts.score(lm, text_of(lm, CONTEXT))
    # The last token of the shorter text may be another one: the end cut through it.
    np.testing.assert_array_equal(long.logprob[: CONTEXT - 1], whole.logprob[:-1])
    np.testing.assert_array_equal(long.candidate_ids[:CONTEXT], whole.candidate_ids)


@pytest.mark.parametrize("overlap", [-1, CONTEXT - 1, CONTEXT, 10**6])
def test_an_overlap_out_of_range_is_refused_also_where_the_text_would_fit(
    lm: ts.LanguageModel, overlap: int
) -> None:
    for text in ("x = 1", text_of(lm, CONTEXT + 5)):
        with pytest.raises(ts.RequestError, match="overlap") as refused:
            ts.score(lm, text, overlap=overlap)
        assert "Choose" in refused.value.action
    assert len(ts.score(lm, text_of(lm, CONTEXT + 5), overlap=CONTEXT - 2)) == CONTEXT + 5


def test_the_overlap_is_part_of_the_recipe_and_old_keys_stay(lm: ts.LanguageModel) -> None:
    text = text_of(lm, CONTEXT + 50)
    keys = {ts.score(lm, text, overlap=overlap).key for overlap in (0, 16, 17)}
    assert len(keys) == 3
    assert "overlap" not in ts.Request("x", 0).to_json()
    request = ts.Request("x", 0, overlap=0)
    assert ts.Request.from_json(request.to_json()) == request and request != ts.Request("x", 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_new_tokens": 1},
        {"max_new_tokens": 0, "suffix": "y"},
        {"max_new_tokens": 0, "messages": (ts.Message("user", "hi"),)},
    ],
)
def test_only_a_plain_text_that_is_scored_can_have_windows(settings: dict[str, object]) -> None:
    with pytest.raises(ts.RequestError, match="plain text"):
        ts.Request("x", overlap=16, **settings)  # type: ignore[arg-type]


def test_a_model_without_a_bound_reads_any_text_in_one_piece(lm: ts.LanguageModel) -> None:
    boundless = dataclasses.replace(lm, context_length=None)
    trace = ts.score(boundless, text_of(lm, 40), overlap=9)
    assert trace.request.overlap is None and not len(trace.seams)


def test_a_trace_in_windows_comes_back_from_its_file(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, text_of(lm, CONTEXT + 30), overlap=16)
    again = ts.Trace.from_bytes(trace.to_bytes())
    assert again.key == trace.key and again.request == trace.request
    np.testing.assert_array_equal(again.context_length, trace.context_length)
    frame = ts.token_frame(again)
    assert frame["context_length"].tolist() == trace.context_length.astype(int).tolist()


def test_rows_come_one_after_another_and_no_more_is_read_once_they_are_closed(
    lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ts.Request(text_of(lm, 3 * CONTEXT), 0, overlap=16)
    readers = []
    new_reader = type(lm).new_reader
    monkeypatch.setattr(type(lm), "new_reader", lambda self: readers.append(1) or new_reader(self))
    running = rows(lm, request)
    place = 0
    for part in running:
        assert part.start == place and part.measured
        place += len(part)
        if place > CONTEXT:
            break
    assert part.finish_reason is None and len(readers) == 2
    running.close()
    assert len(readers) == 2, "a window that nobody waits for is not begun"
    steps = list(ts.stream(lm, request))
    assert [step.position for step in steps] == list(range(3 * CONTEXT))
    assert [step.finish_reason for step in steps if step.finish_reason] == ["length"]


def test_a_window_read_in_pieces_is_cut_where_it_would_be_alone(
    lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half precision gives other figures for other pieces."""
    monkeypatch.setattr(prefill, "piece_length", lambda lm: 48)
    read: list[tuple[int, int]] = []
    reader = type(lm.new_reader())
    for name in ("skip", "read_later"):
        original = getattr(reader, name)

        def noted(self: object, ids: torch.Tensor, original: object = original) -> object:
            read.append((self.length, ids.shape[1]))  # type: ignore[attr-defined]
            return original(self, ids)  # type: ignore[operator]

        monkeypatch.setattr(reader, name, noted)
    trace = ts.score(lm, text_of(lm, 2 * CONTEXT - 40), overlap=100)
    assert {start % 48 for start, _ in read} == {0}
    monkeypatch.undo()
    assert_windows_read_alone(lm, trace, 100, 1, atol=2e-4)


def test_windows_reach_every_token_once() -> None:
    for length, context, overlap, lead in itertools.product(
        range(1, 30), range(2, 9), range(0, 7), (0, 1)
    ):
        if overlap + lead >= context:
            continue
        pieces = windows_of(length, context, overlap, lead=lead)
        scored = [i for piece in pieces for i in range(piece.scored, piece.end)]
        assert scored == list(range(length))
        for piece in pieces[1:]:
            assert piece.scored - piece.start == overlap
            assert piece.end - piece.start + lead <= context


def test_an_error_in_a_window_lets_go_of_what_is_kept_in_memory(
    lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Iterator[object]:
        raise MemoryError
        yield

    ts.score(lm, "x = 1")
    assert lm.prefixes.branch(lm.encode("x = 1")[:-1]) is not None
    monkeypatch.setattr(windowed, "read_given", fails)
    with pytest.raises(MemoryError):
        ts.score(lm, text_of(lm, CONTEXT + 30), overlap=16)
    assert lm.prefixes.branch(lm.encode("x = 1")[:-1]) is None


@pytest.mark.parametrize("overlap", [256])
def test_the_shipped_model_reads_a_file_of_the_standard_library(overlap: int) -> None:
    lm = ts.load_model()
    with Path(posixpath.__file__).open(encoding="utf-8") as file:
        text = "".join(itertools.islice(file, 150))
    trace = ts.score(lm, text, overlap=overlap)
    assert trace.text == text and len(trace) > (lm.context_length or 0)
    lead = len(lm.tokenizer("")["input_ids"])
    assert_windows_read_alone(lm, trace, overlap, lead, atol=2e-4)


def test_a_real_model_reads_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = ts.load_model(str(real_model_folder()), dtype=torch.float32)
    short = dataclasses.replace(lm, context_length=160)
    trace = ts.score(short, LINES[:1200], overlap=40)
    assert len(trace.seams) > 1
    assert_windows_read_alone(short, trace, 40, len(lm.tokenizer("")["input_ids"]), atol=5e-4)
