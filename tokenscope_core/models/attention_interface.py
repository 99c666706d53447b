"""transformers' attention interface, watched: queries and keys pass by, and weights are computed
from those that somebody wants.

The function registered here takes the place of `sdpa` for the whole process, calls it, and returns
what it returns. So the model is not touched, its masks are those of sdpa, windows and blocks
included, and nothing of size T x T is made for layers that nobody asked for. Who watches is a
context variable: other threads see plain sdpa.

What sdpa cannot do, such as caps on the scores or learned sinks, models compute with an eager
function of their own, found in the module they are defined in; a second name stands for that one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import AttentionInterface, AttentionMaskInterface

Attend = Callable[..., Any]

SDPA, EAGER, WATCHED_EAGER = "sdpa", "eager", "tokenscope_eager"
_EAGER_FUNCTION = "eager_attention_forward"
# Rows at a time: what lies ahead of them all is never computed.
_BLOCK_ROWS = 128


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One layer's call of the interface.

    - `query` [1, head, T, width], `key` and `value` [1, key head, T, width]: of grouped heads
      several share a key head.
    - `mask`: what may be seen, bool or added to the scores, [1, 1 or head, T, T]; None where that
      is all that came before, or all there is if not `causal`.
    - `bias`: added to the scores, [1, 1 or head, T, T], or None.
    - `output` [1, T, head, width]: what the layer goes on with.
    - `weights` [1, head, T, T]: where they were computed anyway.
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None
    bias: torch.Tensor | None
    scaling: float
    causal: bool
    output: torch.Tensor
    weights: torch.Tensor | None = None


class NoEagerFunctionError(Exception):
    """A model asks the interface, and its eager function is not where others have theirs."""


class Watcher(Protocol):
    """Somebody who wants to see the calls of one thread."""

    def called(self, call: Call) -> None:
        """A layer has computed its attention."""


_watcher: ContextVar[Watcher | None] = ContextVar("attention watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Show a watcher each call of this thread."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def _watched(function_of: Callable[[torch.nn.Module], Attend]) -> Attend:
    def watched(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *positional: Any,
        **settings: Any,
    ) -> Any:
        function = function_of(module)
        result = function(module, query, key, value, attention_mask, *positional, **settings)
        watcher = _watcher.get()
        if watcher is not None:
            causal = settings.get("is_causal")
            if causal is None:
                causal = getattr(module, "is_causal", True)
            scaling = settings.get("scaling")
            watcher.called(
                Call(
                    query=query,
                    key=key,
                    value=value,
                    mask=attention_mask,
                    bias=settings.get("position_bias"),
                    scaling=1 / math.sqrt(query.shape[-1]) if scaling is None else scaling,
                    causal=bool(causal) and attention_mask is None,
                    output=result[0],
                    weights=result[1],
                )
            )
        return result

    return watched


def _eager_of(module: torch.nn.Module) -> Attend:
    """The eager function of the file that a model's attention is defined in.

    Raises:
        NoEagerFunctionError: it has none.
    """
    for kind in type(module).__mro__:
        found: Attend | None = getattr(sys.modules[kind.__module__], _EAGER_FUNCTION, None)
        if found is not None:
            return found
    raise NoEagerFunctionError(f"{type(module).__name__} comes without {_EAGER_FUNCTION}")


_sdpa: Attend = AttentionInterface()[SDPA]
AttentionInterface.register(SDPA, _watched(lambda module: _sdpa))
AttentionInterface.register(WATCHED_EAGER, _watched(_eager_of))
AttentionMaskInterface.register(WATCHED_EAGER, AttentionMaskInterface()[EAGER])


def what_hides_the_weights(calls: Sequence[Call]) -> str | None:
    """Why what a layer has called for is not one weight for each token of the text; None if it is.

    Layers may attend several times, or to entries that stand for several tokens each, as the
    compressed keys of DeepSeek-V4 do.
    """
    if len(calls) != 1:
        return f"it attends {len(calls)} times"
    tokens, keys = calls[0].query.shape[2], calls[0].key.shape[2]
    if keys != tokens:
        return (
            f"it attends to {keys:,} keys where the text has {tokens:,} tokens, as some stand for "
            "several tokens together"
        )
    return None


@torch.inference_mode()
def weights_of(
    call: Call, heads: list[int], rows: tuple[int, int], into: torch.Tensor | None = None
) -> torch.Tensor:
    """softmax(scaling Q K^T + mask), float32 [head, query, key] in whatever precision the model
    runs; where the layer computed it anyway, that.

    Args:
        call: of one text.
        heads: which.
        rows: first query and the one past the last.
        into: weights of another layer, which are written over where the shapes agree: half of the
            time goes into memory that was never used before.
    """
    first, last = rows
    if call.weights is not None:
        return call.weights[0, heads, first:last].float()
    length = call.key.shape[2]
    group = call.query.shape[1] // call.key.shape[1]
    query = call.query[0, heads].float()
    key = call.key[0, [head // group for head in heads]].float().transpose(1, 2)
    shape = (len(heads), last - first, length)
    reused = into is not None and into.shape == shape and into.device == query.device
    weights = into if into is not None and reused else query.new_empty(shape)
    for start in range(first, last, _BLOCK_ROWS):
        end = min(start + _BLOCK_ROWS, last)
        seen = end if call.causal else length
        scores = torch.bmm(query[:, start:end] * call.scaling, key[:, :, :seen])
        for added in (call.bias, call.mask):
            if added is None:
                continue
            part = added[0, heads if added.shape[1] > 1 else slice(None), start:end, :seen]
            if part.dtype == torch.bool:
                scores.masked_fill_(~part, -torch.inf)
            else:
                scores += part
        if call.causal:
            ahead = torch.ones(end - start, seen, dtype=torch.bool, device=scores.device)
            scores.masked_fill_(ahead.triu(start + 1), -torch.inf)
        block = weights[:, start - first : end - first]
        block[:, :, :seen] = scores.softmax(dim=-1)
        block[:, :, seen:] = 0
    return weights
