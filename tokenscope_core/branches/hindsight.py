"""Hindsight: which other token the model, knowing the rest, would rather have seen.

Before a token the model sees what stands to its left; a program that goes on as if another token
stood there says more. For a token y at a position and an alternative a,

    choice   = ln p(a | left) - ln p(y | left)
    rest     = ln p(rest | left, a) - ln p(rest | left, y)
    log-odds = choice + rest

By Bayes' rule the sum is ln p(a | left, rest) - ln p(y | left, rest): exact for a rest that ends
at the horizon. The alternatives are candidates of the record, by raw probability; the rest is as
written. `influence` is the special case of the runner-up and all of the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenscope_core.branches.exchanges import Exchange
from tokenscope_core.branches.plans import other_candidates
from tokenscope_core.branches.prefilter import askable, surprising
from tokenscope_core.errors import RequestError
from tokenscope_core.progress import Cancelled, Report, never, silent
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units
from tokenscope_core.syntax.judging.validity import breaking_candidates
from tokenscope_core.syntax.program import Program

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

DEFAULT_TOP, DEFAULT_HORIZON = 4, 32
# After so many tokens of the rest, what lies lower than so many nats is not read further.
GIVE_UP_AFTER: tuple[int, ...] = (8, 16)
DEFAULT_GIVE_UP = -2.0
BREAKS, ALLOWED, NOT_JUDGED = 1, 0, -1
Verdicts = NDArray[np.int8]

Wanted = Sequence[int] | Literal["all"] | None


@dataclass(frozen=True, slots=True, eq=False)
class Hindsight:
    """What hindsight says of some positions of a trace, a row for each alternative.

    Arrays [N], by position and then by the alternative's probability:

    - `position`, `token_id`, `alternative_id`: int64.
    - `choice`, float64 nats: ln p(alternative | left) - ln p(token | left).
    - `rest`, float64 nats: the same of the rest up to the horizon; NaN where it was given up.
    - `read`, int64: how many tokens of the rest were read.
    - `at_most`, float64 nats: a bound of the log-odds: themselves where the rest was read, and
      where it was given up what they would be if all that was not read became certain.
    - `breaks`, int8: whether the alternative would break the code's syntax: 1, 0, or -1 where that
      was not judged.

    `asked`, int64 [P], are the positions that were computed, ascending; `askable` is how many of
    the trace could have been: those with another candidate and a rest. `top`, `horizon` and
    `give_up` are as of the function; `partial` says that it was stopped before its end.
    """

    position: Ints
    token_id: Ints
    alternative_id: Ints
    choice: Floats
    rest: Floats
    read: Ints
    at_most: Floats
    breaks: Verdicts
    asked: Ints
    askable: int
    top: int
    horizon: int
    give_up: float | None
    partial: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(array := getattr(self, field.name), np.ndarray):
                array.flags.writeable = False

    @property
    def log_odds(self) -> Floats:
        """choice + rest, nats, float64 [N]; NaN where the rest was given up."""
        return self.choice + self.rest

    @property
    def given_up(self) -> Ints:
        """The rows of which the rest was given up, int64 [n], ascending."""
        return np.flatnonzero(np.isnan(self.rest))

    @property
    def skipped(self) -> float:
        """The share of the positions that could have been asked and were not, 0 to 1."""
        return 1.0 - len(self.asked) / self.askable if self.askable else 0.0

    def frame(self) -> pd.DataFrame:
        """One row a position and alternative.

        Columns: `position`, `token_id`, `alternative_id`, `choice`, `rest`, `log_odds` and
        `at_most` (nats), `read` (tokens of the rest), `given_up`, `breaks` (missing where the
        syntax was not judged).
        """
        judged = pd.arrays.BooleanArray(self.breaks == BREAKS, mask=self.breaks == NOT_JUDGED)
        frame = pd.DataFrame(
            {
                "position": self.position,
                "token_id": self.token_id,
                "alternative_id": self.alternative_id,
                "choice": self.choice,
                "rest": self.rest,
                "log_odds": self.log_odds,
                "at_most": self.at_most,
                "read": self.read,
                "given_up": np.isnan(self.rest),
                "breaks": judged,
            }
        )
        return with_units(frame)

    def best(self, length: int) -> Floats:
        """The largest log-odds at each position of a trace, nats, float64 [length]; NaN where none
        was computed, or all were given up."""
        best = np.full(length, -np.inf)
        known = ~np.isnan(self.rest)
        np.maximum.at(best, self.position[known], self.log_odds[known])
        return np.where(np.isinf(best), np.nan, best)


def hindsight(
    lm: LanguageModel,
    trace: Trace,
    positions: Wanted = None,
    top: int = DEFAULT_TOP,
    horizon: int = DEFAULT_HORIZON,
    *,
    give_up: float | None = DEFAULT_GIVE_UP,
    prose: bool = False,
    language: str | None = None,
    progress: Report = silent,
    cancelled: Cancelled = never,
) -> Hindsight:
    """Which other tokens the model, knowing the rest, would rather have seen.

    Args:
        lm: the model that the trace came from.
        trace: any: prompt, generated and scored tokens alike. Of a text read in windows, the rest
            ends with the window.
        positions: which to compute, `"all"`, or by default those whose surprisal exceeds their
            entropy by a nat, outside definition names, docstrings and comments;
            `Hindsight.skipped` says how many that leaves out.
        top: how many alternatives a position; fewer where fewer were recorded.
        horizon: how many tokens of the rest to read.
        give_up: an alternative whose log-odds after 8 or 16 tokens of the rest lie below this, in
            nats, is not read further; None reads all to the horizon.
        prose: whether definition names, docstrings and comments are among the default positions.
        language: of the trace's text; None takes its own, see `language_of`.
        progress: told how many alternatives are computed, and of how many.
        cancelled: asked after each pass whether to stop; what there is by then is the result.

    Raises:
        RequestError: the model is another one, a position lies outside the trace, or `top` or
            `horizon` is not positive.
        ModelError: what the model says after an alternative is not a number.
    """
    from tokenscope_core.branches.rescoring import Rescorer

    _require_positive(top, "alternatives a position")
    _require_positive(horizon, "tokens of the rest")
    program = Program.of(trace, language)
    wanted = asked(program, positions, prose=prose)
    exchanges = [
        Exchange(position, other)
        for position in wanted
        for other in other_candidates(trace, position)[:top]
    ]
    recorded = trace.logprob
    choices = [_choice(trace, e.position, e.token_id) for e in exchanges]

    def change(number: int, after: Floats) -> float:
        start = exchanges[number].position + 1
        return float((after - recorded[start : start + len(after)]).sum())

    def goes_on(number: int, after: Floats) -> bool:
        return give_up is None or choices[number] + change(number, after) >= give_up

    rescorer = Rescorer(lm, trace, horizon=horizon, stops=GIVE_UP_AFTER, goes_on=goes_on)
    found: dict[int, Floats] = {}
    progress(0, len(exchanges))
    stopped = False
    for number, after in rescorer.read(exchanges):
        found[number] = after
        progress(len(found), len(exchanges))
        stopped = cancelled()
        if stopped:
            break
    order = sorted(found, key=lambda number: exchanges[number].position)
    ends = [rescorer.rest_end(exchanges[number].position) for number in order]
    changes = np.array([change(number, found[number]) for number in order])
    read = np.array([len(found[number]) for number in order], dtype=np.int64)
    position = np.array([exchanges[number].position for number in order], dtype=np.int64)
    unread = np.array(
        [
            -recorded[start + count : end].sum()
            for start, count, end in zip(position + 1, read, ends, strict=True)
        ]
    )
    given_up = position + 1 + read < np.array(ends, dtype=np.int64)
    choice = np.array([choices[number] for number in order])
    alternative = np.array([exchanges[number].token_id for number in order], dtype=np.int64)
    return Hindsight(
        position=position,
        token_id=trace.token_ids[position],
        alternative_id=alternative,
        choice=choice,
        rest=np.where(given_up, np.nan, changes),
        read=read,
        at_most=choice + changes + unread,
        breaks=_breaks(program, position, alternative),
        asked=np.unique(position),
        askable=len(askable(trace)),
        top=top,
        horizon=horizon,
        give_up=give_up,
        partial=stopped and len(found) < len(exchanges),
    )


def asked(program: Program, positions: Wanted = None, *, prose: bool = False) -> list[int]:
    """The positions that `hindsight` computes, in its order: the given ones, or the most
    surprising first.

    Raises:
        RequestError: a position lies outside the trace.
    """
    trace = program.trace
    if positions is None:
        return surprising(program, prose=prose)
    can = askable(trace)
    if isinstance(positions, str):
        return can
    require_positions(trace, positions, "hindsight")
    known = set(can)
    return [position for position in positions if position in known]


def require_positions(trace: Trace, positions: Sequence[int], what: str) -> None:
    """Refuse positions outside a trace.

    Raises:
        RequestError: there is one.
    """
    for position in positions:
        if not 0 <= position < len(trace):
            raise RequestError(
                asked=f"The {what} of position {position:,} was asked for.",
                found=f"The trace has {len(trace):,} tokens.",
                action=f"Choose positions up to {len(trace) - 1:,}.",
            )


def _require_positive(value: int, of: str) -> None:
    if value < 1:
        raise RequestError(
            asked=f"Hindsight was asked for with {value} {of}.",
            found="There has to be at least one.",
            action="Ask for 1 or more.",
        )


def _choice(trace: Trace, position: int, token_id: int) -> float:
    """ln p(token | left) - ln p(the one taken | left), nats, of a recorded candidate."""
    column = int(np.flatnonzero(trace.candidate_ids[position] == token_id)[0])
    return float(trace.candidate_logprobs[position, column] - trace.logprob[position])


def _breaks(program: Program, positions: Ints, alternatives: Ints) -> Verdicts:
    """Whether each alternative would break the syntax, int8 [N]."""
    found = np.full(len(positions), NOT_JUDGED, dtype=np.int8)
    for position in np.unique(positions).tolist():
        verdicts = breaking_candidates(program, position)
        ids = program.trace.candidate_ids[position].tolist()
        for row in np.flatnonzero(positions == position):
            verdict = verdicts[ids.index(int(alternatives[row]))]
            if verdict is not None:
                found[row] = BREAKS if verdict else ALLOWED
    return found
