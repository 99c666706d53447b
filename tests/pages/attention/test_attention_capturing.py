"""What the page does to have attention: unasked, on request, from the store, in part, or not."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import tiny_models
from attention_screen import (
    CAPTURE,
    PROMPT,
    settled,
)
from made_traces import made
from waiting import WAIT_S

import tokenscope_core as ts
from tokenscope_core.attention.capture_tasks import AttentionOf
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_ui.server.server import service

App = Any


def unload(page: App, folder: str) -> None:
    """Take the model out of memory; a run is told to have ended a moment before it is idle."""

    def gone() -> bool:
        try:
            return service().unload(folder)
        except ts.ModelError:
            return False

    page.until(gone)


def test_without_a_trace_the_page_says_how_to_begin(page: App) -> None:
    page.open()
    assert "Nothing to look at yet" in page.texts


def test_a_small_capture_of_a_loaded_model_begins_unasked(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key)
    settled(page, "sink masked")
    assert "Layer 1, mean of heads" in page.texts
    assert "Pick a token on the code" in page.texts


def test_a_model_out_of_memory_is_loaded_on_request_only(
    page: App, trace: ts.Trace, tiny_folder: str
) -> None:
    unload(page, tiny_folder)
    page.open(run=trace.key, view="token", layer="1")
    assert "The model is not in memory" in page.texts
    assert CAPTURE in page.buttons
    page.press(CAPTURE)
    settled(page, "sink shown")


def test_what_was_captured_once_needs_no_model(
    page: App, trace: ts.Trace, tiny_folder: str
) -> None:
    analysis = AttentionOf(trace, Selection(layers=(0,)))
    assert service().analyse(tiny_folder, analysis, "someone").wait(60.0).result is not None
    unload(page, tiny_folder)
    page.open(run=trace.key, view="token", layer="0")
    settled(page, "sink shown")
    assert service().loaded_model(tiny_folder) is None


def test_without_its_model_the_page_says_what_it_takes(page: App) -> None:
    trace = made(["def", " f", "()", ":", "👋", "</script>"], prompt_length=2)
    service().store.put(trace)
    page.open(run=trace.key, token="3")
    assert "not on this machine" in page.texts
    assert "TOKENSCOPE_MODELS" in page.texts


def test_another_version_of_the_model_is_refused(page: App, trace: ts.Trace) -> None:
    other = replace(trace, model=replace(trace.model, fingerprint="f" * 64))
    service().store.put(other)
    page.open(run=other.key)
    assert "another version of it" in page.texts
    assert CAPTURE not in page.buttons


def test_a_long_text_of_a_missing_model_is_drawn(page: App) -> None:
    trace = made(["def"] + [f" x{i % 50}" for i in range(4999)], prompt_length=10)
    service().store.put(trace)
    page.open(run=trace.key, view="token", token="4999")
    assert "not on this machine" in page.texts


def test_a_capture_can_be_stopped_and_taken_up_again(
    page: App, trace: ts.Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Event()

    def endless(self: AttentionOf, lm: Any, report: Any, cancelled: Any) -> None:
        report(0, 1)
        begun.set()
        while not cancelled():
            time.sleep(0.01)

    with monkeypatch.context() as patch:
        patch.setattr(AttentionOf, "run", endless)
        page.open(run=trace.key, view="token", layer="1")
        assert begun.wait(WAIT_S)
        page.run().press("Stop")
        assert "Stopped" in page.texts
    page.press("Capture the rest")
    settled(page, "sink shown")


@pytest.mark.parametrize(("head", "offered"), [("mean", "head 0"), ("2", "head 2")])
def test_what_does_not_fit_is_refused_with_less_as_buttons(
    page: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch, head: str, offered: str
) -> None:
    request = ts.Request(PROMPT * 20, max_new_tokens=0)
    trace = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert trace is not None
    # All four heads are too much; one of them fits, and so do 64 rows.
    limits = replace(service().limits, capture_mb=0.6)
    monkeypatch.setattr(service(), "limits", limits)
    page.open(run=trace.key, view="token", layer="1", token="150", head=head)
    assert "too much at once" in page.texts
    less = [button for button in page.buttons if button.startswith("Capture layer 1")]
    assert any(offered in button for button in less)
    assert any("rows" in button for button in less)
    page.press(next(button for button in less if "rows" in button))
    settled(page, "Only the rows")
    assert "row that predicts it" in page.texts
    page.press("Ask for all of the layer")
    assert "too much at once" in page.texts
    page.press(next(button for button in page.buttons if offered in button))
    settled(page, "Only this head")


def test_a_model_without_attention_is_said_to_have_none(
    page: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "mamba"
    tiny_models.model("mamba").save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(folder.parent))
    request = ts.Request(PROMPT, max_new_tokens=4)
    trace = service().submit(str(folder), request, "someone").wait(60.0).trace
    assert trace is not None
    page.open(run=trace.key, view="token", layer="0", token="3")
    page.until(lambda: "could not be captured" in page.run().texts or bool(page.test.button))
    if "Capture layer 0" in page.buttons:
        page.press("Capture layer 0")
    settled(page, "could not be captured")
    assert "None of its layers gives any" in page.texts
    assert "Try again" not in page.buttons
