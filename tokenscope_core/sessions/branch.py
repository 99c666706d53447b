"""One trace of a session: the recipe to compute it again, and what a person added to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenscope_core.errors import RequestError
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.request import Request
from tokenscope_core.record.trace import Trace

PALETTE_SIZE = 8
MAX_NAME, MAX_NOTE = 200, 20_000

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Branch:
    """One trace of a session: its key, the recipe to compute it again, and what a person added.

    The recipe is the `request`, of a root alone, and of any other with the `edit` that was made to
    the trace of its `parent` (a key): `BranchPlan(parent's trace, edit, request)`. A run that was
    cancelled names, as `stopped_after`, how many tokens it had. `colour` is an index into a palette
    of `PALETTE_SIZE`.

    Raises:
        RequestError: a part is malformed, the name blank or too long, or the note too long.
    """

    key: str
    request: Request
    name: str
    parent: str | None = None
    edit: Edit | None = None
    colour: int = 0
    note: str = ""
    stopped_after: int | None = None

    def __post_init__(self) -> None:
        for key in (self.key, *([] if self.parent is None else [self.parent])):
            require(_KEY.fullmatch(key), f"the key “{key[:70]}”", "Keys are 64 hexadecimal digits.")
        for text in (self.name, self.note):
            require(_is_unicode(text), "a text", "Half of a surrogate pair is no character.")
        require(
            (self.parent is None) == (self.edit is None),
            "a parent and an edit",
            "A root has neither, any other branch has both.",
        )
        require(
            self.name.strip() and len(self.name) <= MAX_NAME,
            "a name",
            f"It needs 1 to {MAX_NAME} characters, not only blanks; it has {len(self.name):,}.",
        )
        require(
            len(self.note) <= MAX_NOTE,
            "a note",
            f"It has {len(self.note):,} characters; {MAX_NOTE:,} are kept.",
        )
        require(
            0 <= self.colour < PALETTE_SIZE,
            f"the colour {self.colour}",
            f"There are {PALETTE_SIZE}, counted from 0.",
        )

    @classmethod
    def of(cls, trace: Trace, *, name: str, colour: int = 0) -> Branch:
        """The branch that a trace is."""
        parent, edit = trace.branch or (None, None)
        return cls(
            key=trace.key,
            request=trace.request,
            name=name,
            parent=parent,
            edit=edit,
            colour=colour,
            stopped_after=len(trace) if trace.finish_reason == "cancelled" else None,
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def require(holds: object, what: str, found: str) -> None:
    """Refuse a part of a session, saying why."""
    if not holds:
        raise RequestError(
            asked=f"A session was to hold {what}.", found=found, action="Choose another."
        )
