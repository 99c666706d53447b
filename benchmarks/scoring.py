"""Scoring a text, over a bare prefill of it: CPU time in one process, memory in fresh ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import torch
from transformers import DynamicCache

from benchmarks.memory import peak_rise_mb
from benchmarks.paired import Comparison, compare
from benchmarks.shapes import SHAPES, random_model
from tokenscope_core import LanguageModel, Request, score
from tokenscope_core.decoding.request_run import rows

# Larger heads cost more; for other shapes nothing is promised.
TARGETS = {"random 135M": 1.3, "random 0.5B": 1.5}
FIRST_TOKEN_TARGET = 1.1
NEW_TOKENS = 8
_LINE = "total = total + value * 3\n"


def text_of(lm: LanguageModel, tokens: int) -> str:
    """A text of at most that many tokens, and nearly as many."""
    beginning = len(lm.encode("x")) - 1
    return _LINE * ((tokens - beginning) // (len(lm.encode(_LINE)) - beginning))


def bare_prefill(lm: LanguageModel, text: str) -> None:
    """Read the text as generation does: the logits of its last token only."""
    ids = torch.tensor([lm.encode(text)])
    with torch.inference_mode():
        lm.model(
            input_ids=ids,
            past_key_values=DynamicCache(config=lm.model.config),
            use_cache=True,
            logits_to_keep=1,
        )


def unchunked(lm: LanguageModel, text: str) -> None:
    """Read the text and keep all its logits: what scoring avoids."""
    ids = torch.tensor([lm.encode(text)])
    with torch.inference_mode():
        torch.log_softmax(lm.model(input_ids=ids).logits.float(), dim=-1)


def scoring_cost(lm: LanguageModel, tokens: int, *, pairs: int) -> Comparison:
    """Compare the two on a text of that many tokens."""
    text = text_of(lm, tokens)
    return compare(lambda: bare_prefill(lm, text), lambda: score(lm, text), pairs=pairs)


def first_token_cost(lm: LanguageModel, tokens: int, *, pairs: int) -> Comparison:
    """From a prompt of that many tokens to the first token drawn: chosen, measured and on record
    for whoever watches the run, while the prompt's own figures are still to come."""
    text = text_of(lm, tokens)
    request = Request(text, max_new_tokens=NEW_TOKENS)

    def until_first_token() -> None:
        with closing(rows(lm, request)) as parts:
            first = next(part for part in parts if part.source == "sampled")
        assert first.measured

    return compare(lambda: bare_prefill(lm, text), until_first_token, pairs=pairs)


def peak_increase_mb(what: str, shape: str, tokens: int) -> float:
    """By how much the memory of a fresh process rises at most when it does `what` once.

    NaN where the system does not tell (it does on Linux).
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scoring", what, shape, str(tokens)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def _measure_peak(what: str, shape: str, tokens: int) -> float:
    actions: dict[str, Callable[[LanguageModel, str], object]] = {
        "score": score,
        "prefill": bare_prefill,
        "unchunked": unchunked,
    }
    lm = random_model(SHAPES[shape])
    actions[what](lm, text_of(lm, 64))
    text = text_of(lm, tokens)
    return peak_rise_mb(lambda: actions[what](lm, text))


if __name__ == "__main__":
    print(_measure_peak(sys.argv[1], sys.argv[2], int(sys.argv[3])))
