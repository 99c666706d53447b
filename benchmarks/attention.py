"""Print what capturing attention costs: `python -m benchmarks.attention [--quick]`."""

from __future__ import annotations

import os

# Before torch is imported: OpenMP threads that wait must sleep on a shared machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import transformers
from transformers import DynamicCache

from benchmarks.memory import peak_rise_mb
from benchmarks.paired import compare
from benchmarks.scoring import text_of
from benchmarks.shapes import SHAPES, random_model
from tokenscope_core import (
    LanguageModel,
    Selection,
    Store,
    attention,
    attention_flow,
    head_overview,
    load_model,
    rollout,
    score,
)
from tokenscope_core.attention.capture_tasks import AttentionOf
from tokenscope_core.attention.capturing.capture import attend
from tokenscope_core.decoding.prefill import chunk_length
from tokenscope_core.jobs.analysis_tasks import key_of

_TOKENS = 1024
_LAST_ROWS = 16
# name: (what is captured, at most this many plain passes)
TARGETS = {"one layer, all heads": 1.3, "mean over heads, all layers": 1.6, "rollout": 1.6}
# Of what it costs to compute all weights and look at none.
_SUMMARY_TARGET = 2.0


def plain_pass(lm: LanguageModel, ids: list[int]) -> None:
    """Read a text with the logits of every token, in the chunks in which it is scored."""
    cache = DynamicCache(config=lm.model.config)
    step = chunk_length(lm.identity.vocabulary_size)
    with torch.inference_mode():
        for start in range(0, len(ids), step):
            chunk = torch.tensor([ids[start : start + step]])
            lm.model(input_ids=chunk, past_key_values=cache, use_cache=True)


def without_logits(lm: LanguageModel, ids: list[int]) -> None:
    """Read a text for nothing but its last logits."""
    with torch.inference_mode():
        lm.model(input_ids=torch.tensor([ids]), use_cache=False, logits_to_keep=1)


def eager_output(lm: LanguageModel, ids: list[int]) -> None:
    """What transformers offers for the same: all matrices of all layers and heads at once."""
    lm.model.set_attn_implementation("eager")
    with torch.inference_mode():
        found = lm.model(torch.tensor([ids]), output_attentions=True, logits_to_keep=1)
    lm.model.set_attn_implementation("sdpa")
    assert len(found.attentions) == lm.model.config.num_hidden_layers


def captures(lm: LanguageModel) -> dict[str, Callable[[LanguageModel, list[int]], object]]:
    """What is measured; one layer is the last, below which all have to run."""
    last = lm.capabilities.attention.layers[-1]
    return {
        "one layer, all heads": lambda lm, ids: attention(lm, ids, [last]),
        "mean over heads, all layers": lambda lm, ids: attention(lm, ids, fold="mean"),
        "rollout": rollout,
        f"last {_LAST_ROWS} rows, all layers and heads": lambda lm, ids: attention(
            lm, ids, queries=(len(ids) - _LAST_ROWS, len(ids))
        ),
    }


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, {options.threads} torch threads, "
        f"torch {torch.__version__}, transformers {transformers.__version__}\n"
    )
    shape, tokens, pairs = ("10M", 512, 3) if options.quick else ("135M", _TOKENS, 5)
    _ratios(shape, tokens, pairs)
    _memory(shape, tokens)
    _kept(shape, tokens)
    _summaries(512 if options.quick else 2048, pairs)


def _ratios(shape: str, tokens: int, pairs: int) -> None:
    lm = random_model(SHAPES[shape])
    ids = lm.encode(text_of(lm, tokens))
    print("Attention of a text, over a plain scoring pass of it, and over one without logits")
    _row("model", "tokens", "captured", "CPU", "wall", "target", "CPU, no logits", "ms")
    _row(*["---"] * 8)
    for name, capture in captures(lm).items():
        run = partial(capture, lm, ids)
        cost = compare(partial(plain_pass, lm, ids), run, pairs=pairs)
        bare = compare(partial(without_logits, lm, ids), run, pairs=pairs)
        _row(
            lm.identity.name,
            len(ids),
            name,
            f"{cost.cpu_ratio:.2f}",
            f"{cost.wall_ratio:.2f}",
            TARGETS.get(name, "–"),
            f"{bare.cpu_ratio:.2f}",
            f"{cost.baseline_cpu_ms:,.0f} -> {cost.candidate_cpu_ms:,.0f}",
        )
    print()


