"""The two ways to a layer's weights: what the interface is called with, or what modules return."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import torch

from tokenscope_core.attention.capturing.value_norms import Projections
from tokenscope_core.attention.capturing.windows import first_keys_allowed, first_keys_attended
from tokenscope_core.errors import CapabilityError
from tokenscope_core.models.attention_interface import (
    Call,
    watched_by,
    weights_of,
    what_hides_the_weights,
)
from tokenscope_core.models.attention_layers import (
    AttentionFacts,
    AttentionLayout,
    run_as,
    weights_returned,
)
from tokenscope_core.record.arrays import Ints

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Rows = tuple[int, int]


class WeightSource(Protocol):
    """Holds what the layer that has just run attended to."""

    def take(self, heads: list[int], rows: Rows) -> torch.Tensor | None:
        """The weights, float32 [head, query, key], until the next layer's are taken; None where the
        layer gave none."""

    def hidden_by(self) -> str:
        """What the layer does instead, where it gave no weights."""

    def first_keys(self) -> Ints | None:
        """Of every position the first one that the layer lets it see, int64 [T]; None for all that
        came before."""

    def forget(self) -> None:
        """Let go of the layer."""


class InterfaceSource:
    """Computes weights from queries and keys, those asked for alone."""

    def __init__(self, projections: Projections | None) -> None:
        self._projections = projections
        self._calls: list[Call] = []
        self._weights: torch.Tensor | None = None

    def called(self, call: Call) -> None:
        """A layer has asked the interface."""
        self._calls.append(call)
        if self._projections is not None:
            self._projections.await_(call.output)

    def take(self, heads: list[int], rows: Rows) -> torch.Tensor | None:
        """As `WeightSource.take`, float32 [head, query, key]; with projections, shares of what each
        key adds."""
        if what_hides_the_weights(self._calls) is not None:
            return None
        weights = self._weights = weights_of(self._calls[0], heads, rows, self._weights)
        if self._projections is not None:
            weights *= self._projections.lengths(self._calls[0], heads).unsqueeze(1)
            weights /= weights.sum(dim=-1, keepdim=True)
        return weights

    def hidden_by(self) -> str:
        """As `WeightSource.hidden_by`."""
        return what_hides_the_weights(self._calls) or ""

    def first_keys(self) -> Ints | None:
        """As `WeightSource.first_keys`, int64 [T]: off the mask that the model computes with."""
        mask = self._calls[0].mask
        return None if mask is None else first_keys_allowed(mask)

    def forget(self) -> None:
        """Let go of the layer."""
        self._calls.clear()


class ModuleSource:
    """Takes the matrices that attention modules compute anyway."""

    def __init__(self) -> None:
        self._weights: torch.Tensor | None = None

    def returned(self, module: torch.nn.Module, weights: torch.Tensor) -> None:
        """A module has returned its weights [1, head, T, T], in the dtype it computes in."""
        self._weights = weights

    def take(self, heads: list[int], rows: Rows) -> torch.Tensor | None:
        """As `WeightSource.take`: weights float32 [head, query, key]."""
        if self._weights is None:
            return None
        weights = self._weights[0, :, rows[0] : rows[1]]
        return (weights if len(heads) == len(weights) else weights[heads]).float()

    def hidden_by(self) -> str:
        """As `WeightSource.hidden_by`."""
        return "it returns no matrix"

    def first_keys(self) -> Ints | None:
        """As `WeightSource.first_keys`, int64 [T] positions: off what all heads attend to, as such
        modules keep their masks to themselves."""
        return None if self._weights is None else first_keys_attended(self._weights[0])

    def forget(self) -> None:
        """Let go of the layer."""
        self._weights = None


def refusals_of(facts: AttentionFacts) -> str:
    """Which layers attend in another way, and in which: a sentence for each way; empty for none."""
    by_reason: dict[str, list[str]] = {}
    for layer, reason in facts.refused:
        by_reason.setdefault(reason, []).append(str(layer))
    return " ".join(
        f"Of layer {', '.join(layers)} (on a short text): {reason}."
        for reason, layers in by_reason.items()
    )


def no_attention(name: str, facts: AttentionFacts) -> CapabilityError:
    """The error for a model of which there is nothing to see."""
    found = "None of its layers gives any: they are recurrent, or keep it to themselves."
    if facts.refused:
        found = f"None of its layers gives it token by token. {refusals_of(facts)}"
    return CapabilityError(
        asked=f"The attention of “{name}” was asked for.",
        found=found,
        action="Choose a model with attention, such as a Llama, Qwen, Gemma or GPT.",
    )


@contextmanager
def source_of(
    model: PreTrainedModel, layout: AttentionLayout, *, value_norms: bool, name: str
) -> Iterator[WeightSource]:
    """Watch a model's attention; afterwards the model is as it was.

    Raises:
        CapabilityError: it has none, or keeps its values to itself.
    """
    way = layout.facts.way
    if way == "none":
        raise no_attention(name, layout.facts)
    if way == "modules":
        if value_norms:
            raise CapabilityError(
                asked=f"The attention of “{name}”, weighted by value norms, was asked for.",
                found="Its layers show what they attend to, and not the values there.",
                action="Ask for the plain weights.",
            )
        source = ModuleSource()
        with run_as(model, way), weights_returned(layout.modules.values(), source.returned):
            yield source
        return
    projections = Projections(name) if value_norms else None
    watcher = InterfaceSource(projections)
    with run_as(model, way), watched_by(watcher):
        if projections is None:
            yield watcher
        else:
            with projections.found_in(model):
                yield watcher
