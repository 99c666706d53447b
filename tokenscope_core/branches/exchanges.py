"""One token put in the place of another, to read the rest again: values only."""

from __future__ import annotations

from dataclasses import dataclass

# About as many tokens in a pass as make it use the processor well; more make the mask large.
AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Exchange:
    """A token put in the place of the one that a trace has at a position."""

    position: int
    token_id: int
