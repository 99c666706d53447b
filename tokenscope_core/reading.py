"""How a model is fed: through a cache as far as that gives the numbers of one full pass.

The cache is an accelerator, never a source of other numbers. Attention reads on from any point,
and keys and values cut after any token are those of the shorter text, so that a branch shares
what it has in common with its parent. Some recurrent models ignore what they remember when they
are given several tokens at once (Mamba, Jamba); in some a step and a pass disagree, or the memory
is hidden in the layers (RecurrentGemma). Neither raises anything, so each model is tried before it
is trusted.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, Literal

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tokenscope_core.errors import CapabilityError, summary_of
from tokenscope_core.metrics import no_numbers

CacheUse = Literal["branches", "chunks", "steps", "none"]
"""How far a model's cache can be relied on.

- `branches`: reading goes on from any point, by any number of tokens, also of a text read earlier.
- `chunks`: from the end of what was read, by any number of tokens.
- `steps`: only by single tokens; several at once are read with all that is before them.
- `none`: every step reads the whole text anew. Slow, and right.
"""

_CACHE_NAMES = ("past_key_values", "cache_params", "state")
_PROBE_LENGTHS = (17, 9, 1, 9, *[1] * 12)
_PROBE_ERRORS = (ValueError, TypeError, RuntimeError, AttributeError, LookupError)


def input_device(model: PreTrainedModel) -> torch.device:
    """Where token ids have to be: with the input embeddings, also where several devices share a
    model."""
    embeddings = model.get_input_embeddings()
    device: torch.device = embeddings.weight.device
    if device.type != "meta":
        return device
    # Kept elsewhere until it is needed: accelerate's hook says where it then runs.
    return torch.device(embeddings._hf_hook.execution_device)


class Reader:
    """One text being read, or several of equal length side by side: remembers what came before."""

    def __init__(self, model: PreTrainedModel, cache_use: CacheUse) -> None:
        self._model = model
        self._use = cache_use
        self._cache: dict[str, Any] = {}
        if cache_use == "branches":
            # Without the configuration it keeps all there is also where the model needs a window.
            self._cache = {"past_key_values": DynamicCache()}
        self._ids = torch.empty((1, 0), dtype=torch.long, device=input_device(model))
        self._cached_tokens = 0
        accepted = inspect.signature(model.forward).parameters
        self._takes_rows = "logits_to_keep" in accepted
        self._takes_positions = "position_ids" in accepted

    @property
    def holds_cache(self) -> bool:
        """Whether the model gave something to read on from."""
        return bool(self._cache)

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
        """Read on by tokens, int64 [1, n]; the logits [n, V] after each of them."""
        return self.read_rows(token_ids)[0]

    @torch.inference_mode()
    def read_rows(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Read on by tokens, int64 [texts, n]; the logits [texts, n, V] after each of them."""
        if self._use in ("branches", "chunks"):
            return self._forward(token_ids)
        self._ids = torch.cat((self._ids, token_ids), dim=1)
        count = token_ids.shape[1]
        if self._use == "steps" and count == 1 and self.holds_cache:
            return self._forward(token_ids)
        self._cache, self._cached_tokens = {}, 0
        # The whole text is read, but logits of the new tokens alone stand in memory.
        rows = {"logits_to_keep": count} if self._takes_rows else {}
        return self._forward(self._ids, **rows)[:, -count:]

    @torch.inference_mode()
    def skip(self, token_ids: torch.Tensor) -> None:
        """Read on by tokens, int64 [1, n], whose logits nobody wants."""
        if not token_ids.shape[1]:
            return
        if self._use in ("branches", "chunks"):
            self._forward(token_ids, **({"logits_to_keep": 1} if self._takes_rows else {}))
        else:
            # Read with what follows, or again with every step.
            self._ids = torch.cat((self._ids, token_ids), dim=1)
            self._cache, self._cached_tokens = {}, 0

    def branch(self, length: int, *, texts: int = 1) -> Reader:
        """Readers of the first `length` tokens, as `texts` equal rows; this one is unaffected.

        Nothing is copied until they read on. Only for cache use `branches`.
        """
        other = copy.copy(self)
        cache = copy.copy(self._cache["past_key_values"])
        cache.layers = [_cut(layer, length, texts) for layer in cache.layers]
        other._cache = {"past_key_values": cache}
        other._cached_tokens = length
        return other

    def copy_of_text(self, row: int) -> Reader:
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
        """Go on with some of the texts, int64 [n]. Only for cache use `branches`."""
        for layer in self._layers():
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]

    def _layers(self) -> list[Any]:
        cache = self._cache.get("past_key_values")
        return [layer for layer in getattr(cache, "layers", ()) if layer.get_seq_length()]

    def _forward(self, token_ids: torch.Tensor, **settings: Any) -> torch.Tensor:
        cached = self._use != "none"
        start, count = self._cached_tokens, token_ids.shape[1]
        if self._takes_positions:
            # As `generate` does; Bamba would count from 0 in every chunk.
            positions = torch.arange(start, start + count, device=token_ids.device)
            settings["position_ids"] = positions.expand(len(token_ids), -1)
        out = self._model(input_ids=token_ids, use_cache=cached, **self._cache, **settings)
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


