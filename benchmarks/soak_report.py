"""What a soak found, and whether it was good enough."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field

_FLAT = 0.02
_SHOWN_ERRORS = 20


@dataclass
class Report:
    """What happened to all visitors within so many `seconds`.

    `memory` holds moments in seconds and the server's resident bytes then.
    """

    seconds: float
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    lost: int = 0
    run_seconds: list[float] = field(default_factory=list)
    stop_seconds: list[float] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    server_share: float = 0.0

    def forget(self) -> None:
        """Count from now on; errors and lost runs stay."""
        self.done.clear()
        self.run_seconds.clear()

    @property
    def rise(self) -> float:
        """By what share of itself memory rises over the second half, on the straight line that fits
        it best; infinite where nothing was measured."""
        late = [(moment, held) for moment, held in self.memory if moment >= self.seconds / 2]
        if len(late) < 2:
            return float("inf")
        moments, sizes = [moment for moment, _ in late], [float(held) for _, held in late]
        slope = statistics.linear_regression(moments, sizes).slope
        return slope * (moments[-1] - moments[0]) / statistics.fmean(sizes)

    @property
    def flat(self) -> bool:
        """Whether memory stays as it is once everything has been used."""
        return self.rise <= _FLAT

    @property
    def passed(self) -> bool:
        """Whether there was nothing wrong."""
        return self.flat and not self.errors and not self.lost

    def __str__(self) -> str:
        done = ", ".join(f"{count} x {action}" for action, count in sorted(self.done.items()))
        return "\n".join(
            [
                f"done: {done}",
                f"runs that ended: {_times(self.run_seconds)}; lost: {self.lost}",
                f"runs that were stopped: {_times(self.stop_seconds)}",
                f"the server used {100 * self.server_share:.0f} % of a core",
                *self._memory_lines(),
                f"errors: {len(self.errors)}",
                *(f"  {error}" for error in self.errors[:_SHOWN_ERRORS]),
                "passed" if self.passed else "not passed",
            ]
        )

    def _memory_lines(self) -> list[str]:
        lines = []
        for share in (0.0, 0.25, 0.5, 0.75, 1.0) if self.memory else ():
            moment, held = min(self.memory, key=lambda m: abs(m[0] - share * self.seconds))
            lines.append(f"memory after {moment:4.0f} s: {held / 1e6:,.0f} MB")
        verdict = "flat" if self.flat else "not flat"
        lines.append(f"rise over the second half: {100 * self.rise:+.1f} % ({verdict})")
        return lines


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "0"
    return (
        f"{len(seconds)}, median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s"
    )
