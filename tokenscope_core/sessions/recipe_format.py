"""What session records and share links have in common: branches as JSON, read as untrusted.

What a branch's request has in common with the root's, the base, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from tokenscope_core.errors import RequestError
from tokenscope_core.failures import MalformedError, quoted
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.request import Request
from tokenscope_core.record.trace import recipe_key
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.branch import Branch

# What values from outside raise where their types or their parts do not fit together.
MALFORMED = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    MemoryError, RequestError,
)  # fmt: skip

MAX_CONTAINERS = 1_000_000


def dump(values: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8; equal values in equal order give equal bytes."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def load(blob: bytes) -> Any:
    """Strict JSON: no NaN, no infinity, no whole number beyond 64 bits.

    Raises:
        ValueError, RecursionError: it is none, or nested too deeply.
    """
    return json.loads(blob.decode("utf-8"), parse_constant=_no_constant, parse_int=_moderate)


def require_flat(blob: bytes) -> None:
    """Empty lists and objects of three bytes take twenty times that once they are parsed.

    Raises:
        ValueError: there are more brackets in it, in texts too, than `MAX_CONTAINERS`.
    """
    containers = blob.count(b"{") + blob.count(b"[")
    if containers > MAX_CONTAINERS:
        raise MalformedError(f"it has {containers:,} brackets, and {MAX_CONTAINERS:,} are read")


def branch_values(branch: Branch, base: Mapping[str, Any]) -> dict[str, Any]:
    """All of a branch but its key and its parent, without what is empty."""
    request = branch.request.to_json()
    values = {
        "edit": branch.edit.to_json() if branch.edit else None,
        "set": {name: v for name, v in request.items() if name not in base or base[name] != v},
        "unset": [name for name in base if name not in request],
        "name": branch.name,
        "colour": branch.colour,
        "note": branch.note,
        "stopped_after": branch.stopped_after,
    }
    return {name: value for name, value in values.items() if value not in (None, [], {}, "")}


def branch_of(
    values: Mapping[str, Any],
    base: Mapping[str, Any],
    *,
    fingerprint: str,
    parent: str | None,
    stopped_key: str | None,
) -> Branch:
    """The inverse of `branch_values`, with the key that this version gives the recipe.

    The key of a stopped run depends on its tokens too, so it has to be given.

    Raises: what `MALFORMED` lists.
    """
    edit = None if values.get("edit") is None else Edit.from_json(values["edit"])
    unset = set(values.get("unset", ()))
    kept = {name: value for name, value in base.items() if name not in unset}
    request = Request.from_json(kept | values.get("set", {}))
    stopped_after = whole(values["stopped_after"]) if values.get("stopped_after") else None
    if stopped_after is None:
        origin = None if parent is None or edit is None else (parent, edit)
        key = recipe_key(fingerprint, request, branch=origin)
    else:
        key = text(stopped_key)
    return Branch(
        key=key,
        request=request,
        name=text(values["name"]),
        parent=parent,
        edit=edit,
        colour=whole(values["colour"]),
        note=text(values.get("note", "")),
        stopped_after=stopped_after,
    )


def model_values(model: ModelIdentity) -> dict[str, Any]:
    """Which model a session is of."""
    return {
        "name": model.name,
        "fingerprint": model.fingerprint,
        "vocabulary_size": model.vocabulary_size,
    }


def model_of(values: Mapping[str, Any]) -> ModelIdentity:
    """The inverse of `model_values`. Raises: what `MALFORMED` lists."""
    return ModelIdentity(
        text(values["name"]), text(values["fingerprint"]), whole(values["vocabulary_size"])
    )


def require_moderate(base: Mapping[str, Any], branches: int, limit: int) -> None:
    """Every branch repeats what requests have in common: a small record may unpack to much.

    Raises:
        RequestError: they take more than `limit` bytes.
    """
    unpacked = len(json.dumps(base)) * branches
    if unpacked > limit:
        raise RequestError(
            asked="A session was to be kept or read.",
            found=f"Its requests unpack to {unpacked:,} bytes; {limit:,} are taken.",
            action="Remove branches, or start another session.",
        )


def text(value: Any) -> str:
    """The value, where it is a text that UTF-8 can hold.

    Raises:
        TypeError, UnicodeEncodeError: it is not.
    """
    if not isinstance(value, str):
        raise MalformedError(f"{quoted(value)} is not a text")
    value.encode("utf-8")
    return value


def whole(value: Any) -> int:
    """The value, where it is a whole number from 0 on.

    Raises:
        TypeError: it is not.
    """
    if type(value) is not int or not 0 <= value < 2**63:
        raise MalformedError(f"{quoted(value)} is not a whole number from 0 on")
    return value


def _moderate(digits: str) -> int:
    if len(digits) > 20 or abs(number := int(digits)) >= 2**63:
        raise MalformedError("a whole number takes more than 64 bits")
    return number


def _no_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is no JSON")
