"""How a request becomes the tokens that a model reads."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import tiny_models

from tokenscope_core import CapabilityError, LanguageModel, Request, RequestError, generate
from tokenscope_core.model_files import ModelFiles
from tokenscope_core.models import describe
from tokenscope_core.prompts import fill_in_the_middle_marks, prompt_ids

MARKS = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"]


@pytest.fixture(scope="module")
def filler(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.add_special_tokens({"additional_special_tokens": MARKS})
    model = tiny_models.model("llama")
    model.resize_token_embeddings(len(tokenizer))
    return describe(model, tokenizer, ModelFiles("filler", tmp_path_factory.mktemp("x"), "hash"))


def test_a_gap_is_laid_out_prefix_suffix_middle(filler: LanguageModel) -> None:
    ids = prompt_ids(filler, Request("a = ", suffix="\nb"))
    prefix, suffix, middle = (filler.tokenizer.convert_tokens_to_ids(mark) for mark in MARKS)
    places = [ids.index(mark) for mark in (prefix, suffix, middle)]
    assert ids[0] == filler.tokenizer.bos_token_id
    assert places[0] == 1
    assert places == sorted(places)
    assert places[2] == len(ids) - 1


def test_the_marks_add_nothing_to_the_text(filler: LanguageModel) -> None:
    trace = generate(filler, Request("é = ", suffix="\r\n👋", max_new_tokens=0))
    assert trace.text == "é = \r\n👋"
    assert trace.special.sum() == 4


def test_a_mark_typed_by_a_person_stays_text(filler: LanguageModel) -> None:
    trace = generate(filler, Request("x = '<fim_middle>'", max_new_tokens=0))
    assert trace.text == "x = '<fim_middle>'"
    assert trace.special.sum() == 1


def test_a_model_without_marks_says_so(lm: LanguageModel) -> None:
    assert fill_in_the_middle_marks(lm.tokenizer) is None
    assert not lm.capabilities.fill_in_the_middle
    with pytest.raises(CapabilityError, match="no fill-in-the-middle tokens"):
        generate(lm, Request("a", suffix="b"))


def test_requests_with_and_without_a_suffix_differ(filler: LanguageModel) -> None:
    plain = Request("a", max_new_tokens=0)
    gap = replace(plain, suffix="")
    assert generate(filler, plain).key != generate(filler, gap).key
    assert Request.from_json(gap.to_json()) == gap


def test_a_suffix_must_be_text() -> None:
    with pytest.raises(RequestError):
        Request("a", suffix="\ud800")
