"""What the operator of a server is told: counts, figures, log lines without what people wrote."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from waiting import WAIT_S

from tokenscope_core import Request
from tokenscope_core.decoding import request_run as decoding
from tokenscope_core.jobs import activity_log as activity
from tokenscope_core.jobs.server_figures import ServerFigures
from tokenscope_core.jobs.service import GenerationService

SECRET = "the prompt of somebody"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(activity.JsonLines())
    logger = logging.getLogger("tokenscope_core")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield written
    logger.removeHandler(handler)


def test_what_was_asked_for_is_counted_by_what_became_of_it(
    service: GenerationService, tiny_folder: str
) -> None:
    for _ in range(3):
        service.submit(tiny_folder, Request("x = 1", max_new_tokens=3), "tab").wait(WAIT_S)
    service.close()  # its thread has counted by then
    figures = ServerFigures.of(service)
    assert figures.outcomes["done"] == 1
    assert figures.outcomes["from store"] == 2
    assert figures.hit_rate == pytest.approx(2 / 3)
    usage = {use.name: use for use in service.store.usage()}
    assert usage["traces"].records == 1
    assert 0 < usage["traces"].bytes < (usage["traces"].limit or 0)
    assert usage["sessions"].limit is None
    assert [queue.waiting for queue in figures.queues] == [0]
    assert figures.own_bytes > 10**7


def test_a_line_is_written_for_each_and_says_nothing_of_what_was_asked(
    service: GenerationService, tiny_folder: str, log: io.StringIO
) -> None:
    key = None
    for _ in range(2):
        trace = (
            service.submit(tiny_folder, Request(SECRET, max_new_tokens=3), "tab").wait(WAIT_S).trace
        )
        assert trace is not None
        key = trace.key
    service.close()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["outcome"] for line in lines} == {"done", "from store"}
    assert all(line["model"] and line["tokens"] > 0 for line in lines)
    assert SECRET not in log.getvalue()
    assert str(key) not in log.getvalue()


def test_a_bug_is_logged_with_its_place_and_not_with_what_it_quotes(
    service: GenerationService,
    tiny_folder: str,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> object:
        raise ValueError(f"cannot read {SECRET}")

    monkeypatch.setattr(decoding, "prompt_ids", fails)
    view = service.submit(tiny_folder, Request(SECRET, max_new_tokens=3), "tab").wait(WAIT_S)
    assert view.phase == "failed"
    service.close()
    assert "ValueError at" in log.getvalue()
    assert SECRET not in log.getvalue()


def test_lines_for_people_hold_the_same_figures() -> None:
    record = logging.LogRecord("tokenscope_core", logging.INFO, "", 0, "done", None, None)
    record.about = {"outcome": "done", "model": "m", "seconds": 1.5}
    assert activity.TextLines().format(record).endswith("INFO done model=m seconds=1.5")
