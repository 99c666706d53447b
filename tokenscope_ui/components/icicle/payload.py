"""What the icicle draws, as one block of bytes: the contract between its callers and its script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypedDict

from tokenscope_ui.components.strip.payload import Scale


class NodeFigures(TypedDict):
    """A line of the tooltip: one text a node, None where there is none."""

    label: str
    values: Sequence[str | None]


class Payload(TypedDict):
    """Nodes in preorder, the first around all others. Every sequence has one entry a node."""

    key: str
    """Names the tree: while it stays the same, so does what is zoomed into."""
    parent: Sequence[int]
    """The node above; -1 for the first."""
    left: Sequence[float]
    width: Sequence[float]
    """Where a node begins and how wide it is, in any unit."""
    label: Sequence[str]
    kind: Sequence[int]
    """What a node is, as an index of `kinds`."""
    kinds: Sequence[str]
    place: Sequence[str]
    """Where in the text it is, in a word or two."""
    values: Sequence[float | None]
    """In the scale's unit; None is missing. NaN is refused."""
    thin: Sequence[int]
    """1 where the value rests on few tokens."""
    thin_words: str
    """What that means."""
    missing_words: str
    """What it means that a value is missing."""
    scale: Scale
    figures: Sequence[NodeFigures]


def encode(payload: Payload) -> bytes:
    """The bytes that `mount` takes. Build them once per tree and metric, and cache them.

    Raises:
        ValueError: a sequence's length differs from the number of nodes, or a value is NaN or
            infinite.
    """
    count = len(payload["parent"])
    columns: dict[str, int] = {
        "left": len(payload["left"]),
        "width": len(payload["width"]),
        "label": len(payload["label"]),
        "kind": len(payload["kind"]),
        "place": len(payload["place"]),
        "values": len(payload["values"]),
        "thin": len(payload["thin"]),
        **{f"figures {line['label']!r}": len(line["values"]) for line in payload["figures"]},
    }
    for name, length in columns.items():
        if length != count:
            raise ValueError(f"{name} has {length} entries for {count} nodes; give one a node")
    # Escaped to ASCII, so that half a surrogate pair survives the journey.
    return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")
