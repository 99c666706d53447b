"""The text that a link carries: a version, a dot, and compressed JSON in URL-safe Base64.

It is zlib's format, whose checksum tells a damaged link from a sound one. Version 1 carries a
session (`share_format`), version 2 a text that two models read (`share_readings`).
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tokenscope_core.errors import ModelError, ShareError
from tokenscope_core.failures import MalformedError, reason_of
from tokenscope_core.sessions.recipe_format import MALFORMED, dump, load

# nginx and others take a request line of 8 KiB by default.
MAX_LINK = 8_000
# Leaves room for the server's address, the page and the method.
MAX_PAYLOAD = MAX_LINK - 250
MAX_UNPACKED_BYTES = 1024**2

_CARRIED = {1: "a session", 2: "a text that two models read"}
_INSTEAD = {
    1: "Pass on the session file instead, or remove branches or long notes.",
    2: "Make a short link where there is one, or pass on the text itself.",
}
_PREFIX = re.compile(r"ts([0-9]{1,4})\.")
_BODY = re.compile(r"[A-Za-z0-9_-]+")

Carried = TypeVar("Carried")


def write(version: int, values: Mapping[str, Any]) -> str:
    """Values as the text of a link, whatever its length.

    Raises:
        ShareError: they are beyond any link.
    """
    blob = dump(values)
    if len(blob) > MAX_UNPACKED_BYTES:
        found = f"It takes {len(blob):,} bytes; {MAX_UNPACKED_BYTES:,} are taken."
        raise too_large(version, found)
    body = base64.urlsafe_b64encode(zlib.compress(blob, 9)).decode("ascii").rstrip("=")
    return f"ts{version}.{body}"


def version_of(payload: str) -> int | None:
    """Which version a text begins like, sound or not; None where it is no payload."""
    prefix = _PREFIX.match(payload)
    return None if prefix is None else int(prefix[1])


def require_short(link: str, payload: str, longest: int) -> None:
    """Refuse an address, or the part of it that is the payload, that is too long to be passed on.

    Raises:
        ShareError: it has more than `longest` characters.
    """
    if len(link) > longest:
        found = f"It would have {len(link):,} characters; servers and browsers take {longest:,}."
        raise too_large(version_of(payload), found, size=len(link), limit=longest)


def read(
    payload: str,
    readers: Mapping[int, Callable[[Any], Carried]],
    *,
    longest: int | None = MAX_LINK,
) -> Carried:
    """What a payload carries.

    Args:
        payload: untrusted.
        readers: by version, what makes something of the values.
        longest: characters it may have; None where it is in no address.

    Raises:
        ShareError: it is damaged, cut short, too large or of a version that none of them reads.
    """
    if longest is not None and len(payload) > longest:
        raise ShareError(
            asked="A link was to be opened.",
            found=f"It carries {len(payload):,} characters, and no link more than {MAX_PAYLOAD:,}.",
            action="Ask for the session file instead.",
            size=len(payload),
            limit=MAX_PAYLOAD,
        )
    version = version_of(payload)
    if version is None:
        raise _damaged("it does not begin as TokenScope's links do")
    if version not in readers:
        raise _other_version(version)
    try:
        return readers[version](load(_unpacked(payload.partition(".")[2])))
    except (*MALFORMED, ModelError, zlib.error, binascii.Error) as error:
        raise _damaged(reason_of(error)) from error


def too_large(version: int | None, found: str, *, size: int = 0, limit: int = 0) -> ShareError:
    """What was to be shared is beyond any link."""
    carried = _CARRIED.get(version or 0, "something")
    return ShareError(
        asked=f"A link was to carry {carried}.",
        found=found,
        action=_INSTEAD.get(version or 0, "Pass it on as a file."),
        size=size,
        limit=limit,
    )


def _other_version(version: int) -> ShareError:
    if version in _CARRIED:
        return ShareError(
            asked="A link was to be opened as what it is not.",
            found=f"It carries {_CARRIED[version]}.",
            action="Open it in the app.",
        )
    return ShareError(
        asked="A link was to be opened.",
        found=f"It has version {version}; this program reads 1 to {max(_CARRIED)}.",
        action="Open it with the version of TokenScope that made it, or a newer one.",
    )


def _unpacked(body: str) -> bytes:
    if not _BODY.fullmatch(body):
        raise MalformedError("a character of it does not belong into a link")
    packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    unpacking = zlib.decompressobj()
    blob = unpacking.decompress(packed, MAX_UNPACKED_BYTES + 1)
    if len(blob) > MAX_UNPACKED_BYTES:
        raise MalformedError(f"it would unpack to more than {MAX_UNPACKED_BYTES:,} bytes")
    if not unpacking.eof:
        raise MalformedError("its end is missing; it may have been cut when it was copied")
    if unpacking.unused_data:
        raise MalformedError("something follows its end")
    return blob


def _damaged(what: str) -> ShareError:
    return ShareError(
        asked="A link was to be opened.",
        found=f"It is damaged: {what}.",
        action="Copy the whole of it again, or ask for the session file.",
    )
