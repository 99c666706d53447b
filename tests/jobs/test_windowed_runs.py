"""Texts longer than the context, run by the service: found again, stopped, and timed."""

from __future__ import annotations

import numpy as np
import tiny_models
from waiting import WAIT_S

import tokenscope_core as ts
from tokenscope_core.jobs.service import GenerationService

CONTEXT = tiny_models.CONTEXT
LONG = "".join(f"def f{i}(a):\n    return a + {i}\n" for i in range(60))


def test_what_fits_is_the_trace_that_is_stored_of_it(
    service: GenerationService, tiny_folder: str
) -> None:
    plain = service.submit(tiny_folder, ts.Request("x = 1\n" * 60, 0), "tab").wait(WAIT_S).trace
    again = service.submit(tiny_folder, ts.Request("x = 1\n" * 60, 0, overlap=16), "tab")
    view = again.wait(WAIT_S)
    assert view.from_store and plain is not None and view.trace is not None
    assert view.trace.key == plain.key


def test_a_text_in_windows_is_found_again_and_says_how_far_it_has_come(
    service: GenerationService, tiny_folder: str
) -> None:
    request = ts.Request(LONG, 0, overlap=16)
    view = service.submit(tiny_folder, request, "tab").wait(WAIT_S)
    assert view.trace is not None and len(view.trace.seams)
    assert view.prompt_tokens == view.prompt_length == len(view.trace)
    again = service.submit(tiny_folder, request, "tab").wait(WAIT_S)
    assert again.from_store and again.trace is not None
    np.testing.assert_array_equal(again.trace.context_length, view.trace.context_length)


def test_a_run_that_is_stopped_keeps_the_windows_it_had_read(
    service: GenerationService, tiny_folder: str
) -> None:
    many = "x = 1\n" * 20_000
    ticket = service.submit(tiny_folder, ts.Request(many, 0, overlap=16, candidates=1), "tab")
    while ticket.view().prompt_tokens < CONTEXT + 10:
        assert not ticket.view().ended
    ticket.stop()
    trace = ticket.view().trace
    assert trace is not None and trace.finish_reason == "cancelled"
    assert CONTEXT < len(trace) < len(many)
    assert not np.isnan(trace.logprob[1:]).any()
    assert trace.seams[0] == CONTEXT


def test_how_fast_a_model_reads_is_known_once_it_has_read_something_long(
    service: GenerationService, tiny_folder: str
) -> None:
    assert service.reading_speed(tiny_folder) is None
    service.submit(tiny_folder, ts.Request("x = 1", 0), "tab").wait(WAIT_S)
    assert service.reading_speed(tiny_folder) is None
    service.submit(tiny_folder, ts.Request(LONG, 0, overlap=16), "tab").wait(WAIT_S)
    speed = service.reading_speed(tiny_folder)
    assert speed is not None and 10 < speed < 10**7
