"""Token healing, against brute force over the whole vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import oracles
import pytest
import tiny_models
from conversations import CHATML, chat_model
from hypothesis import given
from hypothesis import strategies as st

import tokenscope_core as ts
from tokenscope_core.prompts.healing import Respelling, healed
from tokenscope_core.record.vocabulary import Vocabulary

ENDS = (
    "def add(a, b):\n    ret",
    "for i in ran",
    "x = ",
    "pri",
    "    ",
    "def add(a, b):\n    ",
    "é",
)


def taken_back(
    vocabulary: Vocabulary, ids: Sequence[int], first: int
) -> tuple[int, tuple[int, ...]]:
    """The rule as it is written, token by token and without any order among them."""
    plain = {i: b for i, b in vocabulary.token_bytes.items() if i not in vocabulary.special_ids}
    for start in range(max(first, 1), len(ids)):
        if any(i in vocabulary.special_ids for i in ids[start:]):
            continue
        rest = b"".join(plain[i] for i in ids[start:])
        if any(token.startswith(rest) and token != rest for token in plain.values()):
            return start, tuple(ids[start:])
    return len(ids), ()


def may_be_drawn(vocabulary: Vocabulary, left: Sequence[int]) -> set[int]:
    rest = b"".join(vocabulary.token_bytes[i] for i in left)
    plain = set(vocabulary.token_bytes) - vocabulary.special_ids
    return {i for i in plain if vocabulary.token_bytes[i].startswith(rest)} | {left[0]}


def greedy_by_hand(lm: ts.LanguageModel, request: ts.Request) -> tuple[list[int], int]:
    """The healed greedy run, each step a full pass with every token tried."""
    ids = lm.encode(request.prompt)
    start, left = taken_back(lm.vocabulary, ids, 1)
    ids = ids[:start]
    for _ in range(request.max_new_tokens):
        logits = oracles.full_pass(lm, np.array(ids))[-1]
        allowed = may_be_drawn(lm.vocabulary, left) if left else set(range(len(logits)))
        best = max(sorted(allowed), key=lambda i: logits[i])
        ids.append(best)
        left = left[1:] if left and best == left[0] else ()
    return ids, start


@pytest.mark.parametrize("prompt", ENDS)
def test_a_healed_run_is_that_of_brute_force_over_the_vocabulary(prompt: str) -> None:
    lm = replace(tiny_models.language_model(), end_ids=frozenset())
    trace = ts.generate(lm, ts.Request(prompt, 6, heal=True))
    expected, start = greedy_by_hand(lm, ts.Request(prompt, 6))
    assert trace.token_ids.tolist() == expected
    assert trace.prompt_length == start
    assert trace.text_bytes.startswith(prompt.encode())
    assert (trace.source[start:] == "sampled").all()


@given(
    words=st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=40, unique=True),
    data=st.data(),
)
def test_the_rule_on_any_vocabulary(words: list[bytes], data: st.DataObject) -> None:
    table = {0: b"<special>", **dict(enumerate(words, 1))}
    vocabulary = Vocabulary(table, frozenset({0}))
    ids = data.draw(st.lists(st.sampled_from(sorted(table)), min_size=1, max_size=6))
    found = healed(vocabulary, ids, 1)
    assert (found.kept, found.taken_back) == taken_back(vocabulary, ids, 1)
    if found.taken_back:
        allowed = Respelling(found).allowed()
        assert allowed is not None
        assert set(allowed.tolist()) == may_be_drawn(vocabulary, found.taken_back)
    again = Respelling(found)
    for token_id in found.taken_back:
        again.feed(token_id)
    assert again.allowed() is None, "all is free once it stands as it stood"


def test_a_prompt_that_ends_in_a_space_can_go_on_with_a_word() -> None:
    lm = replace(tiny_models.language_model(), end_ids=frozenset())
    vocabulary = lm.vocabulary
    words = {i for i, b in vocabulary.token_bytes.items() if b.startswith(b" ") and b.strip()}
    trace = ts.generate(lm, ts.Request("x = ", 1, ts.Sampling(1.0), heal=True, candidates=200))
    assert trace.prompt_length == len(lm.encode("x = ")) - 1
    drawable = trace.candidate_ids[-1][trace.candidate_kept[-1] == 1]
    assert words & set(drawable.tolist())


def test_metrics_are_the_models_own_and_the_draw_is_after_the_constraint() -> None:
    lm = replace(tiny_models.language_model(), end_ids=frozenset())
    prompt = "def add(a, b):\n    ret"
    trace = ts.generate(lm, ts.Request(prompt, 4, ts.Sampling(1.0, seed=2), heal=True))
    at = trace.prompt_length
    logprobs = oracles.log_softmax(oracles.full_pass(lm, trace.token_ids))[at - 1]
    taken = int(trace.token_ids[at])
    assert trace.logprob[at] == pytest.approx(logprobs[taken], abs=1e-4)
    _, left = taken_back(lm.vocabulary, lm.encode(prompt), 1)
    allowed = sorted(may_be_drawn(lm.vocabulary, left))
    mass = np.log(np.exp(logprobs[allowed]).sum())
    assert trace.sampled_logprob[at] == pytest.approx(logprobs[taken] - mass, abs=1e-4)


@pytest.mark.parametrize("sampling", [ts.Sampling(), ts.Sampling(1.0, top_p=0.9, seed=3)])
def test_it_goes_on_and_is_forked_as_one_run(sampling: ts.Sampling) -> None:
    lm = replace(tiny_models.language_model(), end_ids=frozenset())
    request = ts.Request("def add(a, b):\n    ret", 12, sampling, heal=True)
    whole = ts.generate(lm, request)
    for length in (1, 2, 3):
        short = ts.generate(lm, replace(request, max_new_tokens=length))
        assert ts.extend(lm, short, 12 - length).token_ids.tolist() == whole.token_ids.tolist()
    again = ts.fork(lm, whole, whole.prompt_length)
    assert again.token_ids.tolist() == whole.token_ids.tolist()
    assert len(ts.explore(lm, whole, whole.prompt_length, top=3)) == 3
    scored = ts.generate(lm, replace(request, max_new_tokens=0))
    assert ts.extend(lm, scored, 12).token_ids.tolist() == whole.token_ids.tolist()


def test_what_is_spelled_again_completes_no_stop_string() -> None:
    lm = replace(tiny_models.language_model(), end_ids=frozenset())
    request = ts.Request("def add(a, b):\n    ret", 3, stop=("ret", "et", "t"), heal=True)
    assert ts.generate(lm, request).text.startswith(request.prompt)
    free = ts.generate(lm, replace(request, stop=()))
    written = free.text[len(request.prompt) :]
    if written:
        stopped = ts.generate(lm, replace(request, stop=(written[0],)))
        assert stopped.finish_reason == "stop"


def test_an_answer_that_was_begun_is_healed_but_not_the_template() -> None:
    lm = replace(chat_model(CHATML), end_ids=frozenset())
    said = (ts.Message("user", "x"),)
    trace = ts.generate(lm, ts.Request("    ret", 4, messages=said, heal=True))
    assert trace.text.endswith(trace.text[trace.text.index("    ret") :])
    empty = ts.generate(lm, ts.Request("", 4, messages=said, heal=True))
    assert empty.token_ids.tolist() == (
        ts.generate(lm, ts.Request("", 4, messages=said)).token_ids.tolist()
    )


def test_it_is_part_of_the_key_only_where_it_is_asked_for() -> None:
    request = ts.Request("x", heal=True)
    assert ts.Request.from_json(request.to_json()) == request
    assert "heal" not in ts.Request("x").to_json()
    with pytest.raises(ts.RequestError, match="gap"):
        ts.Request("x", suffix="y", heal=True)
    with pytest.raises(ts.RequestError, match="heal"):
        ts.Request("x", heal=1)  # type: ignore[arg-type]
