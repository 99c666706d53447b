"""What is on screen beside a session: a few short names with plain values, open-ended and small.

In a link or a file the keys of branches become their places in the session, so that they follow
when the definition of keys changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenscope_core.errors import ShareError
from tokenscope_core.failures import quoted
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.recipe_format import text, whole

View = str | int | float | bool | None | Sequence["str | int | float | bool | None"]

MAX_ENTRIES, MAX_LIST, MAX_TEXT = 32, 32, 200

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def view_values(view: Mapping[str, Any], place: Mapping[str, int]) -> dict[str, Any]:
    """A view as plain JSON values, its entries in one order.

    Args:
        view: what is on screen.
        place: of each branch, by key.

    Raises:
        ShareError: it holds something else than a few short names with plain values.
    """

    def written(name: str, value: Any) -> Any:
        if isinstance(value, str) and value in place:
            return {"branch": place[value]}
        _require_plain(name, value)
        return value

    return {
        name: [written(name, one) for one in value]
        if _is_list(name, value)
        else written(name, value)
        for name, value in _entries(view)
    }


def view_of(values: Any, branches: Sequence[Branch]) -> dict[str, View]:
    """The inverse of `view_values`; lists become tuples.

    Raises:
        ShareError: as `view_values`.
        TypeError, LookupError: it names no branch of the session.
    """

    def read(name: str, value: Any) -> Any:
        if isinstance(value, dict) and list(value) == ["branch"]:
            return branches[whole(value["branch"])].key
        _require_plain(name, value)
        return value

    return {
        name: tuple(read(name, one) for one in value)
        if _is_list(name, value)
        else read(name, value)
        for name, value in _entries(values)
    }


def _entries(view: Any) -> list[tuple[str, Any]]:
    _require(isinstance(view, Mapping), "is no mapping of names to values")
    _require(len(view) <= MAX_ENTRIES, f"has {len(view)} entries")
    for name in view:
        named = isinstance(name, str) and _NAME.fullmatch(name)
        _require(named, f"has an entry called {quoted(name)}")
    return sorted(view.items())


def _is_list(name: str, value: Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    _require(len(value) <= MAX_LIST, f"has {len(value)} values in “{name}”")
    return True


def _require_plain(name: str, value: Any) -> None:
    plain = value is None or isinstance(value, (str, int, float, bool))
    _require(plain, f"holds a {type(value).__name__} in “{name}”")
    if isinstance(value, str):
        _require(len(value) <= MAX_TEXT, f"holds a long text in “{name}”")
        text(value)
    if isinstance(value, (int, float)):
        _require(abs(value) < 2**53, f"holds a number beyond all use in “{name}”")


def _require(holds: object, found: str) -> None:
    if not holds:
        raise ShareError(
            asked="A link or a file was to say what is on screen.",
            found=f"The view {found}.",
            action=f"Up to {MAX_ENTRIES} short names with numbers, texts of up to {MAX_TEXT} "
            "characters or lists of these can be held.",
        )
