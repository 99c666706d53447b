"""Each engine's answer is recognised by name and read for what it says, no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tokenscope_core as ts
from tokenscope_core.interchange.fields import FIRST_LOCAL_ID

FOLDER = Path(__file__).resolve().parents[1] / "engine_answers"
NAN = float("nan")
FUSED = FIRST_LOCAL_ID


def read(name: str) -> ts.Imported:
    (file,) = FOLDER.glob(f"{name}.*")
    return ts.import_answer(file.read_bytes())


@pytest.mark.parametrize(
    ("name", "format_", "text", "ids", "logprobs", "ended"),
    [
        ("echo_null_first", "OpenAI, completion", "def f(", [0, 1, 3], [NAN, -3, -0.5], "length"),
        ("finish_filter", "OpenAI, chat completion", "a", [0], [-0.1], "filtered"),
        ("fused", "OpenAI, completion", "Hi", [0], [-0.3], "stop"),
        ("gemini", "Gemini", "Hi!", [100, 400], [-0.1, -1.75], "filtered"),
        ("gemini_stream", "Gemini", "Hi!", [100, 400], [-0.1, -1.75], "filtered"),
        ("llamacpp_native", "llama.cpp, completion", "Hi", [1], [-0.1], "unknown"),
        ("llamacpp_old", "llama.cpp, completion (before 2025)", "Hi", [0], [np.log(0.9)],
         "unknown"),
        ("llamacpp_fused", "llama.cpp, completion", "👩xé", [FUSED, 5, 8], [NAN, -0.5, -0.7],
         "length"),
        ("llamacpp_stream", "llama.cpp, completion", "👩xé", [FUSED, 5, 8], [NAN, -0.5, -0.7],
         "length"),
        ("llamacpp_openai", "llama.cpp, OpenAI's endpoint", "👩xé", [FUSED, 5, 8],
         [NAN, -0.5, -0.7], "length"),
        ("llamacpp_sampled", "llama.cpp, completion", "x", [5], [NAN], "eos"),
        ("minus_infinity", "OpenAI, completion", "a", [0], [0.0], "stop"),
        ("ollama_native", "Ollama", "Hi", [0], [-0.1], "stop"),
        ("ollama_stream", "Ollama", "é x", [0, 1], [-0.5, -1], "length"),
        ("openai_chat_stream", "OpenAI, chat completion", "😀!", [0, 1, 2], [-0.5, -0.25, -1],
         "length"),
        ("openai_completion_stream", "OpenAI, completion", " ab", [0, 2], [-0.5, -0.25],
         "filtered"),
        ("responses_stream", "OpenAI, Responses", "a b", [0, 1], [-0.5, -0.25], "filtered"),
        ("taken_outside_top", "OpenAI, chat completion", "z", [0], [-6], "stop"),
        ("tgi", "text-generation-inference", "def😀 x", [1, 4, 90, 91, 12, 2],
         [NAN, -2.5, -1, -0.5, -0.25, -0.125], "eos"),
        ("tgi_stream", "text-generation-inference", " x=", [12, 5], [-0.25, -0.5], "length"),
        ("vllm_halves", "vLLM", "ab", [0, 1, 3, 4], [-0.1, -0.2, -0.3, -0.4], "length"),
        ("vllm_prompt", "vLLM", "def f(", [7, 9, 41, 42], [NAN, -4, -3, -0.5], "eos"),
        ("vllm_token_ids", "vLLM", "", [12, 7], [-0.1, -0.2], "length"),
    ],
)  # fmt: skip
def test_an_answer_is_recognised_and_read(
    name: str, format_: str, text: str, ids: list[int], logprobs: list[float], ended: str
) -> None:
    found = read(name)
    assert found.format == format_
    assert found.trace.text == text
    assert found.trace.token_ids.tolist() == ids
    np.testing.assert_allclose(found.trace.logprob, logprobs)
    assert found.trace.finish_reason == ended
    back = ts.Trace.from_bytes(found.trace.to_bytes())
    assert back.key == found.trace.key
    assert back.vocabulary == found.trace.vocabulary
    ts.token_frame(found.trace)


def test_every_answer_in_the_folder_has_a_right_value_here() -> None:
    (mark,) = [m for m in test_an_answer_is_recognised_and_read.pytestmark if m.args]  # type: ignore[attr-defined]
    assert {case[0] for case in mark.args[1]} == {
        file.stem for file in FOLDER.iterdir() if file.suffix != ".md"
    }


def test_ids_without_a_text_have_unknown_bytes_and_are_no_text() -> None:
    found = read("vllm_token_ids")
    frame = ts.token_frame(found.trace)
    assert frame["token"].tolist() == ["<token 12>", "<token 7>"]
    assert frame["token_bytes"].isna().all()
    assert not frame["special"].any()
    assert found.needs_tokenizer
    assert "2 of 2" in found.notes[0]


def test_the_tokenizer_named_tells_the_bytes_of_ids() -> None:
    lm = ts.load_model()
    ids = ts.score(lm, "x = '😀é'").token_ids.tolist()
    answer: dict[str, Any] = {
        "choices": [
            {
                "logprobs": {
                    "tokens": [f"token_id:{i}" for i in ids],
                    "token_logprobs": [-1.0] * len(ids),
                    "top_logprobs": [{f"token_id:{i}": -1.0, "token_id:5": -2.0} for i in ids],
                },
                "finish_reason": "length",
            }
        ]
    }
    found = ts.import_answer(answer, tokenizer="tokenscope-py")
    assert found.trace.text == "x = '😀é'"
    assert found.trace.token_ids.tolist() == ids
    assert found.trace.vocabulary.token_bytes[5] == lm.vocabulary.token_bytes[5]
    assert found.trace.model.vocabulary_size == lm.identity.vocabulary_size
    assert (found.notes, found.needs_tokenizer) == ((), False)
    answer["choices"][0]["logprobs"]["tokens"][0] = "token_id:999999"
    with pytest.raises(ts.RecordError, match="another model's"):
        ts.import_answer(answer, tokenizer="tokenscope-py")
    with pytest.raises(ts.ModelNotFoundError):
        ts.import_answer(answer, tokenizer="/no/such/model")


def test_another_model_s_tokenizer_is_noticed() -> None:
    found = ts.import_answer(
        {"choices": [{"message": {"content": "?"}, "logprobs": {"content": [
            {"id": 300, "token": "?!?!", "bytes": list(b"?!?!"), "logprob": -1.0}]}}]},
        tokenizer="tokenscope-py",
    )  # fmt: skip
    assert any("another model's" in note for note in found.notes)


def test_different_halves_of_characters_are_different_tokens() -> None:
    found = read("vllm_halves")
    first, second = found.trace.token_ids[1:3].tolist()
    assert first != second
    assert found.trace.candidate_ids[1].tolist()[0] == first
    assert found.trace.candidate_ids[1].tolist()[1] not in (first, second)
    assert {first, second} <= found.trace.vocabulary.unknown_ids
    assert not found.needs_tokenizer, "there is no id that it could tell the bytes of"


def test_a_prompt_s_log_probabilities_are_read_with_ids_and_ranks() -> None:
    trace = read("vllm_prompt").trace
    assert (trace.prompt_length, trace.source.tolist()) == (2, ["prompt"] * 2 + ["sampled"] * 2)
    np.testing.assert_array_equal(trace.rank[:2], [NAN, 17])
    assert trace.candidate_ids[1].tolist() == [10, 9]
    assert trace.vocabulary.token_bytes[10] == b"class"


def test_an_echoed_prompt_with_its_own_log_probabilities_stands_there_once() -> None:
    (file,) = FOLDER.glob("vllm_prompt.*")
    answer = json.loads(file.read_text())
    logprobs = answer["choices"][0]["logprobs"]
    logprobs["tokens"] = ["x", "def", *logprobs["tokens"]]
    logprobs["token_logprobs"] = [None, -4.0, *logprobs["token_logprobs"]]
    logprobs["top_logprobs"] = [None, None, *logprobs["top_logprobs"]]
    logprobs["text_offset"] = [0, 1, 4, 6]
    answer["choices"][0]["text"] = "xdef f("
    trace = ts.import_answer(answer).trace
    assert trace.token_ids.tolist() == [7, 9, 41, 42]
    assert trace.rank[1] == 17


def test_rank_and_margin_are_as_far_as_the_lists_decide() -> None:
    outside = read("taken_outside_top").trace
    assert np.isnan(outside.rank[0]), "3 or more, not 1"
    infinite = read("minus_infinity").trace
    assert infinite.candidate_logprobs.tolist() == [[0.0, -np.inf]]
    assert (infinite.rank[0], infinite.margin[0]) == (1, 1)
    listed = read("gemini").trace
    assert listed.rank.tolist() == [1, 2], "its lists are of the likeliest alone"
    np.testing.assert_allclose(listed.margin, np.exp([-0.1, -0.2]) - np.exp([-2.5, -1.75]))


def test_a_text_that_contradicts_its_tokens_is_told() -> None:
    found = read("fused")
    assert len(found.notes) == 1
    assert "contradicts" in found.notes[0]
    with pytest.warns(UserWarning, match="contradicts"):
        ts.import_openai_logprobs((FOLDER / "fused.json").read_bytes())


@pytest.mark.parametrize(
    ("text", "tokens", "ended", "told"),
    [
        ("ab", ["a", "b"], "length", False),
        ("a", ["a", "\n\n"], "stop", False),
        ("a", ["a", "\n\nx"], "length", True),
        ("ab", [" a", "b"], "length", False),
        ("", ["a"], "length", True),
        ("abc", ["a", "b"], "stop", True),
        ("xb", ["a", "b"], "length", True),
        ("a😀b", ["a", "\ufffd", "\ufffd", "b"], "length", False),
        ("a😀b", ["a", "\ufffd", "\ufffd", "c"], "length", True),
    ],
)
def test_only_a_real_contradiction_is_told(
    text: str, tokens: list[str], ended: str, told: bool
) -> None:
    logprobs = {"tokens": tokens, "token_logprobs": [-1.0] * len(tokens)}
    answer = {"choices": [{"text": text, "logprobs": logprobs, "finish_reason": ended}]}
    found = ts.import_answer(answer)
    assert any("contradicts" in note for note in found.notes) == told


def test_what_a_page_cannot_show_is_spelled_out_in_a_note() -> None:
    logprobs = {"tokens": ["a"], "token_logprobs": [-1.0]}
    found = ts.import_answer({"choices": [{"text": "\ud800", "logprobs": logprobs}]})
    assert "“\\ud800”" in found.notes[0]


def test_a_call_of_a_tool_is_no_contradiction() -> None:
    message = {"content": None, "tool_calls": [{"id": "1"}]}
    content = [{"token": "{}", "bytes": [123, 125], "logprob": -1.0}]
    answer = {"choices": [{"message": message, "logprobs": {"content": content}}]}
    assert ts.import_answer(answer).notes == ()
    message["content"] = "said"
    assert ts.import_answer(answer).notes != ()


def test_a_character_of_several_tokens_is_not_measured_by_its_last() -> None:
    for name in ("llamacpp_fused", "llamacpp_stream", "llamacpp_openai"):
        found = read(name)
        assert np.isnan(found.trace.rank[0])
        assert (found.trace.candidate_ids[0] == -1).all()
        assert "1 of 3" in found.notes[0]
    (file,) = FOLDER.glob("llamacpp_fused.*")
    # Counted as one token each, nothing is left out; with neither count nor ids what cannot be
    # told from a character of several tokens is.
    answer = json.loads(file.read_text()) | {"tokens": [], "tokens_predicted": 3}
    answer["completion_probabilities"][0]["top_logprobs"] = []
    assert ts.import_answer(answer).trace.logprob[0] == -0.2
    del answer["tokens_predicted"]
    assert np.isnan(ts.import_answer(answer).trace.logprob[0])


def test_probabilities_after_sampling_are_no_raw_ones() -> None:
    trace = read("llamacpp_sampled").trace
    assert trace.sampled_logprob.tolist() == [0.0]
    assert (trace.candidate_ids == -1).all()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"model": "m", "response": "Hi", "done": True}, "recognised as: Ollama"),
        ({"content": "Hi", "tokens_predicted": 1}, "n_probs"),
        ({"generated_text": "Hi"}, "details=true"),
        ({"candidates": [{"content": {}}]}, "responseLogprobs"),
        ({"choices": [{"message": {"content": "x"}}]}, "OpenAI, chat completion"),
        ({"error": {"message": "no such model"}}, "no such model"),
        ({"hello": 1}, "OpenAI, vLLM, llama.cpp, Ollama"),
        (b'{"id": "a", "choices": []}\n{"id": "b", "choices": []}', "2 answers"),
        (b"data: {\n\n", "no JSON"),
    ],
)
def test_an_answer_without_log_probabilities_says_how_to_ask_for_them(
    source: Any, said: str
) -> None:
    with pytest.raises(ts.RecordError, match=said):
        ts.import_answer(source)


def test_parsed_chunks_are_read_like_their_file() -> None:
    chunks = [json.loads(line) for line in (FOLDER / "ollama_stream.jsonl").open()]
    assert ts.import_answer(chunks).trace.key == read("ollama_stream").trace.key


def test_one_of_several_choices_of_a_stream_is_read() -> None:
    chunks = [
        {"choices": [{"index": i, "delta": {"content": t}, "logprobs": {"content": [
            {"token": t, "logprob": -1.0}]}}]}
        for i, t in ((1, "x"), (0, "a"), (1, "y"))
    ]  # fmt: skip
    assert ts.import_answer(chunks, choice=1).trace.text == "xy"
    with pytest.raises(ts.RecordError, match="no choice 2"):
        ts.import_answer(chunks, choice=2)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_line_ends_of_a_stream_end_its_lines(end: str) -> None:
    texts = ["a\u2028", "\x85b", "\u2029"]
    events = [
        {"choices": [{"index": 0, "delta": {"content": t}, "logprobs": {"content": [
            {"token": t, "logprob": -1.0, "bytes": list(t.encode())}]}}]}
        for t in texts
    ]  # fmt: skip
    stream = "".join(f"data: {json.dumps(e, ensure_ascii=False)}{end}{end}" for e in events)
    assert ts.import_answer(f"{stream}data: [DONE]{end}{end}").trace.text == "".join(texts)


@pytest.mark.parametrize("value", ["-2.0", "-2"])
def test_alternatives_of_one_name_are_all_kept(value: str) -> None:
    source = (
        '{"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [-1],'
        f' "top_logprobs": [{{"a": -1, "\\ufffd": {value}, "\\ufffd": -3}}]}}}}]}}'
    )
    trace = ts.import_answer(source).trace
    assert trace.candidate_logprobs.tolist() == [[-1.0, -2.0, -3.0]]
    assert trace.margin[0] == pytest.approx(np.exp(-1) - np.exp(-2))
