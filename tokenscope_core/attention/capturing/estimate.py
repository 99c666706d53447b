"""What a capture will take, from a model's configuration alone, and whether that is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.errors import SelectionTooLargeError
from tokenscope_core.models.files.facts import ModelFacts
from tokenscope_core.models.files.memory_need import size_text

_FLOAT32, _INT32 = 4, 4
_EAGER_MATRICES = 3  # scores, scores with the mask, and their softmax
# About how many vectors of the model's width each token has in memory while a layer runs: its
# own, queries, keys and values, and what lies between the feed-forward network's two maps.
_VECTORS_A_TOKEN = 12
# What is suggested instead: keys a row that hold nearly all of it, and rows that fit on a screen.
_FEW_KEYS, _FEW_ROWS = 32, 64

_seconds: dict[str, float] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Heads:
    """How much of a model attends: its layers that do, and the heads of each.

    `width` is that of the hidden states, None where it is not known; `eager`: each layer makes the
    matrices of all heads and rows, whatever is asked for.
    """

    layers: tuple[int, ...]
    heads: int
    width: int | None
    eager: bool = False

    @classmethod
    def of(cls, facts: ModelFacts) -> Heads | None:
        """As the configuration has it; None where it does not say, or nothing attends."""
        layers = facts.attention_layers
        if layers is None:
            layers = tuple(range(facts.layers or 0))
        return cls(layers, facts.heads, facts.width) if layers and facts.heads else None


@dataclass(frozen=True, slots=True)
class CaptureCost:
    """What a capture takes.

    - `result`: bytes that stay; `peak`: bytes at most while it is computed, the result included,
      besides the model. Lower bounds.
    - `seconds`: judged by the last pass of this model in this process; None before there was one.
    """

    result: int
    peak: int
    seconds: float | None


def capture_cost(
    heads: Heads, tokens: int, selection: Selection, *, fingerprint: str | None = None
) -> CaptureCost:
    """What a capture of a text of that many tokens takes.

    Args:
        heads: of the model, such as `Heads.of(facts_of(files))`.
        tokens: of the whole text.
        selection: what is asked for.
        fingerprint: of the model, such as `trace.model.fingerprint`, for the time.
    """
    layers = heads.layers if selection.layers is None else selection.layers
    chosen = heads.heads if selection.heads is None else len(selection.heads)
    first, last = selection.queries or (0, tokens)
    rows = last - first
    numbers = (1 if selection.fold else chosen) * rows
    if selection.top:
        a_layer = numbers * min(selection.top, tokens) * (_FLOAT32 + _INT32)
    else:
        a_layer = numbers * tokens * _FLOAT32
    result = len(layers) * a_layer
    alone = len(layers) == 1 and not selection.fold and not selection.top
    computed = 0 if alone else chosen * rows * tokens * _FLOAT32
    if heads.eager:
        computed += _EAGER_MATRICES * heads.heads * tokens**2 * _FLOAT32
    running = _VECTORS_A_TOKEN * tokens * (heads.width or 0) * _FLOAT32
    return CaptureCost(
        result=result,
        peak=result + computed + running,
        seconds=_seconds_of(fingerprint, tokens, layers[-1] + 1 if layers else 0),
    )


def rollout_cost(heads: Heads, tokens: int, *, fingerprint: str | None = None) -> CaptureCost:
    """What a rollout through all layers takes: two matrices and a layer."""
    one = capture_cost(heads, tokens, Selection(heads.layers[-1:], fold="mean"))
    seconds = _seconds_of(fingerprint, tokens, heads.layers[-1] + 1)
    return CaptureCost(one.result, one.peak + one.result, seconds)


def require_room(heads: Heads, tokens: int, selection: Selection, present: int) -> None:
    """Refuse a capture that takes more than `present` bytes.

    Raises:
        SelectionTooLargeError: it does; with a smaller selection that fits, where there is one.
    """
    cost = capture_cost(heads, tokens, selection)
    if cost.peak <= present:
        return
    fitting = (
        smaller
        for smaller in _smaller(heads, tokens, selection, present)
        if capture_cost(heads, tokens, smaller).peak <= present
    )
    suggestion = next(fitting, None)
    advice = "Ask for fewer layers, heads or rows."
    if suggestion is not None:
        needed = capture_cost(heads, tokens, suggestion).peak
        advice = f"Ask for {described(suggestion)}: that takes {size_text(needed)}."
    raise SelectionTooLargeError(
        asked=f"Attention was asked for: {described(selection)}, {tokens:,} tokens.",
        found=f"It takes about {size_text(cost.peak)}, and {size_text(present)} are there for it.",
        action=advice,
        needed=cost.peak,
        present=present,
        suggestion=suggestion,
    )


def require_rollout_room(heads: Heads, tokens: int, present: int) -> None:
    """Refuse a rollout that takes more than `present` bytes.

    Raises:
        SelectionTooLargeError: it does.
    """
    needed = rollout_cost(heads, tokens).peak
    if needed > present:
        raise SelectionTooLargeError(
            asked=f"Attention was to be rolled out over {tokens:,} tokens.",
            found=f"It takes about {size_text(needed)}, and {size_text(present)} are there for it.",
            action="Choose a shorter text, or look at some heads or rows alone.",
            needed=needed,
            present=present,
            suggestion=None,
        )


def described(selection: Selection) -> str:
    """A selection in words."""
    names = []
    for what, chosen in (("layer", selection.layers), ("head", selection.heads)):
        if chosen is None:
            names.append(f"all {what}s")
        elif len(chosen) == 1:
            names.append(f"{what} {chosen[0]}")
        elif list(chosen) == list(range(chosen[0], chosen[-1] + 1)):
            names.append(f"{what}s {chosen[0]} to {chosen[-1]}")
        else:
            names.append(f"{len(chosen)} {what}s")
    if selection.fold:
        names[1] += f" folded by their {selection.fold}"
    if selection.queries:
        names.append(f"rows {selection.queries[0]:,} to {selection.queries[1] - 1:,}")
    if selection.top:
        names.append(f"the {selection.top} largest weights of each row")
    return ", ".join(names)


def note_pass(fingerprint: str, tokens: int, layers: int, seconds: float) -> None:
    """Remember how long a pass through the first layers of a model took."""
    with _lock:
        _seconds[fingerprint] = seconds / (tokens * layers)


def _seconds_of(fingerprint: str | None, tokens: int, layers: int) -> float | None:
    with _lock:
        rate = None if fingerprint is None else _seconds.get(fingerprint)
    return None if rate is None else rate * tokens * layers


def _smaller(heads: Heads, tokens: int, selection: Selection, present: int) -> Iterator[Selection]:
    """Selections that take less, those nearest to what was asked first."""
    layers = heads.layers if selection.layers is None else selection.layers
    one = capture_cost(heads, tokens, replace(selection, layers=layers[:1])).result
    base = capture_cost(heads, tokens, selection)
    count = max(1, (present - (base.peak - base.result)) // max(1, one))
    for fewer in (count, 1):
        if fewer < len(layers):
            yield replace(selection, layers=layers[:fewer])
    if not selection.top and tokens > _FEW_KEYS:
        yield replace(selection, top=_FEW_KEYS)
    if selection.fold is None:
        yield replace(selection, fold="mean")
    yield replace(selection, layers=layers[:1], heads=(selection.heads or (0,))[:1])
    first, last = selection.queries or (0, tokens)
    if last - first > _FEW_ROWS:
        yield replace(selection, queries=(last - _FEW_ROWS, last))
        yield replace(selection, layers=layers[:1], queries=(last - _FEW_ROWS, last))
