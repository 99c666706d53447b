"""The page of two models in each of its states."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from peft import LoraConfig
from tiny_adapters import write_adapter
from two_models_screen import PAGE, TEXT, UNTRUSTED, choose, compare, figures, shown, value

import tokenscope_core as ts
from tokenscope_core.jobs.generation_jobs import Job, Ticket
from tokenscope_core.jobs.generation_tasks import Prompted
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_ui.server.server import service
from tokenscope_ui.two_models import lines, state
from tokenscope_ui.two_models.payload import compared
from tokenscope_ui.two_models.state import Selection, TwoModels

App = Any


def test_models_are_called_as_the_decode_page_calls_them(page: App) -> None:
    boxes = [box for box in page.test.selectbox if box.label in ("Model A", "Model B")]
    assert len(boxes) == 2
    for box in boxes:
        assert box.options[:3] == ["tokenscope-py · shipped", "tiny · folder", "bytes · folder"]
        assert [option.split(" · ")[:2] for option in box.options[3:]] == [["smollm2", "package"]]


def test_no_model_is_asked_for_that_the_server_would_refuse(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_MODELS", "")
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", "tokenscope-py")
    app.open()
    app.test.switch_page(PAGE)
    app.run()
    assert "Type a folder" not in app.texts
    assert "offers one model only" in app.texts
    for box in app.test.selectbox:
        if box.label in ("Model A", "Model B"):
            assert box.help == "This server offers these models."


@pytest.fixture
def adapter(app: App, tiny_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An adapter on the tiny model, in a folder that is listed with it."""
    config = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    folder = write_adapter(tmp_path / "adapters" / "tuned", Path(tiny_folder), config)
    listed = f"{Path(tiny_folder).parent}{os.pathsep}{folder.parent}"
    monkeypatch.setenv("TOKENSCOPE_MODELS", listed)
    return str(folder)


def test_an_adapter_is_put_beside_its_base(page: App, adapter: str, tiny_folder: str) -> None:
    page.run()
    choose(page, adapter, "tokenscope-py")
    page.press("Adapter A off and on")
    state = page.test.session_state
    assert (state["two_models_a"], state["two_models_b"]) == (tiny_folder, adapter)
    assert "A is the base model, B the same with the adapter on it." in page.texts
    off, on = (side.trace for side in compare(page).sides)
    assert off is not None
    assert on is not None
    assert (off.model.name, on.model.name) == ("tiny", "tuned+tiny")
    assert np.abs(on.logprob - off.logprob)[1:].max() > 0.01
    # The address alone finds both again, under the names that the picker gives them.
    again = type(page)(tiny_folder)
    again.test.switch_page(PAGE)
    again.open(**{name: value(page, name) for name in "ab"})
    assert again.test.session_state["two_models_b"] == adapter


def test_the_page_begins_with_the_base_of_an_adapter(
    app: App, adapter: str, tiny_folder: str
) -> None:
    app.test.session_state["model"] = adapter
    app.open()
    app.test.switch_page(PAGE)
    app.run()
    assert app.test.session_state["two_models_a"] == tiny_folder
    assert app.test.session_state["two_models_b"] == adapter


def test_before_the_first_comparison_the_page_says_what_to_do(page: App) -> None:
    assert "Nothing compared yet" in page.texts


def test_both_models_score_the_text_and_the_address_names_both(page: App) -> None:
    result = compare(page)
    a, b = (side.trace for side in result.sides)
    assert a is not None
    assert b is not None
    assert a.text_bytes == b.text_bytes == TEXT.encode()
    assert page.test.query_params["a"] == a.key
    assert page.test.query_params["b"] == b.key
    summary = ts.summary_frame(ts.compare_models(a, b))
    assert figures(page)["A, bits per byte"] == f"{summary.loc['a', 'bits_per_byte']:.3f}"
    assert figures(page)["B, tokens"] == f"{summary.loc['b', 'tokens']:,}"
    assert page.test.get("bidi_component")


def test_a_model_without_a_first_probability_is_said_to_have_none(page: App) -> None:
    compare(page)
    assert "1 span without a probability" in page.texts


def test_a_copied_address_restores_both_from_the_store(
    app: App, tiny_folder: str, byte_folder: str
) -> None:
    request = ts.Request(TEXT, max_new_tokens=0)
    a, b = (
        service().submit(folder, request, "someone").wait(60.0).trace
        for folder in (tiny_folder, byte_folder)
    )
    assert a is not None
    assert b is not None
    app.test.switch_page(PAGE)
    app.open(a=a.key, b=b.key)
    assert [side.trace.key for side in shown(app).sides if side.trace] == [a.key, b.key]
    assert app.test.text_area(key="compared_text").value == TEXT
    assert app.test.selectbox(key="two_models_a").value == tiny_folder
    assert app.test.selectbox(key="two_models_b").value == byte_folder
    assert "A, bits per byte" in figures(app)


