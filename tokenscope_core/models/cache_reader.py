"""How a model is fed: through a cache as far as that gives the numbers of one full pass.

The cache is an accelerator, never a source of other numbers. Attention reads on from any point,
and keys and values cut after any token are those of the shorter text, so that a branch shares
what it has in common with its parent. Some recurrent models ignore what they remember when they
are given several tokens at once (Mamba, Jamba); in some a step and a pass disagree, or the memory
is hidden in the layers (RecurrentGemma). Neither raises anything, so each model is tried before it
is trusted (`trial`).
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, Literal

import torch
from transformers import DynamicCache, PreTrainedModel

from tokenscope_core.models.lm_head import BodyRun, LazyLogits

CacheUse = Literal["branches", "chunks", "steps", "none"]
"""How far a model's cache can be relied on.

- `branches`: reading goes on from any point, by any number of tokens, also of a text read earlier.
- `chunks`: from the end of what was read, by any number of tokens.
- `steps`: only by single tokens; several at once are read with all that is before them.
- `none`: every step reads the whole text anew. Slow, and right.
"""

_CACHE_NAMES = ("past_key_values", "cache_params", "state")


def input_device(model: PreTrainedModel) -> torch.device:
    """Where token ids have to be: with the input embeddings, also where several devices share a
    model."""
    embeddings = model.get_input_embeddings()
    device: torch.device = embeddings.weight.device
    if device.type != "meta":
        return device
    # Kept elsewhere until it is needed: accelerate's hook says where it then runs.
    return torch.device(embeddings._hf_hook.execution_device)


def embedding_rows(model: PreTrainedModel) -> int:
    """How many token ids its embedding has a row for: it can read no others."""
    return int(model.get_input_embeddings().weight.shape[0])


def takes_rows(model: PreTrainedModel) -> bool:
    """Whether it can be told, as `logits_to_keep`, of how many tokens the logits are wanted."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


