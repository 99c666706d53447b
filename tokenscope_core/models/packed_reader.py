"""Many continuations of one text read in one row, each as if it stood alone behind its beginning.

A mask in blocks lets a token see the part of the text that its continuation begins with, and what
comes before it in that continuation; positions are given, so that several tokens may have the same.
One pass then reads what a batch would, without a copy of the text's keys and values for every row
of it. Models with a mask or positions of their own making (ALiBi, windows) read otherwise then:
each is tried before it is trusted.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from tokenscope_core.models.arithmetic import agree, arithmetic_of
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.lm_head import LazyLogits
from tokenscope_core.models.trial.full_trial import TRIAL_ERRORS, text_over_the_vocabulary

_TEXT = -1  # the number of the shared text among the continuations
_TRIED_LENGTH, _TRIED_STARTS, _TRIED_AT_ONCE = 38, (9, 17), 11

_known: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


class PackedReader:
    """Reads continuations of parts of one text, which a reader that branches has read."""

    def __init__(self, text: CacheReader) -> None:
        """
        Args:
            text: a reader of the whole text, which is not changed.
        """
        self._reader = text.branch(text.length)
        self._continuations = torch.full((text.length,), _TEXT, device=text.device)
        self._positions = torch.arange(text.length, device=text.device)

    def read(
        self,
        token_ids: torch.Tensor,
        continuations: torch.Tensor,
        positions: torch.Tensor,
        starts: torch.Tensor,
    ) -> LazyLogits:
        """Read on in several continuations; the logits after each token.

        Args, each int64 [n], one value a token to read, those of a continuation in its order:
            token_ids: the tokens.
            continuations: the number, from 0, of the continuation that each is part of.
            positions: their places in the text that they continue.
            starts: how many tokens of the shared text their continuation has before it.
        """
        self._continuations = torch.cat((self._continuations, continuations))
        self._positions = torch.cat((self._positions, positions))
        of_text = self._continuations == _TEXT
        earlier = of_text & (self._positions < starts[:, None])
        own = self._continuations == continuations[:, None]
        visible = earlier | (own & (self._positions <= positions[:, None]))
        return self._reader.read_masked(token_ids[None], positions[None], visible[None, None])


def packs(model: PreTrainedModel, tokens: int) -> bool:
    """Whether a model whose cache branches reads packed continuations as it does single ones.

    Args:
        model: run by nobody else meanwhile; the first time, a short text is read.
        tokens: how many it would have in its cache at once. Layers that see the last ones only
            would count those of other continuations among them.
    """
    if tokens > _shortest_window(model):
        return False
    if model not in _known:
        _known[model] = _try(model)
    return _known[model]


def _shortest_window(model: PreTrainedModel) -> float:
    """The fewest tokens that a layer is limited to, by any name that configurations have for it."""
    settings = model.config.get_text_config().to_dict().items()
    limits = (
        value
        for name, value in settings
        if any(part in name for part in ("window", "chunk", "block"))
        and not name.endswith("_layers")
        and isinstance(value, int)
        and value > 1
    )
    return min(limits, default=float("inf"))


@torch.inference_mode()
def _try(model: PreTrainedModel) -> bool:
    ids = text_over_the_vocabulary(model, _TRIED_LENGTH)
    try:
        text = CacheReader(model, "branches")
        text.skip(ids[:, : _TRIED_STARTS[-1]])
        packed = PackedReader(text)
        rests = [ids[0, start + 1 :][: 2 * _TRIED_AT_ONCE] for start in _TRIED_STARTS]
        found: list[list[torch.Tensor]] = [[] for _ in rests]
        for part in (slice(0, _TRIED_AT_ONCE), slice(_TRIED_AT_ONCE, None)):
            lengths = [len(rest[part]) for rest in rests]
            numbers = torch.repeat_interleave(torch.arange(len(rests)), torch.tensor(lengths))
            positions = torch.cat(
                [
                    torch.arange(len(rest))[part] + start
                    for rest, start in zip(rests, _TRIED_STARTS, strict=True)
                ]
            )
            logits = packed.read(
                torch.cat([rest[part] for rest in rests]),
                numbers.to(ids.device),
                positions.to(ids.device),
                torch.tensor(_TRIED_STARTS)[numbers].to(ids.device),
            )
            rows = torch.split(logits.rows(0, len(logits)), lengths)
            for known, more in zip(found, rows, strict=True):
                known.append(more)
        tolerance = arithmetic_of(model).tolerance
        return all(
            agree(torch.cat(known), text.branch(start).read(rest[None]), tolerance)
            for known, rest, start in zip(found, rests, _TRIED_STARTS, strict=True)
        )
    except TRIAL_ERRORS:
        return False
