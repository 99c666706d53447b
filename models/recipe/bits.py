"""Bits per byte of whole files, and what `xz -9` makes of the same bytes."""

from __future__ import annotations

import lzma
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

STRIDE = 768
"""Tokens newly scored in each window after a file's first; the rest of a window is context."""

_BATCH = 4


@dataclass(frozen=True)
class Compressed:
    """Total information in `bits` over `bytes` of text."""

    bits: float
    bytes: int

    @property
    def bits_per_byte(self) -> float:
        """Mean bits for one byte of UTF-8 text."""
        return self.bits / self.bytes


def surprisals(
    model: LlamaForCausalLM, windows: Sequence[Sequence[int]]
) -> list[NDArray[np.float64]]:
    """Surprisal in nats of ids[1:] for each window of ids, all read from their own start.

    Windows may differ in length: causal attention lets them be padded on the right.
    """
    longest = max(map(len, windows))
    padded = torch.zeros(len(windows), longest, dtype=torch.long)
    for row, window in enumerate(windows):
        padded[row, : len(window)] = torch.tensor(window)
    with torch.inference_mode():
        logits = model(input_ids=padded, use_cache=False).logits[:, :-1].float()
    taken = padded[:, 1:, None]
    nats = (logits.logsumexp(-1) - logits.gather(-1, taken)[..., 0]).double().numpy()
    return [nats[row, : len(window) - 1] for row, window in enumerate(windows)]


def windows_of(ids: Sequence[int], start_id: int, context: int) -> list[tuple[list[int], int]]:
    """(window, how many of its last tokens to count) so that every id is counted exactly once.

    Each window is a document start followed by at most context - 1 ids; windows after the first
    count STRIDE new ids and read the ids before them as context.
    """
    room = context - 1
    windows = [([start_id, *ids[:room]], min(room, len(ids)))]
    for end in range(room + STRIDE, len(ids) + STRIDE, STRIDE):
        last = min(end, len(ids))
        counted = last - (end - STRIDE)
        windows.append(([start_id, *ids[max(0, last - room) : last]], counted))
    return windows


def model_bits(
    model: LlamaForCausalLM, tokenizer: Tokenizer, text: str, start_id: int
) -> Compressed:
    """Information of a whole text under the model. The end of the text itself is not counted."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    windows = windows_of(ids, start_id, model.config.max_position_embeddings)
    nats = 0.0
    for place in range(0, len(windows), _BATCH):
        part = windows[place : place + _BATCH]
        scored = surprisals(model, [window for window, _ in part])
        nats += sum(
            float(values[-counted:].sum())
            for values, (_, counted) in zip(scored, part, strict=True)
        )
    return Compressed(nats / math.log(2), len(text.encode("utf-8")))


def xz_bits(data: bytes) -> Compressed:
    """What `xz -9` needs for the bytes, container included."""
    return Compressed(8.0 * len(lzma.compress(data, preset=9)), len(data))


def total(parts: Sequence[Compressed]) -> Compressed:
    """The sum over several texts."""
    return Compressed(sum(part.bits for part in parts), sum(part.bytes for part in parts))
