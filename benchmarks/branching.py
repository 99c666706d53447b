"""Forks, verified continuations, batches and influence, over generating from scratch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from benchmarks.generation import PROMPT
from benchmarks.memory import peak_rise_mb
from benchmarks.paired import Comparison, compare
from benchmarks.shapes import SHAPES, random_model
from tokenscope_core import (
    Edit,
    LanguageModel,
    Request,
    Sampling,
    Trace,
    explore,
    fork,
    generate,
    influence,
)
from tokenscope_core.branches.growing import branch_rows, grown
from tokenscope_core.branches.plans import plan
from tokenscope_core.decoding.request_run import run
from tokenscope_core.record.steps import latest

SAMPLED = Sampling(temperature=0.8, top_p=0.95)
_ALTERNATIVES = 8


def cases(
    lm: LanguageModel, *, quick: bool
) -> Iterator[tuple[str, float, Callable[[], Comparison]]]:
    """What is measured: its name, the ratio it may have, and the measurement."""
    large = lm.model.num_parameters() > 50_000_000
    pairs = 3 if quick or large else 5
    length = 64 if quick else 256
    yield (
        "first token of a fork at 50 %, in decode steps",
        2.0,
        lambda: _first_token(lm, length, pairs),
    )
    yield "fork at 50 %", 0.52, lambda: _fork(lm, length, 0.5, pairs)
    yield "fork at 90 %", 0.12, lambda: _fork(lm, length, 0.9, pairs)
    suffix = length // 2
    for sampling, name in ((Sampling(), "greedy"), (SAMPLED, "sampled")):
        for agreement, target in ((1.0, 0.15), (0.95, 0.4), (0.0, 1.1)):
            yield (
                f"{suffix} tokens that agree to {agreement:.0%}, {name}",
                target,
                partial(_verify, lm, suffix, sampling, agreement, pairs),
            )
    grown_tokens = 16 if quick else 64
    yield (
        f"{_ALTERNATIVES} alternatives x {grown_tokens} tokens as a batch",
        0.3,
        partial(_batch, lm, grown_tokens, pairs),
    )
    for count, target in ((64, 2.3), (128, 4.0))[: 1 if quick else 2]:
        yield f"influence over {count} positions", target, partial(_influence, lm, count, pairs)


def _run(lm: LanguageModel, new_tokens: int, sampling: Sampling | None = None) -> Trace:
    return generate(lm, Request(PROMPT, new_tokens, sampling or Sampling()))


def _other(trace: Trace, position: int) -> int:
    taken = int(trace.token_ids[position])
    return next(int(i) for i in trace.candidate_ids[position].tolist() if i != taken)


def _fork(lm: LanguageModel, length: int, share: float, pairs: int) -> Comparison:
    parent = _run(lm, length)
    position = parent.prompt_length + int(length * share)
    other = _other(parent, position)
    return compare(
        lambda: _run(lm, length), lambda: fork(lm, parent, position, token_id=other), pairs=pairs
    )


def _first_token(lm: LanguageModel, length: int, pairs: int) -> Comparison:
    parent = _run(lm, length)
    position = parent.prompt_length + length // 2
    chosen = plan(parent, Edit(position, (_other(parent, position),)), max_new_tokens=1)
    warm = lm.prefixes.branch(parent.token_ids[:position].tolist())
    assert warm is not None
    token = torch.tensor([[int(parent.token_ids[position])]])
    return compare(
        lambda: warm.branch(position).read(token),
        lambda: grown(lm, chosen, branch_rows(lm, chosen)),
        pairs=8 * pairs,
    )


def _verify(
    lm: LanguageModel, suffix: int, sampling: Sampling, agreement: float, pairs: int
) -> Comparison:
    """Going on with a guess of which a share is right, over going on without one."""
    parent = _run(lm, suffix, sampling)
    ids = parent.token_ids[: parent.prompt_length].tolist()
    wrong = np.random.default_rng(0).random(suffix) >= agreement
    guess = np.where(wrong, (parent.token_ids[-suffix:] + 1) % 4000, parent.token_ids[-suffix:])
    before = lm.prefixes

    def go_on(guess: list[int]) -> None:
        reader = before.branch(ids[:-2]) or lm.new_reader()
        parts = run(
            lm, reader, ids, ["prompt"], parent.request, prompt_length=len(ids), guess=guess
        )
        written = [i for part in latest(parts) for i in part.token_ids.tolist()][1:]
        assert written == parent.token_ids[len(ids) :].tolist()

    return compare(lambda: go_on([]), lambda: go_on(guess.tolist()), pairs=pairs)


def _batch(lm: LanguageModel, tokens: int, pairs: int) -> Comparison:
    parent = _run(lm, tokens)
    position = parent.prompt_length
    others = [i for i in parent.candidate_ids[position].tolist() if i != parent.token_ids[position]]
    # A guess would make the runs one after another cheaper than they are without one.
    alone = replace(lm, capabilities=replace(lm.capabilities, cache="chunks"))

    def one_after_another() -> None:
        for token_id in others[:_ALTERNATIVES]:
            fork(alone, parent, position, token_id=token_id, max_new_tokens=tokens)

    return compare(
        one_after_another,
        lambda: explore(lm, parent, position, top=_ALTERNATIVES, max_new_tokens=tokens),
        pairs=pairs,
    )


def _influence(lm: LanguageModel, count: int, pairs: int) -> Comparison:
    parent = _run(lm, count)
    return compare(lambda: _run(lm, count), lambda: influence(lm, parent), pairs=pairs)


def peak_increase_mb(what: str, shape: str, tokens: int) -> float:
    """By how much the memory of a fresh process rises at most; NaN where it is not told."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.branching", what, shape, str(tokens)],
        check=True, capture_output=True, text=True, env={**os.environ},
    )  # fmt: skip
    return float(done.stdout)


def _measure_peak(what: str, shape: str, tokens: int) -> float:
    lm = random_model(SHAPES[shape])
    parent = _run(lm, 8)
    if what == "influence":
        parent = _run(lm, tokens)
        return peak_rise_mb(lambda: influence(lm, parent))
    return peak_rise_mb(lambda: _run(lm, tokens))


if __name__ == "__main__":
    print(_measure_peak(sys.argv[1], sys.argv[2], int(sys.argv[3])))
