"""Attention as something a service computes in the background: values that name the task.

Nothing here needs torch until a model is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenscope_core.attention.capturing.estimate import Heads, require_rollout_room, require_room
from tokenscope_core.attention.capturing.maps import AttentionMap, Rollout, TopAttention
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.attention.records import (
    decode_map,
    decode_rollout,
    decode_top,
    encode_map,
    encode_rollout,
    encode_top,
)
from tokenscope_core.models.files.facts import ModelFacts
from tokenscope_core.progress import Cancelled, Report
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True, eq=False)
class OfTrace:
    """Something of a trace that the model has to read again."""

    trace: Trace

    @property
    def tokens(self) -> int:
        """The text."""
        return len(self.trace)


@dataclass(frozen=True, slots=True, eq=False)
class AttentionOf(OfTrace):
    """The attention of a trace as a selection asks: an `AttentionMap`, or a `TopAttention` where
    it asks for the largest weights alone."""

    selection: Selection

    def recipe(self) -> dict[str, Any]:
        """The trace and the selection."""
        return {"attention": self.trace.key, "selection": self.selection.recipe()}

    def run(
        self, lm: LanguageModel, report: Report, cancelled: Cancelled
    ) -> AttentionMap | TopAttention | None:
        """As `attention` or `top_attention`; when cancelled, of the layers there are by then."""
        from tokenscope_core.attention.capturing.capture import captured, captured_top

        compute = captured_top if self.selection.top else captured
        return compute(lm, self.trace, self.selection, report, cancelled)

    def require_room(self, facts: ModelFacts, present: int) -> None:
        """As `Bounded.require_room`, where the model's configuration says how much attends.

        Raises:
            SelectionTooLargeError: with a smaller selection, where one fits.
        """
        if (heads := Heads.of(facts)) is not None:
            require_room(heads, len(self.trace), self.selection, present)

    def to_bytes(self, result: AttentionMap | TopAttention) -> bytes:
        """The result as a record, in half precision."""
        return encode_top(result) if isinstance(result, TopAttention) else encode_map(result)

    def from_bytes(self, blob: bytes) -> AttentionMap | TopAttention:
        """The result again.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return decode_top(blob) if self.selection.top else decode_map(blob)


@dataclass(frozen=True, slots=True, eq=False)
class RolloutOf(OfTrace):
    """Attention rolled out through the layers of a model: a `Rollout`."""

    up_to: int | None = None

    def recipe(self) -> dict[str, Any]:
        """The trace and the last layer."""
        return {"rollout": self.trace.key, "up to": self.up_to}

    def run(self, lm: LanguageModel, report: Report, cancelled: Cancelled) -> Rollout | None:
        """As `rollout`; when cancelled, through the layers there are by then."""
        from tokenscope_core.attention.capturing.rollout import rolled_out

        return rolled_out(lm, self.trace, self.up_to, report, cancelled)

    def require_room(self, facts: ModelFacts, present: int) -> None:
        """As `Bounded.require_room`, where the model's configuration says how much attends.

        Raises:
            SelectionTooLargeError: it takes more.
        """
        if (heads := Heads.of(facts)) is not None:
            require_rollout_room(heads, len(self.trace), present)

    def to_bytes(self, result: Rollout) -> bytes:
        """The result as a record, in half precision."""
        return encode_rollout(result)

    def from_bytes(self, blob: bytes) -> Rollout:
        """The result again.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return decode_rollout(blob)
