"""Damaging things on purpose, reproducibly: bytes, JSON values, members of archives."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308, "", " ", "x",
    "x" * 5000, "\ud800", "\x00", "é😀\r\n", "../..", "/etc/passwd", "0" * 64, "g" * 64, [], {},
    [[]], [None], {"": None}, [0] * 2000, float("nan"), float("inf"),
)  # fmt: skip

# What JSON can say and Python's own writer cannot: numbers of many digits, deep nesting.
_WRITTEN = (
    "9" * 5_000, "-" + "9" * 5_000, "1e999", "1" + "0" * 400 + ".5", "[" * 100_000 + "]" * 100_000,
    '{"a":' * 50_000 + "1" + "}" * 50_000, "[" * 100_000, '"\\ud800\\ud800"', '{"\\udfff": 1}',
)  # fmt: skip
# Stands for one of these until the text has been written; no content begins so.
_PLACE = "\x01 here"


def bytes_mutated(blob: bytes, random: Random) -> bytes:
    """The same with a few random changes: bits, bytes, pieces lost, doubled or moved, an end."""
    data = bytearray(blob)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        here, there = sorted(random.randrange(len(data) + 1) for _ in range(2))
        piece = data[here : min(there, here + 64)]
        match random.randrange(7):
            case 0 if data:
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            case 1 if data:
                data[random.randrange(len(data))] = random.choice((0, 1, 127, 128, 255))
            case 2:
                del data[here : here + len(piece)]
            case 3:
                data[here:here] = piece
            case 4:
                data[here:here] = random.randbytes(random.randrange(1, 9))
            case 5:
                data[there:there] = piece
                del data[here : here + len(piece)]
            case _:
                del data[random.choice((here, there, len(data) // 2)) :]
    return bytes(data)


def json_mutated(blob: bytes, random: Random) -> bytes:
    """The same object with a few values replaced, lost, doubled or nested, at times as deep or as
    long as no program would write it."""
    value = json.loads(blob)
    for _ in range(random.choice((1, 1, 2, 3))):
        holders = list(_holders(value))
        if not holders:
            break
        holder, name = random.choice(holders)
        match random.randrange(7):
            case 0 | 1 | 2:
                holder[name] = deepcopy(random.choice(_VALUES))
            case 6:
                holder[name] = _PLACE
            case 3:
                del holder[name]
            case 4:
                holder[name] = [deepcopy(holder[name]) for _ in range(random.choice((1, 2, 50)))]
            case _ if isinstance(holder, dict):
                holder[random.choice(("x", "key", "version", "", "__class__"))] = deepcopy(
                    holder[name]
                )
            case _:
                holder.insert(0, deepcopy(holder[name]))
    written = json.dumps(value)
    return written.replace(json.dumps(_PLACE), random.choice(_WRITTEN)).encode("ascii")


def archive_mutated(blob: bytes, random: Random, change: Callable[[bytes, Random], bytes]) -> bytes:
    """An archive with one member changed, lost, doubled or renamed, and sound check sums."""
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(list(members))
    match random.randrange(8):
        case 0:
            del members[name]
        case 1:
            members[random.choice(("x", "../x", "traces/", "about.json/"))] = members.pop(name)
        case 2:
            members[name] = members[random.choice(list(members))]
        case _ if name.endswith(".json"):
            members[name] = json_mutated(members[name], random)
        case _:
            members[name] = change(members[name], random)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as z:
        for name, content in members.items():
            z.writestr(name, content)
    return sink.getvalue()


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value that holds another, as its container and its name there."""
    if isinstance(value, dict):
        names: list[Any] = list(value)
    elif isinstance(value, list):
        names = list(range(len(value)))
    else:
        return
    for name in names:
        yield value, name
        yield from _holders(value[name])
