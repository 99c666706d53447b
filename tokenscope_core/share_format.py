"""The text that a link carries: a version, a dot, and compressed JSON in URL-safe Base64.

Version 1 is zlib's format, whose checksum tells a damaged link from a sound one, and in it a JSON
object: `model`, `request` (the root's), `branches`, `current` and `view`. Branches name their
parents by place, and no keys: those follow from the recipes, but for runs that were stopped.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokenscope_core.errors import ModelError, RequestError, ShareError
from tokenscope_core.model_choice import ModelChoice
from tokenscope_core.recipe_format import (
    MALFORMED,
    branch_of,
    branch_values,
    dump,
    load,
    model_of,
    model_values,
    require_moderate,
    short,
    text,
    whole,
)
from tokenscope_core.session import MAX_BRANCHES, Session
from tokenscope_core.session_branch import Branch
from tokenscope_core.share_view import View, view_of, view_values
from tokenscope_core.trace import ModelIdentity

# nginx and others take a request line of 8 KiB by default.
MAX_LINK = 8_000
# Leaves room for the server's address, the page and the method.
MAX_PAYLOAD = MAX_LINK - 250
MAX_UNPACKED_BYTES = 1024**2

_VERSION = 1
_PREFIX = re.compile(r"ts([0-9]{1,4})\.")
_BODY = re.compile(r"[A-Za-z0-9_-]+")
# The recipes of all branches together, every one with what it has in common with the root: at the
# worst about a second's work, and 500 branches of a prompt of 8,000 characters.
_MAX_REQUEST_BYTES = 4 * 1024**2
_MAX_MODEL_NAME = 300


@dataclass(frozen=True, slots=True)
class Shared:
    """What a link carries: a session without a history, what else was on screen, and the model it
    was made with, as whoever made the link named it."""

    session: Session
    view: Mapping[str, View]
    model: ModelChoice


def write(session: Session, view: Mapping[str, View], model: ModelChoice | None) -> str:
    """The payload in the newest version, whatever its length.

    Raises:
        ShareError: the view is not as `share.encode` says, or the session is beyond any link.
    """
    place = {branch.key: index for index, branch in enumerate(session.branches)}
    base = session.root.request.to_json()
    values = {
        "model": shared_model_values(session.model, model),
        "request": base,
        "branches": [_branch_values(branch, place, base) for branch in session.branches],
        "current": place[session.current],
        "view": view_values(view, place),
    }
    blob = dump(values)
    try:
        require_moderate(base, len(session), _MAX_REQUEST_BYTES)
    except RequestError as error:
        raise _too_large(f"{error.found}") from error
    if len(blob) > MAX_UNPACKED_BYTES:
        raise _too_large(f"Its recipes take {len(blob):,} bytes; {MAX_UNPACKED_BYTES:,} are taken.")
    body = base64.urlsafe_b64encode(zlib.compress(blob, 9)).decode("ascii").rstrip("=")
    return f"ts{_VERSION}.{body}"


def is_payload(text: str) -> bool:
    """Whether a text begins as payloads of any version do; whether it is sound is another thing."""
    return _PREFIX.match(text) is not None


def read(payload: str) -> Shared:
    """What `write` wrote in this or an earlier version.

    Raises:
        ShareError: it is damaged, cut short, too large or of an unknown version.
    """
    if len(payload) > MAX_LINK:
        raise ShareError(
            asked="A link was to be opened.",
            found=f"It carries {len(payload):,} characters, and no link more than {MAX_PAYLOAD:,}.",
            action="Ask for the session file instead.",
            size=len(payload),
            limit=MAX_PAYLOAD,
        )
    prefix = _PREFIX.match(payload)
    if prefix is None:
        raise _damaged("it does not begin as TokenScope's links do")
    version = int(prefix[1])
    if version not in _READERS:
        raise ShareError(
            asked="A link was to be opened.",
            found=f"It has version {version}; this program reads 1 to {_VERSION}.",
            action="Open it with the version of TokenScope that made it, or a newer one.",
        )
    try:
        return _READERS[version](payload[prefix.end() :])
    except (*MALFORMED, ModelError, zlib.error, binascii.Error) as error:
        raise _damaged(short(error)) from error


def _read_1(body: str) -> Shared:
    values = load(_unpacked(body))
    base, written = values["request"], values["branches"]
    if not isinstance(written, list) or len(written) > MAX_BRANCHES:
        raise ValueError("its branches are no list, or too many")
    require_moderate(base, len(written), _MAX_REQUEST_BYTES)
    identity = model_of(values["model"])
    branches: list[Branch] = []
    for one in written:
        parent = one.get("parent")
        branches.append(
            branch_of(
                one,
                base,
                fingerprint=identity.fingerprint,
                parent=None if parent is None else branches[whole(parent)].key,
                stopped_key=one.get("key"),
            )
        )
    session = Session(identity, tuple(branches), branches[whole(values["current"])].key)
    view = view_of(values["view"], branches)
    return Shared(session, view, choice_of(values["model"]))


_READERS: dict[int, Callable[[str], Shared]] = {1: _read_1}


def _unpacked(body: str) -> bytes:
    if not _BODY.fullmatch(body):
        raise ValueError("a character of it does not belong into a link")
    packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    unpacking = zlib.decompressobj()
    blob = unpacking.decompress(packed, MAX_UNPACKED_BYTES + 1)
    if len(blob) > MAX_UNPACKED_BYTES:
        raise ValueError(f"it would unpack to more than {MAX_UNPACKED_BYTES:,} bytes")
    if not unpacking.eof:
        raise ValueError("its end is missing; it may have been cut when it was copied")
    if unpacking.unused_data:
        raise ValueError("something follows its end")
    return blob


def _branch_values(
    branch: Branch, place: Mapping[str, int], base: Mapping[str, Any]
) -> dict[str, Any]:
    values = branch_values(branch, base)
    if branch.parent is not None:
        values["parent"] = place[branch.parent]
    if branch.stopped_after is not None:
        values["key"] = branch.key
    return values


def shared_model_values(identity: ModelIdentity, model: ModelChoice | None) -> dict[str, Any]:
    """Which model a session is of, and in which precision it ran, where that is known."""
    values = model_values(identity)
    # Only the precision: in which folder a model lies is nobody else's concern.
    return values if model is None or model.dtype is None else values | {"dtype": model.dtype}


def choice_of(values: Mapping[str, Any]) -> ModelChoice:
    """The model that `shared_model_values` names.

    Raises:
        TypeError, ValueError, LookupError, ModelError: it is named by a path, or in another way
            that no such values are.
    """
    name = text(values["name"])
    parts = name.split("/")
    if len(name) > _MAX_MODEL_NAME or "\\" in name or {"", ".", "..", "~"} & set(parts):
        raise ValueError("its model is named by a path, or not at all")
    dtype = values.get("dtype")
    return ModelChoice(name, None if dtype is None else text(dtype))


def _too_large(found: str) -> ShareError:
    return ShareError(
        asked="The session was to be put into a link.",
        found=found,
        action="Pass on the session file instead.",
    )


def _damaged(what: str) -> ShareError:
    return ShareError(
        asked="A link was to be opened.",
        found=f"It is damaged: {what}.",
        action="Copy the whole of it again, or ask for the session file.",
    )
