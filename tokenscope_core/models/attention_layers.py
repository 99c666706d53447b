"""Which layers of a model give attention, and how to come by it: found by trying, once a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from tokenscope_core.errors import CapabilityError
from tokenscope_core.models.attention_interface import (
    EAGER,
    SDPA,
    WATCHED_EAGER,
    Call,
    NoEagerFunctionError,
    watched_by,
    weights_of,
    what_hides_the_weights,
)
from tokenscope_core.models.cache_reader import input_device

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
    """The layers of a model that attend, by the model's own index, and how many heads each has.

    `refused`: layers that attend too, but not by one weight for each earlier token, each with a
    sentence that says what they do instead.
    """

    way: Way
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    refused: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AttentionLayout:
    """The facts, and by layer the module that returns its weights, where `way` is `modules`."""

    facts: AttentionFacts
    modules: dict[int, torch.nn.Module]


_known: WeakKeyDictionary[PreTrainedModel, AttentionLayout] = WeakKeyDictionary()


def layout_of(model: PreTrainedModel, vocabulary_size: int) -> AttentionLayout:
    """Where a model's attention is found, by trying each way; the first time, a text of a few
    tokens is read."""
    if model not in _known:
        ids = torch.arange(_PROBE_LENGTH, device=input_device(model)) * 7 % vocabulary_size
        _known[model] = _probe(model, ids.unsqueeze(0))
    return _known[model]


def keep_facts(model: PreTrainedModel, facts: AttentionFacts) -> None:
    """Take what was found of such models before, so that this one need not be tried; not where it
    is its modules that give attention."""
    _known.setdefault(model, AttentionLayout(facts, {}))


def _probe(model: PreTrainedModel, ids: torch.Tensor) -> AttentionLayout:
    try:
        layers = decoder_layers(model)
    except CapabilityError:
        return AttentionLayout(AttentionFacts("none", (), ()), {})
    watcher, tried = _Calls(), _Tried()
    with suppress(*_PROBE_ERRORS), watched_by(watcher), run_as(model, "interface"):
        tried = _try_layers(model, layers, ids, watcher.taken)
    if tried.heads or tried.refused:
        return AttentionLayout(tried.facts("interface"), {})
    places: dict[torch.nn.Module, int] = {}
    returned: list[int] = []

    def take(module: torch.nn.Module, weights: torch.Tensor) -> None:
        if is_attention(weights):
            returned.append(weights.shape[1])
            places[module] = len(places)

    def taken() -> int | str | None:
        heads = returned.copy()
        returned.clear()
        return heads[0] if len(heads) == 1 else None

    with (
        suppress(*_PROBE_ERRORS),
        run_as(model, "modules"),
        weights_returned(layers.modules(), take),
    ):
        tried = _try_layers(model, layers, ids, taken)
    if tried.refused or (tried.heads and len(places) == len(tried.heads)):
        return AttentionLayout(tried.facts("modules"), dict(zip(tried.heads, places, strict=False)))
    return AttentionLayout(AttentionFacts("none", (), ()), {})


@dataclass(slots=True)
class _Tried:
    """What layers showed on a short text: their heads, or why there is nothing to show."""

    heads: dict[int, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    def facts(self, way: Way) -> AttentionFacts:
        return AttentionFacts(
            way if self.heads else "none",
            tuple(self.heads),
            tuple(self.heads.values()),
            tuple(sorted(self.refused.items())),
        )


class _Calls:
    """Keeps the calls of a layer until it has run."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def called(self, call: Call) -> None:
        self._calls.append(call)

    def taken(self) -> int | str | None:
        """The heads of the layer, why its weights are not to be had, or None: it did not attend."""
        calls = self._calls.copy()
        self._calls.clear()
        if not calls:
            return None
        hidden = what_hides_the_weights(calls)
        if hidden is None and not _weights_give_output(calls[0]):
            hidden = "its output is not what its weights make of its values"
        return hidden or calls[0].query.shape[1]


@torch.inference_mode()
def _try_layers(
    model: PreTrainedModel,
    layers: torch.nn.ModuleList,
    ids: torch.Tensor,
    taken: Callable[[], int | str | None],
) -> _Tried:
    """Run a text through a model, and ask of every layer what it showed."""
    tried = _Tried()
    runs = [0] * len(layers)

    def done(index: int) -> None:
        runs[index] += 1
        found = taken()
        if isinstance(found, int):
            tried.heads[index] = found
        elif found is not None:
            tried.refused[index] = found

    with after_each(layers, done):
        model(input_ids=ids, use_cache=False)
    for index, count in enumerate(runs):
        attended = index in tried.heads or index in tried.refused
        if count > 1 and attended:
            tried.heads.pop(index, None)
            tried.refused[index] = f"it runs {count} times a pass, with other weights every time"
    return tried


def _weights_give_output(call: Call) -> bool:
    """Whether a layer goes on with the mean of its values by the weights that would be shown."""
    weights = weights_of(call, list(range(call.query.shape[1])), (0, call.query.shape[2]))
    group = call.query.shape[1] // call.value.shape[1]
    values = call.value[0].float().repeat_interleave(group, dim=0)
    made = torch.bmm(weights, values).transpose(0, 1)
    output = call.output[0].float()
    error = (made - output).square().mean().sqrt()
    exact = call.output.dtype in (torch.float32, torch.float64)
    return bool(error <= (1e-3 if exact else 0.05) * output.square().mean().sqrt())


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
    """Take the weights [1, head, T, T], in the model's dtype, out of what modules return, so that
    they do not go on: the model would gather those of all layers."""

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
    """Whether [1, head, T, T], of any float dtype, is what heads attend to: shares of what came
    before."""
    sums = weights.float().sum(dim=-1)
    return bool(
        (weights >= 0).all() and (sums <= _MOST_IN_A_ROW).all() and not weights.triu(1).any()
    )
