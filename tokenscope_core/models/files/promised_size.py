"""Whether the sizes in a model's configuration can be those of its weight files.

A model is built from its configuration before its weights are read. One that promises a billion
layers would be built for hours, and take all memory, before anything was found missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tokenscope_core.models.files.weight_files import Weights

# What is made one by one when a model is built. Each brings weights along, but a few layers may
# share theirs, and experts may lie in one tensor.
_COUNTS = re.compile(r"(layers?|blocks?|experts?|depths?|stages?|steps|cycles|loops|types|labels)$")
_ALWAYS_PLAUSIBLE = {"layer": 256, "label": 65_536}
_PLAUSIBLE = 1024


def implausible(config: Mapping[str, Any], weights: Sequence[Weights]) -> str | None:
    """What a configuration promises that its weight files cannot hold; None where nothing is."""
    tensors = sum(part.tensors for part in weights)
    for name, value in _numbers(config, ""):
        most = max(_limit(name), tensors)
        if _COUNTS.search(name) and value > most:
            return (
                f"Its config.json says {name} = {_shown(value)}; its weights are {tensors:,} "
                "tensors in all."
            )
    return None


def _limit(name: str) -> int:
    return next((n for part, n in _ALWAYS_PLAUSIBLE.items() if part in name), _PLAUSIBLE)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, int]]:
    """Every whole number in a configuration, with the name it, or the list it is in, has."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, name)
    elif type(value) is int:
        yield name, value


def _shown(value: int) -> str:
    return f"{value:,}" if value < 10**30 else "a number of more than 30 digits"
