"""A decoded token over what reading the weights takes: `python -m benchmarks.decode_speed`.

At best a token takes as long as one thread needs to read every weight once. That is measured by
adding up the weights (a sum does little but read), in the same run as decoding, one after another;
multiples are medians of ratios of CPU time. Columns: `generate` of transformers on the model as it
is loaded by transformers; the same model traced by TokenScope; the model as TokenScope lays it out.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
import transformers

from benchmarks.generation import PROMPT
from tokenscope_core import LanguageModel, Request, generate, load_model
from tokenscope_core.models import language_model
from tokenscope_core.models.files.names import SHIPPED_FOLDER

TARGET = 1.4


def main() -> None:
    """Print milliseconds a token and the multiples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=str(SHIPPED_FOLDER), help="of the model")
    parser.add_argument("--tokens", type=int, default=24, help="new tokens of a run")
    parser.add_argument("--repeat", type=int, default=9, help="times each side is run")
    parser.add_argument("--dtype", default="float32", help="precision")
    given = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    dtype = getattr(torch, given.dtype)
    laid_out = _never_ending(load_model(given.folder, dtype=dtype))
    setattr(language_model, "lay_out", lambda _model: 0)  # noqa: B010 - mypy
    plain = _never_ending(load_model(given.folder, dtype=dtype))
    weights = list({id(p): p for p in plain.model.parameters()}.values())
    size = sum(weight.nbytes for weight in weights)
    request = Request(PROMPT, max_new_tokens=1, candidates=20)
    sides: dict[str, Callable[[int], object]] = {
        "weights read": lambda times: [weight.sum() for _ in range(times) for weight in weights],
        "generate": lambda tokens: _generate(plain, tokens),
        "traced, as loaded": lambda n: generate(plain, replace(request, max_new_tokens=n)),
        "traced, laid out": lambda n: generate(laid_out, replace(request, max_new_tokens=n)),
    }
    timed: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(given.repeat + 1):
        for side in list(sides)[:: -1 if number % 2 else 1]:
            # The prompt and the first token are in both.
            whole, begun = (_cpu(sides[side], n) for n in (given.tokens, 1))
            seconds = (whole - begun) / (given.tokens - 1)
            if number:
                timed[side].append(seconds)
    floor = timed["weights read"]
    speed = statistics.median(size / seconds for seconds in floor) / 1e9
    print(f"{size / 1e6:.0f} MB of weights, {speed:.1f} GB/s on one thread, {given.dtype}")
    for side, runs in timed.items():
        multiple = statistics.median(run / read for run, read in zip(runs, floor, strict=True))
        milliseconds = 1000 * statistics.median(runs)
        print(f"{side}: {milliseconds:.1f} ms CPU a token, {multiple:.2f} of reading them")
    print(f"target {TARGET}; steps after a prompt of {len(plain.encode(PROMPT))} tokens")


def _never_ending(lm: LanguageModel) -> LanguageModel:
    lm.model.generation_config.eos_token_id = None
    return replace(lm, end_ids=frozenset())


def _generate(lm: LanguageModel, tokens: int) -> None:
    ids = torch.tensor([lm.encode(PROMPT)])
    mask = torch.ones_like(ids)
    output = lm.model.generate(
        ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, pad_token_id=0
    )
    assert output.shape[1] == ids.shape[1] + tokens


def _cpu(run: Callable[[int], object], tokens: int) -> float:
    began = time.process_time()
    run(tokens)
    return time.process_time() - began


if __name__ == "__main__":
    main()