def _memory(shape: str, tokens: int) -> None:
    print("Peak memory, rise in MB in a fresh process; what is kept of the attention is in it")
    _row("model", "tokens", "what", "MB")
    _row(*["---"] * 4)
    names = ["plain pass", "without logits", *TARGETS, "eager output_attentions"]
    for name in names:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.attention", "--peak", name, shape, str(tokens)],
            check=True,
            capture_output=True,
            text=True,
        )
        _row(f"random {shape}", tokens, name, f"{float(done.stdout):,.0f}")
    print()


def _kept(shape: str, tokens: int) -> None:
    print("The same layer asked for again: read from the store, the model not asked")
    _row("model", "tokens", "stored kB", "written ms", "read ms")
    _row(*["---"] * 5)
    lm = random_model(SHAPES[shape])
    trace = score(lm, text_of(lm, tokens))
    task = AttentionOf(trace, Selection(layers=(0,)))
    found = attention(lm, trace, [0])
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        began = time.perf_counter()
        store.put_capture(key_of(task), task.to_bytes(found))
        written = time.perf_counter()
        blob = store.get_capture(key_of(task)) or b""
        task.from_bytes(blob)
        read = time.perf_counter()
        store.close()
    _row(
        lm.identity.name,
        len(trace),
        f"{len(blob) / 1000:,.0f}",
        f"{1000 * (written - began):.0f}",
        f"{1000 * (read - written):.0f}",
    )


def _summaries(tokens: int, pairs: int) -> None:
    print("What all heads do, over a plain scoring pass, and over showing all layers to nobody")
    _row("model", "tokens", "measured", "CPU", "wall", "CPU, over capture", "target", "ms")
    _row(*["---"] * 8)
    # It was trained on shorter texts; what is measured costs the same.
    lm = replace(load_model(), context_length=None)
    trace = score(lm, text_of(lm, tokens))
    ids = trace.token_ids.tolist()
    masked = (0,)
    measured: dict[str, Callable[[], object]] = {
        "statistics": partial(head_overview, lm, trace),
        "statistics, sink masked": partial(head_overview, lm, trace, masked=masked),
        "flow between categories": partial(attention_flow, lm, trace, masked=masked),
        "flow between statements": partial(attention_flow, lm, trace, "unit", masked=masked),
    }
    for name, run in measured.items():
        cost = compare(partial(plain_pass, lm, ids), run, pairs=pairs)
        capture = compare(partial(attend, lm, trace, Selection(), []), run, pairs=pairs)
        _row(
            lm.identity.name,
            len(trace),
            name,
            f"{cost.cpu_ratio:.2f}",
            f"{cost.wall_ratio:.2f}",
            f"{capture.cpu_ratio:.2f}",
            _SUMMARY_TARGET,
            f"{cost.baseline_cpu_ms:,.0f} -> {cost.candidate_cpu_ms:,.0f}",
        )
    print()


def _peak(name: str, shape: str, tokens: int) -> float:
    torch.set_num_threads(1)
    lm = random_model(SHAPES[shape])
    actions = captures(lm) | {
        "plain pass": plain_pass,
        "without logits": without_logits,
        "eager output_attentions": eager_output,
    }
    actions[name](lm, lm.encode(text_of(lm, 64)))
    ids = lm.encode(text_of(lm, tokens))
    return peak_rise_mb(lambda: actions[name](lm, ids))


def _row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small model: half a minute")
    parser.add_argument(
        "--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="torch threads"
    )
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print(_peak(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    else:
        main()
