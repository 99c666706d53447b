"""Which pairs of a query and a key each statistic adds up, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from tokenscope_core.attention.heads.overview import THUMBNAIL_SIDE
from tokenscope_core.attention.heads.statistics import Rows, counted_rows
from tokenscope_core.attention.heads.token_locations import NOWHERE, Places
from tokenscope_core.record.arrays import Ints

# The statistics that are the sum of a row's weights over some of its keys.
SUMS = (
    "current_token", "previous_token", "duplicate_token", "induction", "prompt_share",
    "same_line", "same_statement", "same_function",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PairBlock:
    """Rows `start` to `end` (exclusive) of a text, whose keys are the positions before `end`.

    - `pairs`: uint8 [statistic, row, key], which keys each of `SUMS` adds up.
    - `open_keys`: bool [key], those that are not masked.
    - `defined`: float32 [statistic, row], the rows that can see such a key which is not masked.
    - `counted`: float32 [row], 1 for the rows that count. `all_counted`: they are all rows with a
      choice, that is all but position 0.
    - `keys`: float32 [row], how many keys a row can see, masked ones not.
    """

    start: int
    end: int
    pairs: torch.Tensor
    open_keys: torch.Tensor
    defined: torch.Tensor
    counted: torch.Tensor
    all_counted: bool
    keys: torch.Tensor

    def seeing(self, first_keys: Ints) -> PairBlock:
        """The block in a layer whose rows see no keys before those: positions, int64 [T]."""
        device = self.keys.device
        first = torch.tensor(first_keys[self.start : self.end], device=device)
        seen = self.open_keys & (torch.arange(self.end, device=device) >= first[:, None])
        defined = (self.pairs.bool() & seen).any(-1).float()
        keys = seen.tril_(self.start).sum(-1).float()
        return replace(self, defined=defined, keys=keys)

    def back(self) -> torch.Tensor:
        """How many tokens back each key is, float32 [row, key]; negative for what comes after."""
        device = self.keys.device
        rows = torch.arange(self.start, self.end, device=device)
        return (rows[:, None] - torch.arange(self.end, device=device)).float()


def pair_blocks(
    places: Places, rows: Rows, masked: Sequence[int], device: torch.device
) -> Iterator[PairBlock]:
    """Cut a text into at most `THUMBNAIL_SIDE` blocks, as evenly as it can be."""
    length = len(places.token_ids)
    side = min(length, THUMBNAIL_SIDE)
    open_keys = torch.ones(length, dtype=torch.bool, device=device)
    open_keys[list(masked)] = False
    available = open_keys.cumsum(0)
    counted = torch.tensor(counted_rows(rows, length, places.prompt_length), device=device)
    facts = _Facts.of(places, device)
    for pixel in range(side):
        start, end = pixel * length // side, (pixel + 1) * length // side
        pairs = facts.pairs(start, end) & counted[start:end, None]
        yield PairBlock(
            start,
            end,
            pairs.to(torch.uint8),
            open_keys[:end],
            (pairs & open_keys[:end]).any(-1).float(),
            counted[start:end].float(),
            bool(counted[max(start, 1) : end].all()),
            available[start:end].float(),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """The places, int64 [T] each, and the token before each; -1 where there is none."""

    token: torch.Tensor
    before: torch.Tensor
    line: torch.Tensor
    statement: torch.Tensor
    function: torch.Tensor
    prompt_length: int

    @classmethod
    def of(cls, places: Places, device: torch.device) -> _Facts:
        token, line, statement, function = (
            torch.tensor(column, device=device)
            for column in (places.token_ids, places.line, places.statement, places.function)
        )
        before = torch.cat([torch.full_like(token[:1], NOWHERE), token[:-1]])
        return cls(token, before, line, statement, function, places.prompt_length)

    def pairs(self, start: int, end: int) -> torch.Tensor:
        """bool [statistic, row, key] in the order of `SUMS`."""
        row = torch.arange(start, end, device=self.token.device)[:, None]
        key = torch.arange(end, device=self.token.device)
        token = self.token[start:end, None]
        inside = [
            (place[start:end, None] == place[:end]) & (place[start:end, None] != NOWHERE)
            for place in (self.line, self.statement, self.function)
        ]
        return torch.stack(
            [
                key == row,
                key == row - 1,
                (self.token[:end] == token) & (key < row),
                (self.before[:end] == token) & (key < row),
                (key < self.prompt_length) & (row >= self.prompt_length),
                *(place & (key <= row) for place in inside),
            ]
        )
