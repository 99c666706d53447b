"""What a model computes in, and how far apart equal things may come out of it.

In float32 a text read whole, in pieces or beside others has the same figures but for the last
digits. In half precision and with quantised weights it has not. LLM.int8 (arXiv:2208.07339), which
bitsandbytes runs, goes further: features in which *any* token of a batch is large are computed in
half precision for all of them, so that a later token changes how earlier ones are rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from tokenscope_core.record.rounding import Rounding

_SINGLE_TOLERANCE, _HALF_TOLERANCE = 2e-5, 0.1
# Logits that lie closer together than this are all the same to any figure.
_LEAST_SPREAD = 0.01
# Beyond these a person sees candidates and taken tokens only.
_LIKELIEST = 20


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a model computes in: its name, and how far two ways of reading a text may lie apart.

    `tolerance` is of the root mean square difference of logits, in units of their spread.
    """

    name: str
    tolerance: float

    @property
    def single(self) -> bool:
        """Whether it computes throughout in single precision or better."""
        return self.tolerance <= _SINGLE_TOLERANCE


def arithmetic_of(model: PreTrainedModel) -> Arithmetic:
    """What a model computes in, by the dtype of its weights and the way they are quantised."""
    precision = str(model.dtype).removeprefix("torch.")
    method = quantisation_method(getattr(model.config, "quantization_config", None))
    if method is not None:
        return Arithmetic(f"{precision} with weights quantised by {method}", _HALF_TOLERANCE)
    single = model.dtype in (torch.float32, torch.float64)
    return Arithmetic(precision, _SINGLE_TOLERANCE if single else _HALF_TOLERANCE)


def quantisation_method(configuration: Any) -> str | None:
    """The name of a quantisation, from what a model's configuration says of it."""
    if configuration is None:
        return None
    if not isinstance(configuration, dict):
        configuration = configuration.to_dict()
    # An enumeration of transformers', once loaded; a text in a file.
    method = configuration.get("quant_method")
    return str(getattr(method, "value", method) or "an unnamed method")


@contextmanager
def rows_apart(model: PreTrainedModel) -> Iterator[bool]:
    """Let every token be rounded by itself for a while, so that two ways of reading are equal
    unless the model makes a difference between them.

    Yields whether that changes how the model computes. Only for models that nothing else runs.
    """
    states = [
        module.state
        for module in model.modules()
        if getattr(getattr(module, "state", None), "threshold", 0.0)
        and type(module).__module__.startswith("bitsandbytes.")
    ]
    before = [state.threshold for state in states]
    for state in states:
        state.threshold = 0.0
    try:
        yield bool(states)
    finally:
        for state, threshold in zip(states, before, strict=True):
            state.threshold = threshold


def difference(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a - b of logits [n, V] in float32, 0 where both are the same infinity: some heads rule tokens
    out."""
    a, b = a.float(), b.float()
    return torch.where(a == b, 0.0, a - b)


def agree(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    """Whether logits [n, V], of any float dtype, differ by rounding only.

    Rounding in half precision can send a token to another expert, which changes a row; what was
    forgotten changes most of them. Hence the mean over rows, in units of the logits' spread.
    """
    error = difference(a, b).square().mean(dim=-1).sqrt().mean()
    spread = b[b.isfinite()].float().std(correction=0)
    return bool(error <= tolerance * spread.clamp(min=_LEAST_SPREAD))


def rounding_between(a: torch.Tensor, b: torch.Tensor) -> Rounding:
    """How far log-probabilities lie apart, in nats, over the likeliest tokens of `b`: of logits
    [n, V], any float dtype."""
    a, b = a.float().log_softmax(dim=-1), b.float().log_softmax(dim=-1)
    best = b.topk(min(_LIKELIEST, b.shape[-1]), dim=-1).indices
    apart = difference(a.gather(-1, best), b.gather(-1, best)).abs()
    return Rounding(float(apart.mean()), float(apart.max()))
