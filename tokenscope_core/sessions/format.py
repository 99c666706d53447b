"""A session as JSON, history included, read as untrusted.

Branches are written once however many states of the history hold them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from tokenscope_core.errors import RecordError, RequestError
from tokenscope_core.failures import MalformedError, reason_of
from tokenscope_core.record.request import Request
from tokenscope_core.record.trace import KEY_VERSION
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.recipe_format import (
    MALFORMED,
    branch_of,
    branch_values,
    dump,
    load,
    model_of,
    model_values,
    require_moderate,
    text,
    whole,
)

FORMAT_VERSION = 1
UNDO_STEPS = 100
MAX_BYTES = 16 * 1024**2
MAX_UNPACKED_BYTES = 128 * 1024**2


_Made = TypeVar("_Made")


class State(NamedTuple):
    """A session at one moment: its branches, the root first, and the key of the one selected."""

    branches: tuple[Branch, ...]
    current: str


class History(NamedTuple):
    """A session through all its states, the earliest first; `now` is the place of the present."""

    model: ModelIdentity
    states: tuple[State, ...]
    now: int


def encode(history: History) -> bytes:
    """Write a session with its history.

    Raises:
        RequestError: it takes more than `MAX_BYTES`, or unpacks to more than
            `MAX_UNPACKED_BYTES`.
    """
    # States share the branches that they have in common: the very same values.
    distinct = {id(branch): branch for state in history.states for branch in state.branches}
    place = {identity: i for i, identity in enumerate(distinct)}
    base = history.states[history.now].branches[0].request.to_json()
    require_moderate(base, len(distinct), MAX_UNPACKED_BYTES)
    blob = dump(
        {
            "format": "tokenscope session",
            "version": FORMAT_VERSION,
            "key_version": KEY_VERSION,
            "model": model_values(history.model),
            "request": base,
            "branches": [
                {"key": branch.key}
                | ({} if branch.parent is None else {"parent": branch.parent})
                | branch_values(branch, base)
                for branch in distinct.values()
            ],
            "states": [
                {
                    "branches": [place[id(branch)] for branch in state.branches],
                    "current": next(
                        i for i, b in enumerate(state.branches) if b.key == state.current
                    ),
                }
                for state in history.states
            ],
            "now": history.now,
        }
    )
    if len(blob) > MAX_BYTES:
        raise RequestError(
            asked="The session was to be kept.",
            found=f"It takes {len(blob):,} bytes with its history; {MAX_BYTES:,} can be kept.",
            action="Remove branches or shorten notes, or start another session.",
        )
    return blob


def decode(blob: bytes, make: Callable[[History], _Made]) -> _Made:
    """What `make` makes of `encode`'s output; where it refuses, the bytes are damaged.

    Keys written by another version of their definition are computed anew from the recipes.

    Raises:
        RecordError: the bytes are damaged, too many, or of an unknown version.
    """
    if len(blob) > MAX_BYTES:
        raise _damaged(f"it has {len(blob):,} bytes, more than any session")
    try:
        values = load(blob)
        version = values["version"] if values["format"] == "tokenscope session" else None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damaged(f"it is no session ({reason_of(error)})") from error
    if version != FORMAT_VERSION:
        raise RecordError(
            asked="A saved session was to be read.",
            found=f"It has format version {str(version)[:20]}; this program reads "
            f"{FORMAT_VERSION}.",
            action="Open it with the version that wrote it.",
        )
    try:
        return make(_history_of(values))
    except MALFORMED as error:
        raise _damaged(f"its parts do not fit together ({reason_of(error)})") from error


def _history_of(values: dict[str, Any]) -> History:
    model = model_of(values["model"])
    branches = _branches_of(values, model.fingerprint)
    if not 0 < len(values["states"]) <= UNDO_STEPS + 1:
        raise MalformedError("its history is too long")
    states = tuple(
        State(held, held[whole(state["current"])].key)
        for state in values["states"]
        for held in [tuple(branches[whole(i)] for i in state["branches"])]
    )
    now = whole(values["now"])
    if len({_beginning(state.branches[0]) for state in states}) > 1:
        raise MalformedError("its history is that of several sessions")
    return History(model, states, now)


def _beginning(root: Branch) -> Request:
    """What a run has in common with the same one made longer."""
    return replace(root.request, max_new_tokens=0)


def _branches_of(values: dict[str, Any], fingerprint: str) -> list[Branch]:
    base = values["request"]
    foreign_keys = whole(values["key_version"]) != KEY_VERSION
    require_moderate(base, len(values["branches"]), MAX_UNPACKED_BYTES)
    new_keys: dict[str, str] = {}
    branches = []
    for written in values["branches"]:
        key, parent = text(written["key"]), written.get("parent")
        branch = branch_of(
            written,
            base,
            fingerprint=fingerprint,
            parent=None if parent is None else new_keys.get(text(parent), parent),
            stopped_key=key,
        )
        if key != branch.key and not foreign_keys:
            raise MalformedError("a key is not that of its recipe")
        new_keys[key] = branch.key
        branches.append(branch)
    return branches


def _damaged(what: str) -> RecordError:
    return RecordError(
        asked="A saved session was to be read.",
        found=f"The record is damaged: {what}.",
        action="Take another copy of it, or start a new session.",
    )
