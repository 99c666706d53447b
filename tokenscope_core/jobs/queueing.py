"""Whose turn it is: the jobs that wait for one model, in turn over those who asked for them, and
how long they are likely to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tokenscope_core.errors import QueueFullError
from tokenscope_core.jobs.job import Work

# Of those served, so many are remembered: more than wait at any time.
_REMEMBERED = 1024
# What an earlier job counts for in the pace, with every job after it.
_FADING = 0.7


class FairQueue:
    """Jobs waiting for one model; whoever uses it holds a lock.

    The next one is the oldest job of whoever was served longest ago. So the ten jobs of one visitor
    delay the first of another by one job and not by ten. Who was passed over as often as jobs wait
    counts as never served, or a stream of newcomers could hold somebody back for ever. A job that
    several wait for counts for the one of them whose turn comes first.
    """

    def __init__(self) -> None:
        self._waiting: list[Work] = []
        self._served: dict[str, int] = {}
        self._turn = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Work]:
        """In the order in which they would be taken if no more came."""
        waiting, served, turn = list(self._waiting), dict(self._served), self._turn
        while waiting:
            job = waiting.pop(_next(waiting, served, turn))
            turn += 1
            served.update(dict.fromkeys(job.subscribers, turn))
            yield job

    def append(self, job: Work) -> None:
        """Let a job wait."""
        self._waiting.append(job)

    def drop(self, unwanted: Callable[[Work], bool]) -> list[Work]:
        """Take out the jobs that nobody waits for any more."""
        dropped = [job for job in self._waiting if unwanted(job)]
        self._waiting = [job for job in self._waiting if job not in dropped]
        return dropped

    def take(self) -> Work:
        """The next job, which no longer waits.

        Raises:
            IndexError: none waits.
        """
        job = self._waiting.pop(_next(self._waiting, self._served, self._turn))
        self._turn += 1
        for subscriber in job.subscribers:
            self._served.pop(subscriber, None)
            self._served[subscriber] = self._turn
        for subscriber in list(self._served)[:-_REMEMBERED]:
            del self._served[subscriber]
        return job


class Pace:
    """How long the jobs of a model have taken, for each token they handle; recent ones count most.

    Jobs differ (reading is faster than writing), so that this says about how long and no more.
    """

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def note(self, tokens: int, seconds: float) -> None:
        """A job has been done."""
        self._tokens = _FADING * self._tokens + tokens
        self._seconds = _FADING * self._seconds + seconds

    def seconds(self, tokens: int) -> float | None:
        """About how long a job will take; None before there were any."""
        return tokens * self._seconds / self._tokens if self._tokens else None


def require_room(which: str, count: int, most: int) -> None:
    """Refuse one more run where there are as many as may be.

    Raises:
        QueueFullError: there are.
    """
    if count >= most:
        raise QueueFullError(
            asked="A run was to be queued.",
            found=f"The runs {which} are {count:,} already, as many as this server allows.",
            action="Try again when some of them have ended.",
        )


def _next(waiting: Sequence[Work], served: dict[str, int], turn: int) -> int:
    """The place of the job whose turn it is, after so many turns."""
    if not waiting:
        raise IndexError("no job waits")
    long_ago = max(0, turn - len(waiting))

    def last_served(place: int) -> int:
        turns = (served.get(name, 0) for name in waiting[place].subscribers)
        return max(long_ago, min(turns, default=0))

    return min(range(len(waiting)), key=lambda place: (last_served(place), place))
