"""Exact and near-exact duplicates, by MinHash over the set of a file's lines.

Broder 1997, "On the resemblance and containment of documents"; banding as in Leskovec, Rajaraman
and Ullman, "Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 128
BAND_ROWS = 3

Signature = NDArray[np.uint64]


def line_hashes(text: str) -> NDArray[np.uint64]:
    """64-bit hashes of the distinct lines of `text` that hold at least 8 non-blank characters."""
    lines = {line.strip() for line in text.splitlines()}
    return np.array(
        [
            int.from_bytes(hashlib.blake2b(line.encode("utf-8"), digest_size=8).digest(), "little")
            for line in lines
            if len(line) >= 8
        ],
        dtype=np.uint64,
    )


def minhash(hashes: NDArray[np.uint64], seed: int = 7) -> Signature:
    """Signature [PERMUTATIONS]: the least value of each random multiply-shift hash of the set."""
    generator = np.random.default_rng(seed)
    factors = generator.integers(1, 1 << 63, PERMUTATIONS, dtype=np.uint64) * 2 + 1
    offsets = generator.integers(0, 1 << 63, PERMUTATIONS, dtype=np.uint64)
    if hashes.size == 0:
        return offsets
    mixed = hashes[:, None] * factors[None, :] + offsets[None, :]
    mixed ^= mixed >> np.uint64(29)
    least: Signature = mixed.min(axis=0)
    return least


def resemblance(left: Signature, right: Signature) -> float:
    """Estimated Jaccard similarity of the two line sets, from their signatures."""
    return float(np.mean(left == right))


def similar_pairs(
    signatures: Sequence[Signature], threshold: float
) -> Iterable[tuple[int, int, float]]:
    """Pairs (i, j, estimate), i < j, with an estimated Jaccard of at least `threshold`.

    Candidates share a band of BAND_ROWS signature rows; each is compared with the first member of
    its bucket and with its neighbour, so that a bucket of n files costs n comparisons, not n^2.
    """
    seen: set[tuple[int, int]] = set()
    for start in range(0, PERMUTATIONS - BAND_ROWS + 1, BAND_ROWS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for index, signature in enumerate(signatures):
            buckets[signature[start : start + BAND_ROWS].tobytes()].append(index)
        for members in buckets.values():
            first = members[0]
            for previous, index in pairwise(members):
                for pair in {(first, index), (previous, index)}:
                    if pair in seen:
                        continue
                    seen.add(pair)
                    estimate = resemblance(signatures[pair[0]], signatures[pair[1]])
                    if estimate >= threshold:
                        yield (*pair, estimate)


def groups(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `count` items the least index in its connected component under `pairs`."""
    parent = list(range(count))

    def find(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for left, right in pairs:
        low, high = sorted((find(left), find(right)))
        parent[high] = low
    return [find(item) for item in range(count)]
