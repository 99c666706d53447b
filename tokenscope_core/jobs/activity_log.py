"""What a server has done since it began: counts for its operator, and a line in its log each.

Nothing of what people write is in either: no prompt, no token, no whole name of a trace.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Literal, get_args

from tokenscope_core.jobs.job import Work

Outcome = Literal["from store", "joined", "done", "stopped", "failed", "refused"]
"""What became of something asked for: answered from the store, an equal one in progress joined,
or its own run done, stopped or failed; refused where the queue was full."""

_LOG = logging.getLogger("tokenscope_core.activity")
_SHOWN_OF_A_NAME = 8


class Activity:
    """Counts by outcome. Safe to use from several threads."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._counts: Counter[Outcome] = Counter()

    def counts(self) -> Mapping[Outcome, int]:
        """How often each outcome came about."""
        with self._lock:
            return {outcome: self._counts[outcome] for outcome in get_args(Outcome)}

    def note(self, outcome: Outcome, work: Work, seconds: float | None = None) -> None:
        """Count an outcome, and log it with what it was about and how long it took."""
        with self._lock:
            self._counts[outcome] += 1
        about: dict[str, object] = {
            "outcome": outcome,
            "job": work.job_id[:_SHOWN_OF_A_NAME],
            "kind": type(work).__name__,
            "model": work.model.label,
            "tokens": work.tokens,
        }
        if work.error is not None:
            about["error"] = type(work.error).__name__
        if seconds is not None:
            about["seconds"] = round(seconds, 3)
        _LOG.info("%s", outcome, extra={"about": about})


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what a message is about."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, without the text of an exception, which may quote a prompt."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "about", {})
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The record in one line."""
        about = getattr(record, "about", {})
        figures = " ".join(f"{k}={v}" for k, v in about.items() if k != "outcome")
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        return f"{moment} {record.levelname} {record.getMessage()} {figures}".rstrip()


def log_to_stderr(*, as_json: bool) -> None:
    """Send what the library and its pages log to standard error; again is no different."""
    for name in ("tokenscope_core", "tokenscope_ui"):
        logger = logging.getLogger(name)
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines() if as_json else TextLines())
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
