"""What can be computed about finished traces with the model at hand: values that name the task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tokenscope_core.branches.exchanges import AT_ONCE
from tokenscope_core.branches.hindsight import (
    DEFAULT_GIVE_UP,
    DEFAULT_HORIZON,
    DEFAULT_TOP,
    GIVE_UP_AFTER,
    Hindsight,
    Wanted,
    hindsight,
)
from tokenscope_core.branches.influence import Effect, Influence, effects
from tokenscope_core.branches.prefilter import LEAST_TYPICALITY, PROSE
from tokenscope_core.comparison.comparison import DEFAULT_THRESHOLD, Comparison, compare
from tokenscope_core.jobs.analysis_records import (
    decode_comparison,
    decode_hindsight,
    decode_influence,
    encode_comparison,
    encode_hindsight,
    encode_influence,
)
from tokenscope_core.progress import Report
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models.files.facts import ModelFacts
    from tokenscope_core.models.language_model import LanguageModel


class Analysis(Protocol):
    """Something to compute about traces."""

    def recipe(self) -> dict[str, Any]:
        """What names it, as plain JSON values."""

    @property
    def tokens(self) -> int:
        """About how many tokens the model holds in memory for it."""

    def run(self, lm: LanguageModel, report: Report, cancelled: Callable[[], bool]) -> Any:
        """Compute it; when cancelled, as much of it as there is by then, or None."""


@runtime_checkable
class StoredAnalysis(Protocol):
    """An analysis whose result, once it is whole, the store keeps under its `key_of`."""

    def to_bytes(self, result: Any) -> bytes:
        """The result as a record.

        Raises:
            RecordError: it is too large to be kept.
        """

    def from_bytes(self, blob: bytes) -> Any:
        """The result again.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """


@runtime_checkable
class Bounded(Protocol):
    """An analysis that can take more memory than there is, whatever the model."""

    def require_room(self, facts: ModelFacts, present: int) -> None:
        """Refuse what takes more than `present` bytes on a model of such facts.

        Raises:
            RequestError: it does.
        """


def key_of(analysis: Analysis) -> str:
    """Names an analysis (SHA-256, hex). The keys of its traces, which it holds, name the model."""
    named = json.dumps(analysis.recipe(), sort_keys=True)
    return hashlib.sha256(named.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class InfluenceOf:
    """What each generated token's runner-up would do to the rest: an `Influence`."""

    trace: Trace

    def recipe(self) -> dict[str, Any]:
        """The trace."""
        return {"influence": self.trace.key}

    @property
    def tokens(self) -> int:
        """The text, and what is read again of it."""
        return 2 * len(self.trace)

    def run(self, lm: LanguageModel, report: Report, cancelled: Callable[[], bool]) -> Influence:
        """As `influence`; when cancelled, of the positions there are by then."""
        first = self.trace.prompt_length
        total = max(0, len(self.trace) - 1 - first)
        found: list[Effect] = []
        report(0, total)
        for effect in effects(lm, self.trace):
            found.append(effect)
            report(effect.position - first + 1, total)
            if cancelled():
                break
        return Influence.of(self.trace, found)

    def to_bytes(self, result: Influence) -> bytes:
        """As `StoredAnalysis.to_bytes`."""
        return encode_influence(result)

    def from_bytes(self, blob: bytes) -> Influence:
        """As `StoredAnalysis.from_bytes`."""
        return decode_influence(blob, self.trace)


@dataclass(frozen=True, slots=True, eq=False)
class HindsightOf:
    """Which other tokens the model, knowing the rest, would rather have seen: a `Hindsight`.

    `everywhere`: at all positions, definition names, docstrings and comments among them.
    """

    trace: Trace
    everywhere: bool = False

    def recipe(self) -> dict[str, Any]:
        """The trace, and how it is looked at."""
        return {
            "hindsight": self.trace.key,
            "positions": "all" if self.everywhere else [LEAST_TYPICALITY, sorted(PROSE)],
            "settings": [DEFAULT_TOP, DEFAULT_HORIZON, *GIVE_UP_AFTER, DEFAULT_GIVE_UP],
        }

    @property
    def tokens(self) -> int:
        """The text, and what is read of its rest at once."""
        return len(self.trace) + AT_ONCE

    def run(self, lm: LanguageModel, report: Report, cancelled: Callable[[], bool]) -> Hindsight:
        """As `hindsight`; when cancelled, of the positions there are by then."""
        positions: Wanted = "all" if self.everywhere else None
        return hindsight(lm, self.trace, positions, progress=report, cancelled=cancelled)

    def to_bytes(self, result: Hindsight) -> bytes:
        """As `StoredAnalysis.to_bytes`."""
        return encode_hindsight(result)

    def from_bytes(self, blob: bytes) -> Hindsight:
        """As `StoredAnalysis.from_bytes`."""
        return decode_hindsight(blob, self.trace)


@dataclass(frozen=True, slots=True, eq=False)
class BranchComparison:
    """How far the model's distributions moved from one branch to another: a `Comparison`."""

    a: Trace
    b: Trace
    threshold: float = DEFAULT_THRESHOLD

    def recipe(self) -> dict[str, Any]:
        """Both traces."""
        return {"comparison": [self.a.key, self.b.key], "threshold": self.threshold}

    @property
    def tokens(self) -> int:
        """Both texts."""
        return len(self.a) + len(self.b)

    def run(self, lm: LanguageModel, report: Report, cancelled: Callable[[], bool]) -> Comparison:
        """As `compare` with a model."""
        return compare(
            self.a, self.b, lm, threshold=self.threshold, progress=report, cancelled=cancelled
        )

    def to_bytes(self, result: Comparison) -> bytes:
        """As `StoredAnalysis.to_bytes`."""
        return encode_comparison(result)

    def from_bytes(self, blob: bytes) -> Comparison:
        """As `StoredAnalysis.from_bytes`."""
        return decode_comparison(blob, self.a, self.b, self.threshold)
