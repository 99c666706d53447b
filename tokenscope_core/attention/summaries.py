"""What one pass over a text says about all heads, as something a service computes.

Nothing here needs torch until a model is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenscope_core.attention.capture_tasks import OfTrace
from tokenscope_core.attention.capturing.estimate import Heads, rollout_cost
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.attention.flow.flow import Flow, Level
from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.attention.summary_records import (
    decode_flow,
    decode_overview,
    encode_flow,
    encode_overview,
)
from tokenscope_core.errors import SelectionTooLargeError
from tokenscope_core.models.files.facts import ModelFacts
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.progress import Cancelled, Report

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


class OfAllHeads(OfTrace):
    """What folds one layer after the other."""

    __slots__ = ()

    def require_room(self, facts: ModelFacts, present: int) -> None:
        """As `Bounded.require_room`, where the model's configuration says how much attends.

        Raises:
            SelectionTooLargeError: a layer of it does not fit.
        """
        heads = Heads.of(facts)
        if heads is None:
            return
        # A layer, and what is kept for each pair of positions: less than a rollout's two matrices.
        needed = rollout_cost(heads, self.tokens).peak
        if needed > present:
            raise SelectionTooLargeError(
                asked=f"All heads were to be measured on a text of {self.tokens:,} tokens.",
                found=f"A layer takes about {size_text(needed)}, and {size_text(present)} are "
                "there.",
                action="Choose a shorter text, or look at some heads or rows alone.",
                needed=needed,
                present=present,
                suggestion=None,
            )


@dataclass(frozen=True, slots=True, eq=False)
class OverviewOf(OfAllHeads):
    """All heads on a trace: a `HeadOverview`.

    - `masked`: positions to take out of every row, such as `HeadOverview.sinks.positions`.
    - `rows`: which count in the statistics.
    - `language`: of the syntax; None takes the trace's own, and where that is unknown leaves what
      needs syntax missing.
    """

    masked: tuple[int, ...] = ()
    rows: Rows = "all"
    language: str | None = None

    def recipe(self) -> dict[str, Any]:
        """The trace and how it is looked at."""
        return {
            "head overview": self.trace.key,
            "masked": list(self.masked),
            "rows": self.rows,
            "language": self.language,
        }

    def run(self, lm: LanguageModel, report: Report, cancelled: Cancelled) -> HeadOverview | None:
        """As `head_overview`; when cancelled, of the layers there are by then, or None."""
        from tokenscope_core.attention.capturing.capture import attend
        from tokenscope_core.attention.heads.measuring import HeadMeasuring
        from tokenscope_core.attention.heads.token_locations import Places

        places = Places.of(self.trace, self.language)
        measuring = HeadMeasuring(places, rows=self.rows, masked=self.masked)
        if not attend(lm, self.trace, Selection(), [measuring], report, cancelled):
            return None
        return measuring.overview()

    def to_bytes(self, result: HeadOverview) -> bytes:
        """The result as a record."""
        return encode_overview(result)

    def from_bytes(self, blob: bytes) -> HeadOverview:
        """The result again.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return decode_overview(blob)


@dataclass(frozen=True, slots=True, eq=False)
class FlowOf(OfAllHeads):
    """Attention between the parts of a trace, mean over layers and heads: a `Flow`.

    - `by`: what a part is; `whole_tokens`: as in `parts.parts_of`.
    - `layers`, `heads`: which the mean is over; None for all.
    - `masked`, `rows`: as in `OverviewOf`. `language`: of the syntax; None for the trace's own.
    """

    by: Level = "category"
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    masked: tuple[int, ...] = ()
    rows: Rows = "all"
    whole_tokens: bool = True
    language: str | None = None

    def recipe(self) -> dict[str, Any]:
        """The trace and how it is looked at."""
        return {
            "attention flow": self.trace.key,
            "by": self.by,
            "layers": self.layers and list(self.layers),
            "heads": self.heads and list(self.heads),
            "masked": list(self.masked),
            "rows": self.rows,
            "whole tokens": self.whole_tokens,
            "language": self.language,
        }

    def run(self, lm: LanguageModel, report: Report, cancelled: Cancelled) -> Flow | None:
        """As `attention_flow`; when cancelled, of the layers there are by then, or None."""
        from tokenscope_core.attention.capturing.capture import attend
        from tokenscope_core.attention.flow.sums import FlowSums
        from tokenscope_core.syntax.folding.frames import analyse

        sums = FlowSums(
            analyse(self.trace, self.language),
            self.by,
            rows=self.rows,
            masked=self.masked,
            whole_tokens=self.whole_tokens,
        )
        selection = Selection(layers=self.layers, heads=self.heads)
        if not attend(lm, self.trace, selection, [sums], report, cancelled):
            return None
        return sums.flow(heads=self.heads)

    def to_bytes(self, result: Flow) -> bytes:
        """The result as a record."""
        return encode_flow(result)

    def from_bytes(self, blob: bytes) -> Flow:
        """The result again.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return decode_flow(blob)
