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
    none deletes, and keeping all that follow only rescores them.

    Raises:
        RequestError: a number is negative or not whole, or nothing would change hands.
    """

    position: int
    token_ids: tuple[int, ...] = ()
    removed: int = 1
    kept: int = 0

    def __post_init__(self) -> None:
        for name in ("position", "removed", "kept"):
            object.__setattr__(self, name, _count(name, getattr(self, name)))
        ids = tuple(_count("a token id", token_id) for token_id in self.token_ids)
        object.__setattr__(self, "token_ids", ids)

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
        return cls(**{**values, "token_ids": tuple(values["token_ids"])})


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