class CacheReader:
    """One text being read, or several of equal length side by side: remembers what came before."""

    def __init__(
        self, model: PreTrainedModel, cache_use: CacheUse, *, head_apart: bool = False
    ) -> None:
        """
        Args:
            model: what reads.
            cache_use: how far its cache can be relied on.
            head_apart: whether its head can be applied to a part of what its body has read.
        """
        self._model = model
        self._use = cache_use
        self._head_apart = head_apart
        self._cache: dict[str, Any] = {}
        if cache_use == "branches":
            # Without the configuration it keeps all there is also where the model needs a window.
            self._cache = {"past_key_values": DynamicCache()}
        self._ids = torch.empty((1, 0), dtype=torch.long, device=input_device(model))
        self._cached_tokens = 0
        self._takes_rows = takes_rows(model)
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    @property
    def holds_cache(self) -> bool:
        """Whether the model gave something to read on from."""
        return bool(self._cache)

    @property
    def device(self) -> torch.device:
        """Where token ids have to be."""
        return self._ids.device

    @property
    def length(self) -> int:
        """How many tokens have been read."""
        return self._cached_tokens if self._use in ("branches", "chunks") else self._ids.shape[1]

    @property
    def nbytes(self) -> int:
        """The memory that keys and values take; known of readers that branch."""
        layers = self._layers()
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)

    def read(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Read on by tokens, int64 [1, n]; the logits [n, V] after each, in the model's dtype."""
        return self.read_rows(token_ids)[0]

    @torch.inference_mode()
    def read_rows(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Read on by tokens, int64 [texts, n]; the logits [texts, n, V] after each, in the
        model's dtype."""
        due, count = self._due(token_ids), token_ids.shape[1]
        # Where more is due, logits of the new tokens alone stand in memory.
        more = due.shape[1] > count and self._takes_rows
        rows = {"logits_to_keep": count} if more else {}
        return self._forward(due, **rows)[:, -count:]

    @torch.inference_mode()
    def read_later(self, token_ids: torch.Tensor) -> LazyLogits:
        """Read on by tokens, int64 [1, n]; the logits after them are computed when they are asked
        for, where the model's head is apart, and at once where it is not."""
        if not self._head_apart:
            return LazyLogits(self.read(token_ids))
        run = BodyRun(self._model)
        self._forward(self._due(token_ids), run.model)
        return run.logits(token_ids.shape[1])

    @torch.inference_mode()
    def read_masked(
        self, token_ids: torch.Tensor, position_ids: torch.Tensor, visible: torch.Tensor
    ) -> LazyLogits:
        """As `read_later`, of tokens that do not simply follow one another. Only for cache use
        `branches`.

        Args:
            token_ids, position_ids: int64 [1, n].
            visible: bool [1, 1, n, tokens read before + n], which tokens each sees.
        """
        dtype = self._model.dtype
        mask = torch.zeros_like(visible, dtype=dtype)
        mask.masked_fill_(~visible, torch.finfo(dtype).min)
        settings = {"attention_mask": mask, "position_ids": position_ids}
        if not self._head_apart:
            return LazyLogits(self._forward(token_ids, **settings)[0])
        run = BodyRun(self._model)
        self._forward(token_ids, run.model, **settings)
        return run.logits(token_ids.shape[1])

    @torch.inference_mode()
    def skip(self, token_ids: torch.Tensor) -> None:
        """Read on by tokens, int64 [1, n], whose logits nobody wants."""
        if not token_ids.shape[1]:
            return
        if self._use in ("branches", "chunks"):
            if self._head_apart:
                self._forward(token_ids, BodyRun(self._model).model)
            else:
                self._forward(token_ids, **({"logits_to_keep": 1} if self._takes_rows else {}))
        else:
            # Read with what follows, or again with every step.
            self._ids = torch.cat((self._ids, token_ids), dim=1)
            self._cache, self._cached_tokens = {}, 0

    def branch(self, length: int, *, texts: int = 1) -> CacheReader:
        """Readers of the first `length` tokens, as `texts` equal rows; this one is unaffected.

        Nothing is copied until they read on. Only for cache use `branches`.
        """
        other = copy.copy(self)
        cache = copy.copy(self._cache["past_key_values"])
        cache.layers = [_cut(layer, length, texts) for layer in cache.layers]
        other._cache = {"past_key_values": cache}
        other._cached_tokens = length
        return other

    def copy_of_text(self, row: int) -> CacheReader:
        """A reader of one of the texts, with memory of its own. Only for cache use `branches`."""
        other = self.branch(self.length)
        for mine, cut in zip(self._layers(), other._layers(), strict=True):
            cut.keys, cut.values = (
                mine.keys[row : row + 1].clone(),
                mine.values[row : row + 1].clone(),
            )
        return other

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` tokens. Only for cache use `branches`."""
        for layer in self._layers():
            layer.keys, layer.values = layer.keys[:, :, :length], layer.values[:, :, :length]
        self._cached_tokens = length

    def keep_texts(self, rows: torch.Tensor) -> None:
        """Go on with some of the texts, by index, int64 [n]. Only for cache use `branches`."""
        for layer in self._layers():
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]

    def _layers(self) -> list[Any]:
        cache = self._cache.get("past_key_values")
        return [layer for layer in getattr(cache, "layers", ()) if layer.get_seq_length()]

    def _due(self, token_ids: torch.Tensor) -> torch.Tensor:
        """What the model has to be given to read on by these tokens: with them, where it cannot
        read on, all that is before."""
        if self._use in ("branches", "chunks"):
            return token_ids
        self._ids = torch.cat((self._ids, token_ids), dim=1)
        if self._use == "steps" and token_ids.shape[1] == 1 and self.holds_cache:
            return token_ids
        self._cache, self._cached_tokens = {}, 0
        return self._ids

    def _forward(
        self, token_ids: torch.Tensor, model: PreTrainedModel | None = None, **settings: Any
    ) -> torch.Tensor:
        cached = self._use != "none"
        start, count = self._cached_tokens, token_ids.shape[1]
        if self._takes_positions and "position_ids" not in settings:
            # As `generate` does; Bamba would count from 0 in every chunk.
            positions = torch.arange(start, start + count, device=token_ids.device)
            settings["position_ids"] = positions.expand(len(token_ids), -1)
        run = model or self._model
        out = run(input_ids=token_ids, use_cache=cached, **self._cache, **settings)
        if cached:
            self._cached_tokens += count
            caches = ((name, getattr(out, name, None)) for name in _CACHE_NAMES)
            self._cache = next(({name: c} for name, c in caches if c is not None), {})
        logits: torch.Tensor = out.logits
        return logits


def _cut(layer: Any, length: int, texts: int) -> Any:
    """A layer of the first tokens' keys and values, sharing their memory."""
    cut = copy.copy(layer)
    if layer.get_seq_length():
        cut.keys = layer.keys[:1, :, :length].expand(texts, -1, -1, -1)
        cut.values = layer.values[:1, :, :length].expand(texts, -1, -1, -1)
    return cut
