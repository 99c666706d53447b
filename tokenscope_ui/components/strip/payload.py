"""What the strip draws, as one block of bytes: the contract between its callers and its script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import IntFlag
from typing import Literal, NotRequired, TypedDict


class TokenFlag(IntFlag):
    """What a token is, one bit each; `Payload.flags` holds their sums."""

    PROMPT = 1
    FORCED = 2
    SPECIAL = 4
    """Zero-width in the text; its `text` is a label such as <|endoftext|>, shown as a chip."""
    INCOMPLETE = 8
    """Part of a character; its `text` is its bytes in hex such as "F0 9F", shown as a chip."""
    WHITESPACE = 16
    CONTINUES = 32
    """The character was shown on an earlier token: only a narrow mark is drawn, and `text` (its
    bytes in hex) is for the tooltip."""
    NOT_FAVOURITE = 64
    """Sampling chose it although another token was more probable."""
    SHARED = 128
    """Both of two texts begin with it: drawn pale, without a tint."""
    CHANGED = 256
    """Another token faces it in the other of two texts."""
    ALONE = 512
    """No token faces it in the other of two texts."""
    BEGINS = 1024
    """A piece of the text begins with it: a line is drawn before it."""
    MARKED = 2048
    """There is a remark about it, which is in `reasons`."""
    BROKE = 4096
    """With it the text ceased to be the beginning of any valid program."""


class Scale(TypedDict):
    """How a value becomes a tint: absolute bounds, outside of which the tint saturates."""

    label: str
    unit: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    kind: Literal["sequential", "diverging"]
    """Diverging is neutral at 0 and equally strong at equal distances from it."""
    reverse: bool
    """Whether low values take the strong tint (for a probability)."""
    note: str
    """What the bounds are relative to: "absolute", "relative to this trace"."""


class HoverField(TypedDict):
    """A line of the tooltip: one formatted value a token, None where there is none."""

    label: str
    values: Sequence[str | None]


class Payload(TypedDict):
    """Tokens, their values, and how to show them. Every sequence has one entry a token."""

    key: str
    """Names what is shown, such as a trace's key."""
    text: Sequence[str]
    flags: Sequence[int]
    values: Sequence[float | None]
    """In the scale's unit; None is missing. NaN is refused."""
    reasons: NotRequired[Mapping[int, str]]
    """By token index: why a value is missing, or a remark, for the tooltip."""
    scale: Scale
    hover: Sequence[HoverField]
    invisibles: bool
    """Whether spaces, tabs and line ends are drawn; what hides or reorders text always is."""
    first_position: int
    """Position of the first token in the whole sequence."""
    first_line: NotRequired[int]
    """Number of the line that begins with the first token; 1 where it is not given."""
    item: NotRequired[Literal["token", "span"]]
    """What an entry is called: a token with a position (the default), or a numbered span."""
    running: bool
    """Whether more tokens may come: shows a caret and follows the end."""


def encode(payload: Payload) -> bytes:
    """The bytes that `mount` takes. Build them once per trace and metric, and cache them.

    Raises:
        ValueError: a sequence's length differs from the number of tokens, or a value is NaN or
            infinite.

    """
    count = len(payload["text"])
    columns: dict[str, int] = {
        "flags": len(payload["flags"]),
        "values": len(payload["values"]),
        **{f"hover {field['label']!r}": len(field["values"]) for field in payload["hover"]},
    }
    for name, length in columns.items():
        if length != count:
            raise ValueError(f"{name} has {length} entries for {count} tokens; give one a token")
    # Escaped to ASCII, so that half a surrogate pair survives the journey.
    return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")
