"""An engine's answer brought to the page Share: what it was recognised as, and its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenscope_core as ts
from tokenscope_core.syntax.documents.detection import language_of

App = Any
FOLDER = Path(__file__).resolve().parent.parent / "engine_answers"


def bring(app: App, name: str, blob: bytes) -> App:
    app.test.switch_page("pages/share.py")
    app.run()
    app.test.file_uploader[0].upload(name, blob)
    return app.run()


def on_decode(app: App) -> App:
    app.test.switch_page("pages/decode.py")
    return app.run()


def test_the_page_says_what_an_answer_was_recognised_as_and_what_is_wrong_with_it(
    app: App,
) -> None:
    bring(app, "fused.json", (FOLDER / "fused.json").read_bytes())
    on_decode(app)
    assert "Read as: OpenAI, completion." in app.texts
    assert "contradicts its tokens" in app.texts
    (branch,) = app.test.session_state["session_state"].session.branches
    assert branch.note.startswith("Read as")


def test_a_stream_is_an_answer_too(app: App) -> None:
    bring(app, "stream.txt", (FOLDER / "openai_chat_stream.txt").read_bytes())
    assert app.state.trace.text == "😀!"


def test_an_answer_of_ids_asks_for_the_model_whose_tokenizer_tells_them(
    app: App, tiny_folder: str
) -> None:
    lm = ts.load_model(tiny_folder)
    ids = ts.score(lm, "x = é").token_ids.tolist()
    tokens = [f"token_id:{i}" for i in ids]
    logprobs = {"tokens": tokens, "token_logprobs": [-1.0] * len(ids)}
    blob = json.dumps({"choices": [{"logprobs": logprobs}]}).encode()
    bring(app, "answer.json", blob)
    assert app.state.trace is None
    assert f"{len(ids)} of {len(ids)}" in app.texts
    (box,) = [b for b in app.test.selectbox if b.label.startswith("Read it with")]
    box.set_value(tiny_folder)
    app.run().press("Read with this tokenizer")
    assert app.state.trace.text == "x = é"
    assert app.state.trace.token_ids.tolist() == ids
    assert "Read with this tokenizer" not in app.buttons


def test_a_text_with_gaps_is_not_judged_and_ranks_that_are_not_told_are_not_counted(
    app: App,
) -> None:
    bring(app, "halves.json", (FOLDER / "vllm_halves.json").read_bytes())
    on_decode(app)
    assert "0 of 1 drawn tokens were not the favourite; of 3 that is not told" in app.texts
    assert "valid as it is" not in app.texts
    assert not language_of(app.state.trace).known


def test_an_answer_of_ids_opens_without_a_tokenizer(app: App) -> None:
    bring(app, "answer.json", (FOLDER / "vllm_token_ids.json").read_bytes())
    app.press("Open without")
    assert app.state.trace.token_ids.tolist() == [12, 7]
    on_decode(app).jump()
    assert "its bytes are not known" in app.texts


def test_a_tokenizer_of_another_model_is_refused_with_a_sentence(
    app: App, tiny_folder: str
) -> None:
    logprobs = {"tokens": ["token_id:8000000"], "token_logprobs": [-1.0]}
    blob = json.dumps({"choices": [{"logprobs": logprobs}]}).encode()
    bring(app, "answer.json", blob)
    (box,) = [b for b in app.test.selectbox if b.label.startswith("Read it with")]
    box.set_value(tiny_folder)
    app.run().press("Read with this tokenizer")
    assert "That file cannot be used" in app.texts
    assert "another model's" in app.texts
