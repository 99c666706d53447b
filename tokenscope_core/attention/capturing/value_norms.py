"""How long the vector is that each key adds to a head's output.

A head's output at i is the sum over j of alpha_ij f(x_j), where f takes the value of x_j through
the head's rows of the output projection W_O. Kobayashi et al. 2020, Attention is not only a weight,
arXiv:2004.10102. The projection's bias belongs to no key, and is left out as it is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tokenscope_core.errors import CapabilityError
from tokenscope_core.models.attention_interface import Call


class Projections:
    """Finds each layer's output projection: the first linear map whose input is what the heads
    have just put out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._output: torch.Tensor | None = None
        self._found: torch.nn.Module | None = None

    @contextmanager
    def found_in(self, model: PreTrainedModel) -> Iterator[None]:
        """Look at what the linear maps of a model are given."""
        with ExitStack() as stack:
            for module in model.modules():
                if isinstance(module, torch.nn.Linear | Conv1D):
                    stack.callback(module.register_forward_pre_hook(self._given).remove)
            yield

    def await_(self, output: torch.Tensor) -> None:
        """A layer's heads have put out the states [1, T, head, width], without a unit, in the
        model's dtype."""
        self._output, self._found = output, None

    def _given(self, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        if self._output is None or not args:
            return
        given = args[0]
        if given.numel() == self._output.numel() and torch.equal(
            given.reshape(-1), self._output.reshape(-1)
        ):
            self._output, self._found = None, module

    @torch.inference_mode()
    def lengths(self, call: Call, heads: list[int]) -> torch.Tensor:
        """||f(x_j)|| of the layer just run, float32 [head, key], without a unit: lengths of vectors
        of the residual stream (Kobayashi et al. 2020, arXiv:2004.10102).

        Raises:
            CapabilityError: the projection was not found, or is not kept as numbers.
        """
        self._output = None
        weight = getattr(self._found, "weight", None)
        if weight is None or weight.is_meta or not weight.is_floating_point():
            raise CapabilityError(
                asked=f"The attention of “{self._name}”, weighted by value norms, was asked for.",
                found="The output of its heads is changed before it is projected, or the "
                "projection's weights are quantised or kept elsewhere.",
                action="Ask for the plain weights.",
            )
        out_by_in = weight.T if isinstance(self._found, Conv1D) else weight
        group = call.query.shape[1] // call.value.shape[1]
        width = call.value.shape[-1]
        lengths = []
        for head in heads:
            part = out_by_in[:, head * width : (head + 1) * width].float()
            value = call.value[0, head // group].float()
            # ||W v||^2 = v^T (W^T W) v, without making W v of every key.
            lengths.append(((value @ (part.T @ part)) * value).sum(dim=-1).clamp(min=0).sqrt())
        return torch.stack(lengths)
