"""What a person changed in a trace: the recipe of a branch."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenscope_core.errors import RequestError
from tokenscope_core.failures import quoted


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to a parent trace, after which the model goes on.

    From `position` on, `removed` of the parent's tokens give way to `token_ids`; the `kept` tokens
    that followed those are read as they are; then the model writes. Removing none inserts, forcing
    none deletes, and keeping all that follow only rescores them. An edit that does none of these is
    a fork alone, and says so by `writes_on`: see `continue_from`.

    Raises:
        RequestError: a number is negative or not whole; or no token is forced, removed or kept.
    """

    position: int
    token_ids: tuple[int, ...] = ()
    removed: int = 1
    kept: int = 0
    writes_on: bool = False

    def __post_init__(self) -> None:
        for name in ("position", "removed", "kept"):
            object.__setattr__(self, name, _count(name, getattr(self, name)))
        ids = tuple(_count("a token id", token_id) for token_id in self.token_ids)
        object.__setattr__(self, "token_ids", ids)
        edits_nothing = not (self.token_ids or self.removed or self.kept)
        if edits_nothing and not self.writes_on:
            raise RequestError(
                asked=f"An edit at position {self.position:,} was described.",
                found="It forces, removes and keeps no token, so nothing would be edited.",
                action="Say what is to stand there; or take Edit.continue_from(position), for the "
                "model to write on from there.",
            )
        # Equal edits are equal however they were made, and are recorded alike.
        object.__setattr__(self, "writes_on", edits_nothing)

    @classmethod
    def continue_from(cls, position: int) -> Edit:
        """A fork alone: the tokens before the position stay, and the model writes on."""
        return cls(position, (), removed=0, writes_on=True)

    @property
    def next_position(self) -> int:
        """Where the first token after the forced ones stands in the branch."""
        return self.position + len(self.token_ids)

    def to_json(self) -> dict[str, Any]:
        """The edit as plain JSON values; `from_json` is its inverse."""
        return {
            "position": self.position,
            "token_ids": list(self.token_ids),
            "removed": self.removed,
            "kept": self.kept,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Edit:
        """Build an edit from `to_json`'s output, validating it like any other."""
        return cls(**{**values, "token_ids": tuple(values["token_ids"])}, writes_on=True)


def _count(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool) or (count := operator.index(value)) < 0:
            raise TypeError
    except TypeError:
        raise RequestError(
            asked=f"An edit was described with {name} {quoted(value)}.",
            found="It must be a whole number, 0 or more.",
            action="Choose another value.",
        ) from None
    return count
