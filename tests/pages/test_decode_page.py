"""The decode page in each of its states."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest

from tokenscope_core import Request, Sampling, Store
from tokenscope_core.errors import RecordError
from tokenscope_ui.request.examples import EXAMPLES
from tokenscope_ui.server.server import service

App = Any


def test_before_the_first_run_the_page_says_what_to_do(app: App) -> None:
    app.open()
    assert "Nothing decoded yet" in app.texts
    assert app.test.text_area(key="prompt").value == EXAMPLES[0].prompt


def test_generating_shows_the_trace_and_names_it_in_the_address(app: App) -> None:
    app.open().generate()
    assert app.state.trace is not None
    assert app.state.trace.text.startswith(EXAMPLES[0].prompt)
    assert len(app.state.trace) - app.state.trace.prompt_length == 12
    assert app.test.query_params["run"] == app.state.trace.key
    assert "Most surprising tokens" in app.texts
    assert app.test.get("bidi_component")


def test_scoring_takes_the_code_as_it_is(app: App) -> None:
    app.open()
    app.test.session_state["mode"] = "Score code"
    app.test.session_state["prompt"] = "x = 1\r\n\ty = 'é👋'\n"
    app.run().generate("Score")
    assert app.state.trace is not None
    assert app.state.trace.text == "x = 1\r\n\ty = 'é👋'\n"
    assert app.state.trace.prompt_length == len(app.state.trace)


@pytest.mark.parametrize(
    "prompt",
    ["\n  \n", "a\x00b\x1b[31m", "\u202eevil\u202c", "\U0001f469\u200d\U0001f467" * 3, "x" * 300],
)
def test_unusual_prompts_run_and_come_back_byte_for_byte(app: App, prompt: str) -> None:
    app.open()
    app.test.session_state["prompt"] = prompt
    app.run().generate()
    assert app.state.problem is None
    assert app.state.trace.text_bytes.startswith(prompt.encode())


def test_an_empty_prompt_is_refused_with_advice_and_loses_nothing(app: App) -> None:
    app.open().generate()
    shown = app.state.trace
    app.test.session_state["prompt"] = ""
    app.run().press("Generate")
    assert "The prompt is empty" in app.texts
    assert "choose an example" in app.texts
    assert app.state.trace is shown


def test_white_space_and_control_characters_are_pointed_out(app: App) -> None:
    app.open()
    app.test.session_state["prompt"] = " \n"
    assert "only white space" in app.run().texts
    app.test.session_state["prompt"] = "a\x00b"
    assert "U+0000 ×1" in app.run().texts


def test_no_new_tokens_is_refused_with_the_way_to_score(app: App) -> None:
    app.open()
    app.test.session_state["max_new_tokens"] = 0
    app.run().press("Generate")
    assert "0 new tokens were asked for" in app.texts
    assert "Score code" in app.texts


def test_a_prompt_beyond_the_context_says_by_how_much_and_offers_its_tail(app: App) -> None:
    app.open()
    lines = "".join(f"x{i} = {i}\n" for i in range(400))
    app.test.session_state["prompt"] = lines
    app.run().generate()
    assert "too many" in app.texts
    app.press("Keep only the tail of the prompt").until_ended()
    assert app.state.problem is None
    kept = app.state.trace.request.prompt
    assert lines.endswith(kept)
    assert len(kept) > 100
    assert app.test.text_area(key="prompt").value == lines


def test_too_many_new_tokens_offers_as_many_as_fit(app: App) -> None:
    app.open()
    app.test.session_state["prompt"] = "x = 1\n"
    app.test.session_state["max_new_tokens"] = 100_000
    app.run().generate()
    offer = next(label for label in app.buttons if label.endswith("tokens instead"))
    app.press(offer).until_ended()
    assert app.state.problem is None
    assert len(app.state.trace) == 512 or app.state.trace.finish_reason == "eos"


@pytest.mark.parametrize(
    ("model", "reason"),
    [("/no/such/folder", "no such folder"), ("nobody/nothing", "hub access is switched off")],
)
def test_a_model_that_is_not_there_is_named_with_what_to_do(
    app: App, model: str, reason: str
) -> None:
    app.test.session_state["model"] = model
    app.open().generate()
    assert model in app.texts
    assert reason in app.texts


def test_a_half_written_model_is_refused(app: App, tmp_path: Any) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    app.test.session_state["model"] = str(tmp_path / "half")
    app.open().generate()
    assert "half" in app.texts
    assert "tokenizer" in app.texts


def test_stop_keeps_the_tokens_so_far(app: App) -> None:
    app.open()
    app.test.session_state["max_new_tokens"] = 400
    app.test.session_state["temperature"] = 1.0
    app.run().press("Generate")
    app.until(lambda: app.state.ticket.view().new_tokens > 0)
    app.press("Stop")
    assert app.state.trace.finish_reason == "cancelled"
    assert "stopped before its end" in app.texts
    assert "Stop" not in app.buttons


def test_asking_again_is_answered_from_the_store(app: App) -> None:
    app.open().generate().press("Generate")
    assert not app.state.busy
    assert app.state.outcome.from_store


def test_an_address_brings_back_the_trace_and_its_controls(app: App, tiny_folder: str) -> None:
    request = Request("y = 2\n", max_new_tokens=5, candidates=7)
    trace = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert trace is not None
    app.open(run=trace.key)
    assert app.state.trace.key == trace.key
    assert app.test.text_area(key="prompt").value == "y = 2\n"
    assert app.test.session_state["candidates"] == 7
    assert "Model: tiny" in app.texts


def test_an_address_chooses_the_model_its_trace_came_from(app: App, tiny_folder: str) -> None:
    request = Request("y = 2\n", max_new_tokens=5)
    trace = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert trace is not None
    app.test.session_state["model"] = "tokenscope-py"
    app.open(run=trace.key)
    assert app.test.session_state["model"] == tiny_folder


def test_an_address_of_a_run_in_progress_follows_it(app: App, tiny_folder: str) -> None:
    request = Request("z = 3\n", max_new_tokens=300)
    ticket = service().submit(tiny_folder, request, "before the reload")
    app.open(run=ticket.job_id)
    app.until_ended()
    assert app.state.trace.request == request


def test_an_unknown_address_is_explained(app: App) -> None:
    app.open(run="feedface")
    assert "This server does not hold it" in app.texts


def test_a_damaged_record_is_explained(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(_self: Store, _key: str) -> None:
        raise RecordError(asked="A", found="The record is damaged.", action="B")

    monkeypatch.setattr(Store, "get", damaged)
    app.open(run="feedface")
    assert "The record is damaged." in app.texts


def test_a_selected_token_shows_its_figures(app: App) -> None:
    app.open().generate()
    trace = app.state.trace
    position = app.jump()
    assert app.state.selected == position
    figures = {metric.label: metric.value for metric in app.test.metric}
    assert figures["rank"] == f"{int(trace.rank[position]):,}"
    assert figures["surprisal"] == f"{trace.surprisal[position] / 0.6931471805599453:.3f} bits"


def test_the_first_token_says_why_it_has_no_figures(app: App) -> None:
    app.open().generate()
    app.test.session_state["run_state"] = replace(app.state, selected=0)
    app.run()
    assert "nothing precedes the first token" in app.texts
    assert not app.test.metric


def test_every_metric_can_tint(app: App) -> None:
    app.open().generate()
    for name in app.test.selectbox(key="metric").options:
        assert name
    for name in ("rank", "typicality", "elapsed_ms", "sampled_logprob", "prob"):
        for scale in ("absolute", "relative"):
            app.test.session_state["metric"] = name
            app.test.session_state["scale"] = scale
            app.run()


def test_an_example_replaces_the_prompt_and_can_be_undone(app: App) -> None:
    app.open()
    app.test.session_state["prompt"] = "my own text"
    app.run().press(EXAMPLES[1].name)
    assert app.test.text_area(key="prompt").value == EXAMPLES[1].prompt
    app.press("Back to my text")
    assert app.test.text_area(key="prompt").value == "my own text"


def test_stop_strings_are_read_with_escapes(app: App) -> None:
    app.open()
    app.test.session_state["stop"] = "\\n\\n\né"
    app.run().generate()
    assert app.state.trace.request.stop == ("\n\n", "é")


def test_settings_that_greedy_ignores_do_not_make_another_run(app: App) -> None:
    app.test.session_state["temperature"] = 0.0
    app.open().generate()
    app.test.session_state["seed"] = "7"
    app.run().press("Generate")
    assert app.state.outcome.from_store


def test_the_metrics_page_lists_every_metric_and_follows_a_run(app: App) -> None:
    app.open()
    app.test.session_state["max_new_tokens"] = 400
    app.run().press("Generate")
    app.test.switch_page("pages/metrics.py")
    app.run()
    assert "What do the numbers mean?" in app.test.title[0].value
    app.until_ended()
    app.test.switch_page("pages/decode.py")
    app.run()
    assert app.state.trace is not None


def test_coming_back_from_another_page_restores_the_address(app: App) -> None:
    app.open().generate()
    app.test.switch_page("pages/metrics.py")
    app.run()
    app.test.query_params.clear()
    app.test.switch_page("pages/decode.py")
    app.run()
    assert app.test.query_params["run"] == app.state.trace.key


def test_going_back_in_the_browser_shows_the_earlier_trace(app: App) -> None:
    app.open().generate()
    first = app.state.trace
    app.test.session_state["prompt"] = "y = 2\n"
    app.run().generate()
    assert app.state.trace.key != first.key
    app.test.query_params["run"] = first.key
    app.run()
    assert app.state.trace.key == first.key
    assert app.test.text_area(key="prompt").value == first.request.prompt


def test_what_is_typed_before_the_browser_knows_the_runs_new_address_is_not_undone(
    app: App,
) -> None:
    app.open().generate()
    shown, tree = app.state.trace, app.test.query_params["session"]
    app.test.query_params["run"] = app.state.outcome.job_id
    app.test.session_state["prompt"] = "y = 2\n"
    app.run()
    assert app.test.text_area(key="prompt").value == "y = 2\n"
    assert app.state.trace.key == shown.key
    assert app.test.query_params["run"] == shown.key
    assert app.test.query_params["session"] == tree
    app.generate()
    assert app.state.trace.request.prompt == "y = 2\n"


def test_without_a_usable_store_the_app_runs_and_says_what_that_means(
    app: App, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "file"))
    app.open().generate()
    assert app.state.trace is not None
    assert "lasts only as long as the server runs" in app.texts
    assert str(tmp_path) not in app.texts


def test_sessions_that_were_found_damaged_are_spoken_of(
    app: App, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = tmp_path / "damaged" / "sessions"
    sessions.mkdir(parents=True)
    (sessions / "cache.db").write_bytes(b"no database" * 100)
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "damaged"))
    app.open().generate()
    assert "moved aside as it was" in app.texts
    assert str(tmp_path) not in app.texts
    assert (tmp_path / "damaged" / "sessions.damaged-1").exists()


def test_a_store_that_goes_while_the_server_runs_is_spoken_of_and_comes_back_by_a_word(
    app: App, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_OPERATOR_PAGE", "on")
    app.open()
    store = tmp_path / "store"
    shutil.rmtree(store)
    app.run().generate()
    assert app.state.trace is not None, "a run needs no store"
    assert "The folder of the store is gone" in app.texts
    assert "The last change is on this screen only" in "".join(m.value for m in app.test.markdown)
    assert str(tmp_path) not in app.texts
    assert not store.exists()
    app.test.switch_page("pages/server.py")
    app.run().press("Create the store anew, empty")
    assert "The folder of the store is gone" not in app.texts
    app.press("Try to keep it again")
    assert "on this screen only" not in app.texts
    assert len(service().store.session_names()) == 1


def test_an_address_with_unusual_settings_opens(app: App, tiny_folder: str) -> None:
    sampling = Sampling(
        temperature=9.5, top_p=0.001, min_p=0.33, repetition_penalty=0.01, seed=2**62, top_k=10**6
    )
    request = Request("y = 2\n", max_new_tokens=3, sampling=sampling, candidates=200)
    trace = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert trace is not None
    app.open(run=trace.key).press("Generate")
    assert app.state.outcome.from_store
    assert app.state.trace.key == trace.key


def test_a_seed_that_is_no_number_is_refused(app: App) -> None:
    app.open()
    app.test.session_state["temperature"] = 1.0
    app.test.session_state["seed"] = "lucky"
    app.run().press("Generate")
    assert "The seed was set to “lucky”" in app.texts


def test_a_link_to_a_session_that_is_not_here_shows_its_run_and_says_so(
    app: App, tiny_folder: str
) -> None:
    trace = service().submit(tiny_folder, Request("x = 1\n"), "someone").wait(60.0).trace
    assert trace is not None
    app.open(session="of-somebody-else", run=trace.key)
    assert app.state.trace is not None
    assert "of-somebody-else" in app.texts


def test_the_form_is_a_line_beside_a_result_also_when_one_comes_back(app: App) -> None:
    app.open()
    assert app.test.expander[0].label == "Prompt, model and sampling"
    app.generate("Generate")
    assert "new tokens · temperature" in app.test.expander[0].label
    app.test.switch_page("pages/metrics.py").run()
    app.test.switch_page("pages/decode.py").run()
    assert "new tokens · temperature" in app.test.expander[0].label