def test_a_broken_address_says_so_and_shows_the_other_side(app: App, tiny_folder: str) -> None:
    request = ts.Request(TEXT, max_new_tokens=0)
    trace = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert trace is not None
    app.test.switch_page(PAGE)
    app.open(a=trace.key, b="feedface")
    assert "This server does not hold it" in app.texts
    assert figures(app)["tokens"] == f"{len(trace):,}"


def test_results_are_still_there_after_another_page(page: App) -> None:
    result = compare(page)
    page.test.switch_page("pages/metrics.py")
    page.run()
    page.test.query_params.clear()
    page.test.switch_page(PAGE)
    page.run()
    assert shown(page).sides == result.sides
    assert page.test.query_params["a"] == result.a.address
    assert page.test.text_area(key="compared_text").value == TEXT


def test_an_empty_text_is_refused_and_loses_nothing(page: App) -> None:
    result = compare(page)
    page.test.session_state["compared_text"] = ""
    page.run().press("Compare")
    assert "There is no code to score" in page.texts
    assert shown(page).sides == result.sides
    assert "A, bits per byte" in figures(page)


def test_a_missing_model_leaves_the_other_one_its_result(app: App, tiny_folder: str) -> None:
    app.open()
    app.test.session_state["two_models_a"] = "/no/such/folder"
    app.test.session_state["two_models_b"] = tiny_folder
    app.test.switch_page(PAGE)
    result = compare(app.run())
    assert "No result of model A" in app.texts
    assert "no such folder" in app.texts
    assert result.b.trace is not None
    assert figures(app)["tokens"] == f"{len(result.b.trace):,}"


def test_a_text_too_long_for_one_model_is_read_in_windows(
    page: App, tiny_folder: str, byte_folder: str
) -> None:
    lines = "".join(f"def add(a, b):  # {i}\n" for i in range(30))
    choose(page, tiny_folder, byte_folder, lines)
    result = compare(page)
    a, b = result.a.trace, result.b.trace
    assert a is not None
    assert b is not None
    assert a.text_bytes == b.text_bytes == lines.encode()
    assert b.seams


def test_the_same_model_twice_differs_nowhere_and_says_so(page: App, tiny_folder: str) -> None:
    choose(page, tiny_folder, tiny_folder)
    compare(page)
    assert "Both are the same model" in page.texts
    assert figures(page)["A − B, bits per byte"] == "0.000"


def test_a_selected_span_shows_the_tokens_of_both(page: App) -> None:
    result = compare(page)
    assert result.a.trace is not None
    assert result.b.trace is not None
    comparison = compared(result.a.trace, result.b.trace)
    next(b for b in page.test.button if (b.key or "").startswith("jump span")).click()
    page.run()
    selected = shown(page).selected
    assert selected is not None
    span = selected.number
    assert span == int(abs(ts.span_frame(comparison)["difference"]).idxmax())
    bits = comparison.a.surprisal[span] / NATS_PER_BIT
    assert figures(page)["A"] == f"{bits:.3f} bits"
    tables = [t.value for t in page.test.dataframe if "token" in t.value]
    assert [len(t) for t in tables] == [comparison.a.tokens[span], comparison.b.tokens[span]]
    page.test.button(key="icon next part").click()
    page.run()
    assert shown(page).selected == Selection("span", span + 1)


def test_a_selected_line_shows_its_figures(page: App) -> None:
    result = compare(page)
    assert result.a.trace is not None
    assert result.b.trace is not None
    comparison = compared(result.a.trace, result.b.trace)
    page.test.session_state["two_models"] = TwoModels(
        result.a, result.b, selected=Selection("line", 2)
    )
    page.run()
    line = ts.line_frame(comparison).iloc[1]
    assert figures(page)["B"] == f"{line['surprisal_b'] / NATS_PER_BIT:.3f} bits"
    assert "Line 2 of 2" in page.texts


def test_lines_are_listed_by_how_far_the_models_differ(page: App) -> None:
    result = compare(page)
    assert result.a.trace is not None
    assert result.b.trace is not None
    table = lines.line_table(compared(result.a.trace, result.b.trace), "bits")
    differences = table["A − B"].abs().tolist()
    assert differences == sorted(differences, reverse=True)
    assert sorted(table["line"]) == [1, 2]


