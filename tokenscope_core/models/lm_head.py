"""A model's head apart from its body: a text is read once, its logits are computed when wanted.

The head is never applied by hand, since what is around it may scale or cap the logits. The model's
own forward applies it, in a shallow copy of the model whose body is a stand-in: one that keeps the
hidden states on their way, or one that gives such states back instead of reading anything. Not
every model is built so that this works; each is tried before it is relied on (`trial`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel


class LazyLogits:
    """The logits [n, V] after n tokens that were read, in the model's dtype, for as many rows at a
    time as are wanted."""

    def __init__(
        self, states: torch.Tensor, head: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        """
        Args:
            states: [n, H], without a unit, what the body of a model made of the tokens.
            head: gives the logits of states; without it the states are the logits themselves.
        """
        self._states = states
        self._head = head

    def __len__(self) -> int:
        return len(self._states)

    @torch.inference_mode()
    def rows(self, start: int, end: int) -> torch.Tensor:
        """The logits [end - start, V] after some of the tokens."""
        states = self._states[start:end]
        return states if self._head is None else self._head(states)


class BodyRun:
    """One run of a model on one text whose head is applied to nothing as yet."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._original = model
        self._body = _KeepingBody(model.base_model)
        self.model = _with_body(model, self._body)

    def logits(self, count: int) -> LazyLogits:
        """Those after the last `count` tokens of the run.

        Raises:
            AttributeError: the model did not run its body as one module.
        """
        kind, states = self._body.kind, self._body.states

        def head(states: torch.Tensor) -> torch.Tensor:
            model = _with_body(self._original, _GivingBody(kind, states.unsqueeze(0)))
            ids = torch.zeros((1, len(states)), dtype=torch.long, device=states.device)
            logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
            return logits[0]

        return LazyLogits(states[0, -count:], head)


class _KeepingBody(nn.Module):
    """Keeps what the body gives, and hands on the states of no token."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        output = self.body(*arguments, **settings)
        self.kind, self.states = type(output), output.last_hidden_state
        output.last_hidden_state = self.states[:, :0]
        return output


class _GivingBody(nn.Module):
    """Gives states, in an output of the kind that the body has."""

    def __init__(self, kind: type, states: torch.Tensor) -> None:
        super().__init__()
        self._output = kind(last_hidden_state=states)

    def forward(self, *_arguments: Any, **_settings: Any) -> Any:
        return self._output


def _with_body(model: PreTrainedModel, body: nn.Module) -> PreTrainedModel:
    """The same model, its weights shared, with another module for its body."""
    other = copy.copy(model)
    other._modules = {**model._modules, model.base_model_prefix: body}
    return other
