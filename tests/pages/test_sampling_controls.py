"""The controls of sampling of the decode page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tokenscope_core import Request, Sampling
from tokenscope_ui.request.sampling_words import in_words
from tokenscope_ui.server.server import service

App = Any

EVERYTHING = Sampling(
    temperature=0.7, top_k=9, top_p=0.9, min_p=0.01, typical_p=0.95, repetition_penalty=1.1,
    frequency_penalty=0.2, presence_penalty=-0.3, no_repeat_ngram_size=4, seed=12,
    logit_bias=((3, 0.1), (9, -2.5)), suppress_tokens=(4, 8),
)  # fmt: skip
PENALTIES = {
    "repetition_penalty": 1.3,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.25,
    "no_repeat_ngram_size": 3,
}


def disabled(app: App) -> set[str]:
    kinds = ("slider", "number_input", "text_input", "text_area")
    controls = [control for kind in kinds for control in app.test.get(kind)]
    return {control.key for control in controls if control.disabled}


def test_an_address_brings_back_every_way_of_sampling(app: App, tiny_folder: str) -> None:
    request = Request(
        "y = 2\n", max_new_tokens=3, sampling=EVERYTHING, stop_token_ids=(13, 5), heal=True
    )
    trace = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert trace is not None
    app.open(run=trace.key).press("Generate")
    assert app.state.outcome.from_store, "the controls ask for the same run again"
    assert app.state.trace.request == request
    assert app.test.text_input(key="stop_tokens").value == "5, 13"


def test_a_greedy_run_depends_on_the_penalties_alone(app: App) -> None:
    app.test.session_state["temperature"] = 0.0
    for name, value in {**PENALTIES, "typical_p": 0.5, "top_k": 3, "seed": "8"}.items():
        app.test.session_state[name] = value
    app.open().generate()
    assert app.state.trace.request.sampling == Sampling(**PENALTIES)


def test_a_scored_text_depends_on_none_of_it(app: App) -> None:
    app.open()
    app.test.session_state["mode"] = "Score code"
    app.test.session_state["frequency_penalty"] = 1.0
    app.test.session_state["stop_tokens"] = "1 2"
    app.run().generate("Score")
    assert app.state.trace.request == Request(app.state.trace.request.prompt, max_new_tokens=0)


def test_what_does_not_matter_is_disabled(app: App) -> None:
    app.open()
    assert not disabled(app)
    app.test.session_state["temperature"] = 0.0
    filters = {"top_k", "top_p", "min_p", "typical_p", "seed"}
    assert disabled(app.run()) == filters
    app.test.session_state["mode"] = "Score code"
    stopping = {"stop", "stop_tokens", "max_new_tokens", "logit_bias", "suppress_tokens"}
    assert disabled(app.run()) == filters | PENALTIES.keys() | stopping | {"temperature"}


def test_generation_ends_at_a_stop_token(app: App) -> None:
    app.test.session_state["temperature"] = 0.0
    app.open().generate()
    whole = app.state.trace
    third = int(whole.token_ids[whole.prompt_length + 2])
    app.test.session_state["stop_tokens"] = f"{third}, 1"
    app.run().generate()
    assert app.state.trace.request.stop_token_ids == tuple(sorted((third, 1)))
    assert app.state.trace.token_ids[-1] == third
    assert app.state.trace.finish_reason == "stop"


@pytest.mark.parametrize("typed", ["one", "3; 4", "-1", "²", "9" * 5000])
def test_a_stop_token_that_is_no_id_is_refused(app: App, typed: str) -> None:
    app.open()
    app.test.session_state["stop_tokens"] = typed
    app.run().press("Generate")
    assert "is not the id of a token" in app.texts


def test_a_stop_token_that_the_model_lacks_is_refused_with_its_vocabulary(app: App) -> None:
    app.open()
    app.test.session_state["stop_tokens"] = "100000"
    app.run().generate()
    assert "The model's vocabulary has" in app.texts


def test_the_controls_say_in_words_what_they_do(app: App) -> None:
    app.test.session_state["temperature"] = 0.0
    assert "Takes the favourite every time." in app.open().texts
    app.test.session_state["temperature"] = 1.2
    assert "flattened, cut to the fewest tokens that hold 95 %" in app.run().texts


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        (Sampling(), "Takes the favourite every time."),
        (Sampling(no_repeat_ngram_size=3), "Takes the favourite after the penalties."),
        (Sampling(1.0), "Draws from the model’s own distribution."),
        (
            Sampling(0.5, top_k=1),
            "Draws from the model’s distribution, sharpened, cut to the best.",
        ),
        (
            Sampling(1.5, top_k=40, min_p=0.02, typical_p=0.9, presence_penalty=0.1),
            "Draws from the model’s distribution after the penalties, flattened, cut to the 40 "
            "favourites, then tokens at least 2 % as likely as the favourite, then the most "
            "typical 90 %.",
        ),
    ],
)
def test_a_way_of_sampling_in_words(sampling: Sampling, words: str) -> None:
    assert in_words(sampling) == words


def test_the_page_counts_where_sampling_changed_the_choice_and_leads_there(app: App) -> None:
    app.test.session_state["temperature"] = 1.5
    app.open().generate()
    trace = app.state.trace
    changed = np.flatnonzero((trace.source == "sampled") & (trace.rank > 1)).tolist()
    assert len(changed) > 2
    assert f"{len(changed)} of 12 drawn tokens were not the favourite" in app.texts
    app.press("Go to the first")
    assert app.state.selected == changed[0]
    assert "Sampling chose the" in app.texts
    app.test.button(key="icon next change").click()
    app.run()
    assert app.state.selected == changed[1]
    app.test.button(key="icon previous change").click()
    assert app.run().state.selected == changed[0]
    assert app.test.button(key="icon previous change").disabled


def test_a_greedy_run_took_the_favourite_every_time(app: App) -> None:
    app.test.session_state["temperature"] = 0.0
    app.open().generate()
    assert "0 of 12 drawn tokens were not the favourite" in app.texts
    assert "Go to the first" not in app.buttons


def test_single_tokens_are_biased_and_ruled_out_without_touching_the_metrics(app: App) -> None:
    app.test.session_state["temperature"] = 0.0
    app.open().generate()
    plain = app.state.trace
    first = int(plain.token_ids[plain.prompt_length])
    app.test.session_state["suppress_tokens"] = f"{first}, 3"
    app.test.session_state["logit_bias"] = "20: -1.5\n\n 21 : 0.25"
    app.run().generate()
    assert app.state.problem is None
    sampling = app.state.trace.request.sampling
    assert sampling == Sampling(suppress_tokens=(3, first), logit_bias=((20, -1.5), (21, 0.25)))
    at = plain.prompt_length
    assert app.state.trace.token_ids[at] != first
    np.testing.assert_allclose(
        app.state.trace.candidate_logprobs[at], plain.candidate_logprobs[at], atol=1e-5
    )
    assert app.state.trace.candidate_kept[at, 0] == 0, "the favourite could not be drawn"


@pytest.mark.parametrize(
    ("key", "text", "found"),
    [
        ("suppress_tokens", "3 x", "“x” is not the id of a token"),
        ("logit_bias", "3 -1", "“3 -1” is not the id of a token and a number"),
        ("logit_bias", "3: nan", "finite"),
        ("suppress_tokens", "99999999", "The model's vocabulary has"),
    ],
)
def test_tokens_that_cannot_be_read_are_refused_with_words(
    app: App, key: str, text: str, found: str
) -> None:
    app.test.session_state[key] = text
    app.open().generate()
    assert found in str(app.state.problem)


def test_the_authors_settings_are_shown_taken_and_otherwise_said_to_be_left_out(
    app: App, tiny_folder: str, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(tiny_folder, folder)
    stated = {
        "do_sample": True, "temperature": 0.65, "top_p": 0.9, "suppress_tokens": [5],
        "eos_token_id": 0, "num_beams": 3,
    }  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(stated))
    app.test.session_state["model"] = str(folder)
    app.open().generate()
    assert "Their files say: do_sample `True`, temperature `0.65`" in app.texts
    assert "Not followed here: num_beams `3`" in app.texts
    assert "Other than `generate()`" in app.texts
    assert "temperature 0.8, not 0.65; top k off, not 50" in app.texts
    app.test.button(key="take authors settings").click()
    app.run().generate()
    assert app.state.trace.request.sampling == Sampling(
        0.65, top_k=50, top_p=0.9, suppress_tokens=(5,)
    )
    assert "The controls say the same." in app.texts
    assert "Other than `generate()`" not in app.texts
    assert "not followed here: num_beams" in app.texts
