"""How far a model's distributions lie apart, by reading two texts side by side.

Exact over the whole vocabulary, from the logits and not from recorded candidates. Kullback and
Leibler 1951, On information and sufficiency; Lin 1991, Divergence measures based on the Shannon
entropy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch

from tokenscope_core.decoding.prefill import chunk_length
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metrics import no_numbers

# A few megabytes of float64, with what is computed from them.
_BLOCK_NUMBERS = 128 * 1024


def divergences(
    lm: LanguageModel,
    texts: tuple[Ints, Ints],
    pairs: Ints,
    shared_prefix: int,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Floats:
    """KL(a||b), KL(b||a) and Jensen-Shannon divergence, nats, float64 [n, 3].

    Each row compares the model's distributions before the two tokens of a pair. Logits of
    `chunk_length` positions a text stand in memory at most.

    Args:
        lm: the model. Where its cache can branch, the shared prefix is read once, or not at all if
            it was kept from a run.
        texts: token ids, int64 [T], of a and of b.
        pairs: positions in a and in b, int64 [n, 2], ascending, above 0.
        shared_prefix: how many tokens the texts begin with in common.
        progress: is told after every chunk how many pairs have been measured, and of how many.
        cancelled: is asked after every chunk; when true the rest stays NaN.

    Raises:
        ModelError: the logits are not numbers.
    """
    found = np.full((len(pairs), 3), np.nan)
    if len(pairs):
        for done in _measure(lm, texts, pairs, shared_prefix, found):
            progress(done, len(pairs))
            if cancelled():
                break
    return found


def _measure(
    lm: LanguageModel, texts: tuple[Ints, Ints], pairs: Ints, shared_prefix: int, found: Floats
) -> Iterator[int]:
    """Fill `found`, yielding after every chunk how many pairs have been measured."""
    yield 0
    step = chunk_length(lm.identity.vocabulary_size)
    ids = tuple(torch.tensor(text[None], device=lm.device) for text in texts)
    starts = pairs[0] - 1
    readers = [_kept_reader(lm, text[:n]) for text, n in zip(texts, starts, strict=True)]
    if lm.capabilities.cache == "branches":
        common = int(min(shared_prefix, *starts))
        furthest = max(readers, key=lambda reader: reader.length)
        for _ in _skip(furthest, ids[0], common, step):
            yield 0
        readers = [r if r.length >= common else furthest.branch(common) for r in readers]
    for start, end in _groups(pairs, step):
        logits, rows = [], []
        for side, reader in enumerate(readers):
            positions = pairs[start:end, side]
            # The logits after a token describe the one that follows it.
            first, last = int(positions[0]) - 1, int(positions[-1])
            for _ in _skip(reader, ids[side], first, step):
                yield start
            logits.append(reader.read(ids[side][:, first:last]))
            rows.append(torch.from_numpy(positions - 1 - first).to(lm.device))
        found[start:end] = _in_blocks(logits, rows)
        yield end


def _kept_reader(lm: LanguageModel, text: Ints) -> CacheReader:
    """A reader of the text as far as it was kept from an earlier run."""
    return lm.prefixes.branch(text.tolist()) or lm.new_reader()


def _skip(reader: CacheReader, ids: torch.Tensor, end: int, step: int) -> Iterator[None]:
    """Read on up to a position, by chunks."""
    for start in range(reader.length, end, step):
        reader.skip(ids[:, start : min(start + step, end)])
        yield


def _groups(pairs: Ints, step: int) -> Iterator[tuple[int, int]]:
    """Pairs that lie within `step` positions of each other in both texts, as (start, end)."""
    start = 0
    while start < len(pairs):
        near = (pairs[start:] - pairs[start] < step).all(axis=1)
        end = start + (len(near) if near.all() else int(near.argmin()))
        yield start, end
        start = end


def _in_blocks(logits: list[torch.Tensor], rows: list[torch.Tensor]) -> Floats:
    """Divergences of the named rows of two tensors of logits."""
    length = max(1, _BLOCK_NUMBERS // logits[0].shape[-1])
    blocks = zip(torch.split(rows[0], length), torch.split(rows[1], length), strict=True)
    parts = [divergences_of(logits[0][in_a], logits[1][in_b]) for in_a, in_b in blocks]
    found: Floats = torch.cat(parts).cpu().numpy()
    if np.isnan(found).any():
        raise no_numbers()
    return found


@torch.inference_mode()
def divergences_of(logits_a: torch.Tensor, logits_b: torch.Tensor) -> torch.Tensor:
    """KL(a||b), KL(b||a) and Jensen-Shannon divergence, nats, float64 [n, 3], of logits [n, V].

    JSD = (KL(a||m) + KL(b||m)) / 2 with m = (p_a + p_b) / 2. A token of probability 0 adds nothing
    to a divergence from its distribution; KL is infinite where the other rules out what this one
    allows.
    """
    a, b = (logits.double().log_softmax(dim=-1) for logits in (logits_a, logits_b))
    mixture = torch.logaddexp(a, b) - math.log(2)
    jsd = ((_kl(a, mixture) + _kl(b, mixture)) / 2).clamp(max=math.log(2))
    return torch.stack((_kl(a, b), _kl(b, a), jsd), dim=-1)


def _kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Σ p (ln p - ln q) of log-probabilities [n, V]; never below 0, as rounding might have it."""
    probs = p.exp()
    terms = torch.where(probs == 0, 0.0, probs * (p - q))
    return terms.sum(dim=-1).clamp(min=0.0)
