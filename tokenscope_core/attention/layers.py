"""Which layers of a model give attention, and how to come by it: found by trying, once a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from tokenscope_core.attention.interface import (
    EAGER,
    SDPA,
    WATCHED_EAGER,
    Call,
    NoEagerFunctionError,
    watched_by,
)
from tokenscope_core.errors import CapabilityError
from tokenscope_core.reading import input_device

Way = Literal["interface", "modules", "none"]
"""How a model gives its attention.

- `interface`: it asks transformers' attention interface, which can be watched.
- `modules`: its attention modules compute with eager matrices, and return them.
- `none`: recurrent, or closed.
"""

_CHOICE = "_attn_implementation_internal"  # the public setter also changes what a model is made of
_PROBE_LENGTH = 13
# Whatever a model makes of an unknown way to attend, it then gives nothing that way.
_PROBE_ERRORS = (
    NoEagerFunctionError, ValueError, TypeError, RuntimeError, AttributeError, LookupError,
)  # fmt: skip
# Other kernels are not watched: sdpa stands in for them.
_WATCHED = {SDPA: SDPA, EAGER: WATCHED_EAGER}
_MOST_IN_A_ROW = 1.05  # in half precision


@dataclass(frozen=True, slots=True)
class AttentionFacts:
    """The layers of a model that attend, by the model's own index, and how many heads each has."""

    way: Way
    layers: tuple[int, ...]
    heads: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The facts, and by layer the module that returns its weights, where `way` is `modules`."""

    facts: AttentionFacts
    modules: dict[int, torch.nn.Module]


_known: WeakKeyDictionary[PreTrainedModel, Layout] = WeakKeyDictionary()


def layout_of(model: PreTrainedModel, vocabulary_size: int) -> Layout:
    """Where a model's attention is found, by trying each way; the first time, a text of a few
    tokens is read."""
    if model not in _known:
        ids = torch.arange(_PROBE_LENGTH, device=input_device(model)) * 7 % vocabulary_size
        _known[model] = _probe(model, ids.unsqueeze(0))
    return _known[model]


def _probe(model: PreTrainedModel, ids: torch.Tensor) -> Layout:
    try:
        layers = decoder_layers(model)
    except CapabilityError:
        return Layout(AttentionFacts("none", (), ()), {})
    watcher = _Counter()
    found: dict[int, int] = {}
    with suppress(*_PROBE_ERRORS), watched_by(watcher), run_as(model, "interface"):
        found = _heads_by_layer(model, layers, ids, watcher)
    if found:
        return Layout(AttentionFacts("interface", *_columns(found)), {})
    places: dict[torch.nn.Module, int] = {}

    def take(module: torch.nn.Module, weights: torch.Tensor) -> None:
        if is_attention(weights):
            watcher.heads.append(weights.shape[1])
            places[module] = len(places)

    with (
        suppress(*_PROBE_ERRORS),
        run_as(model, "modules"),
        weights_returned(layers.modules(), take),
    ):
        found = _heads_by_layer(model, layers, ids, watcher)
    if found and len(places) == len(found):
        return Layout(
            AttentionFacts("modules", *_columns(found)), dict(zip(found, places, strict=True))
        )
    return Layout(AttentionFacts("none", (), ()), {})


class _Counter:
    """Notes the heads of each call."""

    def __init__(self) -> None:
        self.heads: list[int] = []

    def called(self, call: Call) -> None:
        self.heads.append(call.query.shape[1])


@torch.inference_mode()
def _heads_by_layer(
    model: PreTrainedModel, layers: torch.nn.ModuleList, ids: torch.Tensor, watcher: _Counter
) -> dict[int, int]:
    """The heads of the layers that attended once."""
    found: dict[int, int] = {}

    def done(index: int) -> None:
        if len(watcher.heads) == 1:
            found[index] = watcher.heads[0]
        watcher.heads.clear()

    with after_each(layers, done):
        model(input_ids=ids, use_cache=False)
    return found


def _columns(found: dict[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(found), tuple(found.values())


@contextmanager
def after_each(layers: torch.nn.ModuleList, done: Callable[[int], None]) -> Iterator[None]:
    """Tell of each layer that has run, by its index."""
    with ExitStack() as stack:
        for index, layer in enumerate(layers):
            hook = layer.register_forward_hook(lambda *_, index=index: done(index))
            stack.callback(hook.remove)
        yield


def decoder_layers(model: PreTrainedModel) -> torch.nn.ModuleList:
    """The layers of a decoder: the list of modules, in no other list, that has most weights.

    Raises:
        CapabilityError: it is built in another way.
    """
    lists: list[torch.nn.ModuleList] = []
    waiting: list[torch.nn.Module] = [model.get_decoder()]
    while waiting:
        for module in waiting.pop().children():
            if isinstance(module, torch.nn.ModuleList):
                lists.append(module)
            else:
                waiting.append(module)
    if not lists:
        raise CapabilityError(
            asked="A model's layers were to be read one by one.",
            found=f"{type(model).__name__} has no list of layers.",
            action="Choose a model of another architecture.",
        )
    return max(lists, key=lambda layers: sum(p.numel() for p in layers.parameters()))


@contextmanager
def run_as(model: PreTrainedModel, way: Way) -> Iterator[None]:
    """Have a model compute its attention so that it can be had, and afterwards as before.

    The interface is watched for sdpa and eager functions; modules return eager matrices.
    """
    configs = {id(model.config): model.config}
    for module in model.modules():
        config = getattr(module, "config", None)
        if hasattr(config, _CHOICE):
            configs[id(config)] = config
    before = [(config, getattr(config, _CHOICE)) for config in configs.values()]
    try:
        for config, was in before:
            setattr(config, _CHOICE, EAGER if way == "modules" else _WATCHED.get(was, SDPA))
        yield
    finally:
        for config, was in before:
            setattr(config, _CHOICE, was)


@contextmanager
def weights_returned(
    modules: Iterable[torch.nn.Module], take: Callable[[torch.nn.Module, torch.Tensor], None]
) -> Iterator[None]:
    """Take the weights [1, head, T, T] out of what modules return, so that they do not go on: the
    model would gather those of all layers."""

    def ask(module: torch.nn.Module, args: Any, settings: dict[str, Any]) -> Any:
        return args, settings | {"output_attentions": True}

    def strip(module: torch.nn.Module, args: Any, output: Any) -> Any:
        parts = output if isinstance(output, tuple | list) else ()
        for place, part in enumerate(parts):
            square = isinstance(part, torch.Tensor) and part.dim() == 4
            if square and part.shape[0] == 1 and part.shape[2] == part.shape[3]:
                take(module, part)
                return type(parts)([*parts[:place], None, *parts[place + 1 :]])
        return output

    with ExitStack() as stack:
        for module in modules:
            if "output_attentions" in inspect.signature(module.forward).parameters:
                hook = module.register_forward_pre_hook(ask, with_kwargs=True)
                stack.callback(hook.remove)
            stack.callback(module.register_forward_hook(strip).remove)
        yield


def is_attention(weights: torch.Tensor) -> bool:
    """Whether a matrix [1, head, T, T] is what heads attend to: shares of what came before."""
    sums = weights.float().sum(dim=-1)
    return bool(
        (weights >= 0).all() and (sums <= _MOST_IN_A_ROW).all() and not weights.triu(1).any()
    )