def find_cache_use(model: PreTrainedModel, vocabulary_size: int, name: str) -> CacheUse:
    """The most that the cache can be used for and give the numbers of one full pass, by trying.

    Args:
        model: ready to run.
        vocabulary_size: how many token ids it knows.
        name: what the model is called in an error.

    Raises:
        CapabilityError: later tokens change what the model says of earlier ones (it is no
            decoder), or it does not run on tokens alone.
        ModelError: its output is not a number.
    """
    # From all over the vocabulary: a text of few words does not meet every rule of a recurrence.
    length = sum(_PROBE_LENGTHS)
    places = torch.arange(length, device=input_device(model)) * 7 % length
    token_ids = places * vocabulary_size // length
    token_ids = token_ids.unsqueeze(0)
    start = _PROBE_LENGTHS[0]
    try:
        whole = Reader(model, "none").read(token_ids)
        beginning = Reader(model, "none").read(token_ids[:, :start])
    except _PROBE_ERRORS as error:
        raise _refusal(name, f"It does not run on tokens alone: {summary_of(error)}") from error
    if whole.isnan().any():
        raise no_numbers()
    if not _agree(beginning, whole[:start], model.dtype):
        raise _refusal(name, "It looks ahead: later tokens change what it says of earlier ones.")
    ways: tuple[CacheUse, ...] = ("branches", "chunks", "steps")
    return next((use for use in ways if _reproduces(model, use, token_ids, whole)), "none")


def _reproduces(
    model: PreTrainedModel, use: CacheUse, token_ids: torch.Tensor, whole: torch.Tensor
) -> bool:
    first, *rest = torch.split(token_ids, list(_PROBE_LENGTHS), dim=1)
    reader = Reader(model, use)
    try:
        parts = [reader.read(first)]
        # Another text in between: a memory kept in the model's layers would mix them up.
        Reader(model, use).read(rest[-1])
        if use == "branches" and not _branches(reader, token_ids, whole, model.dtype):
            return False
        parts += [reader.read(part) for part in rest]
    except _PROBE_ERRORS:
        return False
    return reader.holds_cache and _agree(torch.cat(parts), whole, model.dtype)


def _branches(
    reader: Reader, token_ids: torch.Tensor, whole: torch.Tensor, precision: torch.dtype
) -> bool:
    """Whether the model fills a cache of plain keys and values, and reads on from a part of it
    what it reads in one pass, also several texts side by side."""
    cache = reader._cache.get("past_key_values")
    layers = getattr(cache, "layers", [])
    plain = type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in layers)
    if not plain or not reader._layers():
        return False
    length = reader.length - 6
    read_on = reader.branch(length, texts=2).read_rows(
        token_ids[:, length : length + 9].expand(2, -1)
    )
    expected = whole[length : length + 9]
    return all(_agree(row, expected, precision) for row in read_on)


def _agree(a: torch.Tensor, b: torch.Tensor, precision: torch.dtype) -> bool:
    """Whether logits [n, V] of a model that runs in this precision differ by rounding only.

    Rounding in half precision can send a token to another expert, which changes a row; what was
    forgotten changes most of them. Hence the mean over rows, in units of the logits' spread.
    """
    tolerance = 2e-5 if precision in (torch.float32, torch.float64) else 0.1
    error = (a.float() - b.float()).square().mean(dim=-1).sqrt().mean()
    return bool(error <= tolerance * b.float().std())


def _refusal(name: str, found: str) -> CapabilityError:
    return CapabilityError(
        asked=f"The model “{name}” was to be loaded.",
        found=found,
        action="Choose a decoder, such as a Llama, Qwen, Gemma, GPT or Mamba.",
    )
