"""Print what tracing costs: `python -m benchmarks.engine [--quick] [--threads N]`."""

from __future__ import annotations

import os

# Before torch is imported: OpenMP threads that wait must sleep on a shared machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import platform
from collections.abc import Sequence

import torch
import transformers

from benchmarks import branching, generation, scoring
from benchmarks.cache_hit import cache_hit
from benchmarks.shapes import SHAPES, parameters, random_model, shipped_model
from tokenscope_core import LanguageModel

_TABLES = ("generation", "first-token", "scoring", "memory", "branching", "cache")


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, {options.threads} torch threads, "
        f"torch {torch.__version__}, transformers {transformers.__version__}\n"
    )
    models = [random_model(SHAPES["10M"])]
    if (shipped := shipped_model()) is not None:
        models.append(shipped)
    if not options.quick:
        models += [random_model(SHAPES["135M"]), random_model(SHAPES["0.5B"])]
    if "generation" in options.only:
        _generation(models, quick=options.quick)
    if "first-token" in options.only:
        _first_token(models, quick=options.quick)
    if "scoring" in options.only:
        _scoring(models, quick=options.quick)
    if "memory" in options.only:
        _memory(quick=options.quick)
    if "branching" in options.only:
        _branching(models, quick=options.quick)
    if "cache" in options.only:
        _cache(models[:2], quick=options.quick)


def _generation(models: Sequence[LanguageModel], *, quick: bool) -> None:
    print("Generation with everything recorded (20 candidates), over model.generate")
    _header("model", "weights", "V", "new", "sampling", "CPU", "wall", "target", "ms/token")
    for lm in models:
        size = lm.model.num_parameters()
        new_tokens, pairs = (48, 7) if quick else (128, 15)
        if size > 50_000_000:
            new_tokens, pairs = (32, 9) if size < 300_000_000 else (48, 3)
        for name, sampling in generation.SAMPLINGS.items():
            cost = generation.generation_cost(lm, sampling, new_tokens=new_tokens, pairs=pairs)
            _row(
                lm.identity.name,
                parameters(lm),
                lm.identity.vocabulary_size,
                new_tokens,
                name,
                f"{cost.cpu_ratio:.3f}",
                f"{cost.wall_ratio:.3f}",
                f"{generation.TARGETS[name]:.2f}",
                f"{cost.baseline_cpu_ms / new_tokens:.2f} -> "
                f"{cost.candidate_cpu_ms / new_tokens:.2f}",
            )
    print()


def _first_token(models: Sequence[LanguageModel], *, quick: bool) -> None:
    print("The first token, chosen and on record, over a bare prefill of the prompt")
    _header("model", "V", "prompt", "CPU", "wall", "target", "ms")
    for lm in models:
        large = lm.model.num_parameters() > 300_000_000
        for tokens in (64, 512) if quick else (64, 1024) if large else (64, 1024, 2048):
            if lm.context_length and tokens + scoring.NEW_TOKENS <= lm.context_length:
                cost = scoring.first_token_cost(lm, tokens, pairs=3 if quick or large else 5)
                _row(
                    lm.identity.name,
                    lm.identity.vocabulary_size,
                    len(lm.encode(scoring.text_of(lm, tokens))),
                    f"{cost.cpu_ratio:.3f}",
                    f"{cost.wall_ratio:.3f}",
                    f"{scoring.FIRST_TOKEN_TARGET:.2f}",
                    f"{cost.baseline_cpu_ms:.0f} -> {cost.candidate_cpu_ms:.0f}",
                )
    print()


def _scoring(models: Sequence[LanguageModel], *, quick: bool) -> None:
    print("Scoring a text, over a bare prefill")
    _header("model", "V", "tokens", "CPU", "wall", "target")
    for lm in models:
        for tokens in (512,) if quick else (1024, 2048):
            # Minutes a pair; the head's share of the work is the same at any length.
            if lm.model.num_parameters() > 300_000_000 and tokens > 1024:
                continue
            if lm.context_length and tokens <= lm.context_length:
                cost = scoring.scoring_cost(lm, tokens, pairs=3 if quick else 5)
                _row(
                    lm.identity.name,
                    lm.identity.vocabulary_size,
                    len(lm.encode(scoring.text_of(lm, tokens))),
                    f"{cost.cpu_ratio:.3f}",
                    f"{cost.wall_ratio:.3f}",
                    scoring.TARGETS.get(lm.identity.name, "–"),
                )
    print()


def _memory(*, quick: bool) -> None:
    print("Peak memory, rise in MB in a fresh process; scoring may take 400 more than a prefill")
    _header("model", "tokens", "prefill", "score", "more", "all logits at once")
    full = [("135M", 1024), ("135M", 2048), ("0.5B", 1024)]
    for shape, tokens in [("10M", 512)] if quick else full:
        prefill, score, unchunked = (
            scoring.peak_increase_mb(what, shape, tokens)
            for what in ("prefill", "score", "unchunked")
        )
        rises = (prefill, score, score - prefill, unchunked)
        _row(f"random {shape}", tokens, *(f"{rise:,.0f}" for rise in rises))
    print()


def _branching(models: Sequence[LanguageModel], *, quick: bool) -> None:
    print("Branching, over generating the same from scratch")
    _header("model", "what", "CPU", "wall", "target", "ms")
    for lm in (lm for lm in models if lm.model.num_parameters() < 300_000_000):
        for name, target, measure in branching.cases(lm, quick=quick):
            cost = measure()
            _row(
                lm.identity.name,
                name,
                f"{cost.cpu_ratio:.3f}",
                f"{cost.wall_ratio:.3f}",
                f"{target:.2f}",
                f"{cost.baseline_cpu_ms:.1f} -> {cost.candidate_cpu_ms:.1f}",
            )
    print("\nPeak memory, rise in MB in a fresh process")
    _header("model", "tokens", "generation", "influence")
    for shape, tokens in [("10M", 64)] if quick else [("135M", 128)]:
        rises = [
            branching.peak_increase_mb(what, shape, tokens) for what in ("generation", "influence")
        ]
        _row(f"random {shape}", tokens, *(f"{rise:,.0f}" for rise in rises))
    print()


def _cache(models: Sequence[LanguageModel], *, quick: bool) -> None:
    print("A stored trace asked for again, in a fresh process")
    _header("model", "tokens", "kB", "import ms", "first ms", "median ms", "CPU ms", "torch")
    for lm in models:
        for new_tokens in (100,) if quick else (100, 1000):
            hit = cache_hit(lm, new_tokens=new_tokens)
            _row(
                lm.identity.name,
                hit.tokens,
                f"{hit.stored_bytes / 1000:.0f}",
                f"{hit.import_ms:.0f}",
                f"{hit.first_ms:.2f}",
                f"{hit.median_ms:.2f}",
                f"{hit.cpu_ms:.2f}",
                "imported" if "torch" in hit.heavy else "no",
            )
    print()


def _header(*names: object) -> None:
    print("| " + " | ".join(map(str, names)) + " |")
    print("|" + " --- |" * len(names))


def _row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small models, few runs: a minute")
    parser.add_argument(
        "--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="torch threads"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=_TABLES,
        default=_TABLES,
        help="which tables to print",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
