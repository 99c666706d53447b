"""A session as JSON: small enough for a link, and read as untrusted.

Branches are written once however many states of the history hold them, and what a request has in
common with the root's is left out.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NoReturn

from tokenscope_core.edits import Edit
from tokenscope_core.errors import RecordError, RequestError
from tokenscope_core.request import Request
from tokenscope_core.session import UNDO_STEPS, Session
from tokenscope_core.session_branch import Branch
from tokenscope_core.trace import KEY_VERSION, ModelIdentity, recipe_key

FORMAT_VERSION = 1
MAX_BYTES = 16 * 1024**2
MAX_UNPACKED_BYTES = 128 * 1024**2


def encode(session: Session) -> bytes:
    """Write a session with its history.

    Raises:
        RequestError: it takes more than `MAX_BYTES`, or unpacks to more than
            `MAX_UNPACKED_BYTES`.
    """
    states = (*session.past, session, *session.future)
    # States share the branches that they have in common: the very same values.
    distinct = {id(branch): branch for state in states for branch in state.branches}
    place = {identity: i for i, identity in enumerate(distinct)}
    base = session.root.request.to_json()
    _require_moderate(base, len(distinct))
    values = {
        "format": "tokenscope session",
        "version": FORMAT_VERSION,
        "key_version": KEY_VERSION,
        "model": {
            "name": session.model.name,
            "fingerprint": session.model.fingerprint,
            "vocabulary_size": session.model.vocabulary_size,
        },
        "request": base,
        "branches": [_branch_values(branch, base) for branch in distinct.values()],
        "states": [
            {
                "branches": [place[id(branch)] for branch in state.branches],
                "current": next(i for i, b in enumerate(state.branches) if b.key == state.current),
            }
            for state in states
        ],
        "now": len(session.past),
    }
    blob = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if len(blob) > MAX_BYTES:
        raise RequestError(
            asked="The session was to be kept.",
            found=f"It takes {len(blob):,} bytes with its history; {MAX_BYTES:,} can be kept.",
            action="Remove branches or shorten notes, or start another session.",
        )
    return blob


def decode(blob: bytes) -> Session:
    """Read `encode`'s output.

    Keys written by another version of their definition are computed anew from the recipes.

    Raises:
        RecordError: the bytes are damaged, too many, or of an unknown version.
    """
    if len(blob) > MAX_BYTES:
        raise _damaged(f"it has {len(blob):,} bytes, more than any session")
    try:
        values = json.loads(blob.decode("utf-8"), parse_constant=_no_constant)
        version = values["version"] if values["format"] == "tokenscope session" else None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damaged(f"it is no session ({_short(error)})") from error
    if version != FORMAT_VERSION:
        raise RecordError(
            asked="A saved session was to be read.",
            found=f"It has format version {str(version)[:20]}; this program reads "
            f"{FORMAT_VERSION}.",
            action="Open it with the version that wrote it.",
        )
    try:
        return _session_of(values)
    except (
        LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RequestError
    ) as error:  # fmt: skip
        raise _damaged(f"its parts do not fit together ({_short(error)})") from error


def _branch_values(branch: Branch, base: dict[str, Any]) -> dict[str, Any]:
    request = branch.request.to_json()
    values = {
        "key": branch.key,
        "parent": branch.parent,
        "edit": branch.edit.to_json() if branch.edit else None,
        "set": {name: v for name, v in request.items() if name not in base or base[name] != v},
        "unset": [name for name in base if name not in request],
        "name": branch.name,
        "colour": branch.colour,
        "note": branch.note,
        "stopped_after": branch.stopped_after,
    }
    return {name: value for name, value in values.items() if value not in (None, [], {}, "")}


def _session_of(values: dict[str, Any]) -> Session:
    identity = values["model"]
    model = ModelIdentity(
        _text(identity["name"]), _text(identity["fingerprint"]), _whole(identity["vocabulary_size"])
    )
    branches = _branches_of(values, model.fingerprint)
    if not 0 < len(values["states"]) <= UNDO_STEPS + 1:
        raise ValueError("its history is too long")
    states = [
        Session(model, held, held[_whole(state["current"])].key)
        for state in values["states"]
        for held in [tuple(branches[_whole(i)] for i in state["branches"])]
    ]
    now = _whole(values["now"])
    here = states[now]
    if any(state.root.key != here.root.key for state in states):
        raise ValueError("its history is that of several sessions")
    return Session(
        model, here.branches, here.current, tuple(states[:now]), tuple(states[now + 1 :])
    )


def _branches_of(values: dict[str, Any], fingerprint: str) -> list[Branch]:
    base = values["request"]
    foreign_keys = _whole(values["key_version"]) != KEY_VERSION
    _require_moderate(base, len(values["branches"]))
    new_keys: dict[str, str] = {}
    branches = []
    for written in values["branches"]:
        parent, edit = written.get("parent"), written.get("edit")
        unset = set(written.get("unset", ()))
        kept = {name: value for name, value in base.items() if name not in unset}
        branch = Branch(
            key=_text(written["key"]),
            request=Request.from_json(kept | written.get("set", {})),
            name=_text(written["name"]),
            parent=None if parent is None else new_keys.get(_text(parent), parent),
            edit=None if edit is None else Edit.from_json(edit),
            colour=_whole(written["colour"]),
            note=_text(written.get("note", "")),
            stopped_after=_whole(stopped) if (stopped := written.get("stopped_after")) else None,
        )
        key = _key_of(branch, fingerprint)
        if key != branch.key and not foreign_keys:
            raise ValueError("a key is not that of its recipe")
        new_keys[branch.key] = key
        branches.append(replace(branch, key=key))
    return branches


def _key_of(branch: Branch, fingerprint: str) -> str:
    """The key by this version's definition; of a stopped run, which depends on its tokens, the
    one it has."""
    if branch.stopped_after is not None:
        return branch.key
    origin = (branch.parent, branch.edit) if branch.parent and branch.edit else None
    return recipe_key(fingerprint, branch.request, branch=origin)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:50]!r} is not a text")
    value.encode("utf-8")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError(f"{str(value)[:50]!r} is not a whole number from 0 on")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _require_moderate(base: dict[str, Any], branches: int) -> None:
    """Every branch repeats what requests have in common: a small record may unpack to much."""
    unpacked = len(json.dumps(base)) * branches
    if unpacked > MAX_UNPACKED_BYTES:
        raise RequestError(
            asked="A session was to be kept or read.",
            found=f"Its requests unpack to {unpacked:,} bytes; {MAX_UNPACKED_BYTES:,} are taken.",
            action="Remove branches, or start another session.",
        )


def _short(error: Exception) -> str:
    """What an error says; it may quote the record."""
    text = str(error)
    return text if len(text) <= 300 else text[:299] + "…"


def _damaged(what: str) -> RecordError:
    return RecordError(
        asked="A saved session was to be read.",
        found=f"The record is damaged: {what}.",
        action="Take another copy of it, or start a new session.",
    )
