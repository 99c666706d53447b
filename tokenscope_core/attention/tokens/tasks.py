"""What one pass over a text says of its tokens, as something a service computes.

Nothing here needs torch until a model is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.attention.summaries import OfAllHeads
from tokenscope_core.attention.tokens.attenders import Attenders, KeepColumn
from tokenscope_core.attention.tokens.received import Received, ReceivedSums
from tokenscope_core.attention.tokens.records import (
    decode_attenders,
    decode_received,
    encode_attenders,
    encode_received,
)
from tokenscope_core.progress import Cancelled, Report, never, silent
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenscope_core.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedOf(OfAllHeads):
    """What each token receives from the later ones, in every head: a `Received`.

    - `layers`: which; None for all that attend. `rows`, `masked`: as in `received`.
    """

    layers: tuple[int, ...] | None = None
    rows: Rows = "all"
    masked: tuple[int, ...] = ()

    def recipe(self) -> dict[str, Any]:
        """The trace and how it is looked at."""
        return {
            "attention received": self.trace.key,
            "layers": self.layers and list(self.layers),
            "rows": self.rows,
            "masked": list(self.masked),
        }

    def run(self, lm: LanguageModel, report: Report, cancelled: Cancelled) -> Received | None:
        """As `received`; when cancelled, of the layers there are by then, or None."""
        from tokenscope_core.attention.capturing.capture import attend

        trace = self.trace
        sums = ReceivedSums(len(trace), trace.prompt_length, rows=self.rows, masked=self.masked)
        selection = Selection(layers=self.layers)
        if not attend(lm, trace, selection, [sums], report, cancelled):
            return None
        return sums.received()

    def to_bytes(self, result: Received) -> bytes:
        """The result as a record."""
        return encode_received(result)

    def from_bytes(self, blob: bytes) -> Received:
        """The result again.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return decode_received(blob)


@dataclass(frozen=True, slots=True, eq=False)
class AttendersOf(OfAllHeads):
    """Who attends to the token at `key`, in every head: an `Attenders`."""

    key: int
    layers: tuple[int, ...] | None = None

    def recipe(self) -> dict[str, Any]:
        """The trace and the token."""
        return {
            "attention to one token": self.trace.key,
            "key": self.key,
            "layers": self.layers and list(self.layers),
        }

    def run(self, lm: LanguageModel, report: Report, cancelled: Cancelled) -> Attenders | None:
        """As `attenders`; when cancelled, of the layers there are by then, or None."""
        from tokenscope_core.attention.capturing.capture import attend

        column = KeepColumn(self.key, len(self.trace))
        selection = Selection(layers=self.layers)
        if not attend(lm, self.trace, selection, [column], report, cancelled):
            return None
        return column.attenders()

    def to_bytes(self, result: Attenders) -> bytes:
        """The result as a record."""
        return encode_attenders(result)

    def from_bytes(self, blob: bytes) -> Attenders:
        """The result again.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return decode_attenders(blob)


def received(
    lm: LanguageModel,
    trace: Trace,
    *,
    layers: Sequence[int] | None = None,
    rows: Rows = "all",
    masked: Sequence[int] = (),
    progress: Report | None = None,
) -> Received:
    """How much attention every token receives from the later ones, in every head, in one pass.

    Args:
        lm: the model that the trace came from.
        trace: any trace of it.
        layers: which, ascending; None for all that attend.
        rows: which rows count: all, or those that generated tokens were predicted from.
        masked: positions to take out of every row, its weight shared among the rest.
        progress: is told after each layer how many are done, and of how many.

    Raises:
        RequestError: the trace is another model's, there is no such layer or position.
        CapabilityError: the model gives no attention.
    """
    chosen = None if layers is None else tuple(layers)
    found = ReceivedOf(trace, chosen, rows, tuple(masked)).run(lm, progress or silent, never)
    assert found is not None, "nobody cancels"
    return found


def attenders(
    lm: LanguageModel,
    trace: Trace,
    key: int,
    *,
    layers: Sequence[int] | None = None,
    progress: Report | None = None,
) -> Attenders:
    """Which later tokens attend to the token at a position, in every head, in one pass.

    Args:
        lm: the model that the trace came from.
        trace: any trace of it.
        key: position of the token.
        layers: which, ascending; None for all that attend.
        progress: as in `received`.

    Raises: as `received`.
    """
    chosen = None if layers is None else tuple(layers)
    found = AttendersOf(trace, key, chosen).run(lm, progress or silent, never)
    assert found is not None, "nobody cancels"
    return found