def test_every_tint_scale_and_unit_can_be_drawn(page: App) -> None:
    compare(page)
    for tint in ("A", "B", "A − B"):
        for scale, unit in (("relative", "bits"), ("absolute", "nats")):
            page.test.session_state["two_models_tint"] = tint
            page.test.session_state["two_models_scale"] = scale
            page.test.session_state["unit"] = unit
            page.run()


@pytest.mark.parametrize(
    "text", [UNTRUSTED, "\n  \n", "x", "a\x00b\u202e", "\U0001f469\u200d👧" * 3]
)
def test_unusual_texts_are_compared_byte_for_byte(
    page: App, tiny_folder: str, byte_folder: str, text: str
) -> None:
    choose(page, tiny_folder, byte_folder, text)
    result = compare(page)
    assert result.a.trace is not None
    assert result.b.trace is not None
    assert compared(result.a.trace, result.b.trace).text_bytes == text.encode()


def test_stop_stops_both(page: App, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []

    def never_run(model: str, task: Prompted, subscriber: str, *, purpose: str) -> Ticket:
        jobs.append(Job(str(len(jobs)), ModelChoice.of(model), task, clock=time.monotonic))
        return Ticket(
            jobs[-1], subscriber, purpose=purpose, place=lambda _: None, save=lambda _: None
        )

    monkeypatch.setattr(service(), "submit", never_run)
    page.press("Compare")
    assert shown(page).busy
    assert "**A** · Starting" in page.texts
    assert "**B** · Starting" in page.texts
    page.press("Stop")
    assert not shown(page).busy
    assert [job.wanted(0.0) for job in jobs] == [False, False]
    page.run()
    assert "Compare" in page.buttons


def test_stop_leaves_the_same_run_of_the_decode_page_alone(
    page: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, on = Event(), Event()
    whole = Job.work

    def slowly(self: Job, *arguments: Any) -> None:
        begun.set()
        assert on.wait(60.0)
        whole(self, *arguments)

    monkeypatch.setattr(Job, "work", slowly)
    monkeypatch.setattr(state, "subscriber", lambda: "visitor")
    choose(page, tiny_folder, tiny_folder, "x = 1\n")
    page.press("Compare")
    assert begun.wait(60.0)
    ticket = shown(page).a.ticket
    assert ticket is not None
    request = ticket.view().request
    same = service().submit(tiny_folder, request, "visitor")
    page.press("Stop")
    assert not shown(page).busy
    on.set()
    assert same.wait(60.0).phase == "done"


def test_the_decoded_text_can_be_taken_over(app: App, tiny_folder: str) -> None:
    app.open().generate()
    decoded = app.state.trace.text
    app.test.switch_page(PAGE)
    app.run()
    assert app.test.text_area(key="compared_text").value == decoded
    app.test.session_state["compared_text"] = "other"
    app.run().press("Use the decoded text")
    assert app.test.text_area(key="compared_text").value == decoded


def test_the_address_says_what_is_looked_at_and_a_reload_shows_it(page: App) -> None:
    compare(page)
    next(b for b in page.test.button if (b.key or "").startswith("jump span")).click()
    page.run()
    page.test.session_state["two_models_tint"] = "B"
    page.run()
    selected = shown(page).selected
    assert selected is not None
    assert value(page, "span") == str(selected.number)
    assert value(page, "tint") == "B"
    later = type(page)("")
    later.test.switch_page(PAGE)
    later.open(**{name: value(page, name) for name in ("a", "b", "span", "tint")})
    assert shown(later).selected == selected
    assert later.test.session_state["two_models_tint"] == "B"


@pytest.mark.parametrize("part", [{"span": "99999"}, {"line": "0"}, {"line": "x"}])
def test_an_address_that_names_no_part_shows_the_whole(page: App, part: dict[str, str]) -> None:
    compare(page)
    later = type(page)("")
    later.test.switch_page(PAGE)
    later.open(a=value(page, "a"), b=value(page, "b"), **part)
    assert "Where they differ most" in later.texts


def test_going_back_shows_the_comparison_before(
    page: App, tiny_folder: str, byte_folder: str
) -> None:
    first = compare(page)
    choose(page, tiny_folder, byte_folder, "x = 1\n")
    assert compare(page).a.address != first.a.address
    page.test.query_params["a"], page.test.query_params["b"] = first.a.address, first.b.address
    page.run()
    assert [side.address for side in shown(page).sides] == [s.address for s in first.sides]
    assert page.test.text_area(key="compared_text").value == TEXT
