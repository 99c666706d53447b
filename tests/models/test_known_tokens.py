"""A tokenizer with more tokens than its model has rows for: which texts are refused, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import PreTrainedTokenizerFast

import tokenscope_core as ts
from tokenscope_core.branches.insertion import insertion
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.language_model import describe
from tokenscope_core.sharing import links as share

SAYS = (
    r"That takes the token “<extra>” \(id 290\): the model “.*” has rows for 290 tokens, "
    r"ids 0 to 289; its tokenizer has 293 tokens\. .*choose a model whose embedding has a row"
)
TEMPLATE = "{% for m in messages %}<extra>{{ m.content }}{% endfor %}"


def larger_tokenizer() -> PreTrainedTokenizerFast:
    backend = tiny_models.tokenizer().backend_tokenizer
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=type(backend).from_str(backend.to_str()), eos_token="<|endoftext|>"
    )
    tokenizer.add_tokens(["<extra>", "<fim_prefix>", "<fim_suffix>"])
    return tokenizer


@pytest.fixture(scope="module")
def lm() -> ts.LanguageModel:
    return describe(tiny_models.model("llama"), larger_tokenizer(), tiny_models.files("larger"))


def test_it_loads_from_a_folder_and_reads_other_texts(tmp_path: Path) -> None:
    tiny_models.model("llama").save_pretrained(tmp_path)
    larger_tokenizer().save_pretrained(tmp_path)
    loaded = ts.load_model(tmp_path)
    assert ts.score(loaded, "a<b>").text == "a<b>"
    with pytest.raises(ts.RequestError, match=SAYS):
        ts.score(loaded, "a<extra>b")


def _chat(lm: ts.LanguageModel) -> object:
    tokenizer = larger_tokenizer()
    tokenizer.chat_template = TEMPLATE
    chatting = dataclasses.replace(lm, tokenizer=tokenizer)
    return ts.generate(chatting, ts.Request("", messages=(ts.Message("user", "x"),)))


def _branch(lm: ts.LanguageModel, **put: object) -> object:
    return ts.fork(lm, ts.score(lm, "x = 1"), 2, **put)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "read",
    [
        lambda lm: ts.score(lm, "a<extra>b"),
        lambda lm: ts.generate(lm, ts.Request("a<extra>b", max_new_tokens=2)),
        lambda lm: list(ts.stream(lm, ts.Request("a<extra>b", max_new_tokens=2))),
        lambda lm: _branch(lm, token_id=290),
        lambda lm: _branch(lm, text="<extra>"),
        _chat,
    ],
)
def test_a_text_with_a_token_the_model_has_not_is_refused(
    lm: ts.LanguageModel, read: Callable[[ts.LanguageModel], object]
) -> None:
    with pytest.raises(ts.RequestError, match=SAYS):
        read(lm)


def test_a_text_that_is_typed_into_a_branch_is_refused_before_it_runs(tmp_path: Path) -> None:
    larger_tokenizer().save_pretrained(tmp_path)
    files = ModelFiles("larger", tmp_path, "hash")
    with pytest.raises(ts.RequestError, match=SAYS):
        insertion(files, "<extra>", before=b"x", after=b"", rows=290)
    assert insertion(files, "y", before=b"x", after=b"", rows=290).pieces == (b"y",)


def test_a_gap_whose_marks_the_model_has_not_is_refused() -> None:
    tokenizer = larger_tokenizer()
    tokenizer.add_tokens(["<fim_middle>"])
    lm = describe(tiny_models.model("llama"), tokenizer, tiny_models.files("marks"))
    with pytest.raises(ts.RequestError, match=r"“<fim_prefix>” \(id 291\)"):
        ts.generate(lm, ts.Request("a", suffix="b", max_new_tokens=2))


def test_an_id_that_nobody_has_is_refused_by_its_number(lm: ts.LanguageModel) -> None:
    with pytest.raises(ts.RequestError, match=r"the token with id 999.*ids 0 to 289"):
        _branch(lm, token_id=999)


def test_attention_over_ids_that_the_model_has_not_is_refused(lm: ts.LanguageModel) -> None:
    for asked in (ts.attention, ts.rollout):
        with pytest.raises(ts.RequestError, match=SAYS):
            asked(lm, [0, 290])
        for ids in ([0, -1], [0, 1.5], [0, "x"]):
            with pytest.raises(ts.RequestError, match="a whole number, 0 or more"):
                asked(lm, ids)  # type: ignore[arg-type]


def test_a_link_that_puts_such_a_token_in_is_refused(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, "x = 1")
    child = ts.fork(lm, trace, 2, token_id=5, max_new_tokens=0)
    assert child.branch is not None
    key, edit = child.branch
    forged = dataclasses.replace(child, branch=(key, dataclasses.replace(edit, token_ids=(290,))))
    opened = share.decode(share.encode(ts.Session.start(trace).add(forged)))
    edits = [branch.edit for branch in opened.session.branches if branch.edit is not None]
    with pytest.raises(ts.RequestError, match="290"):
        ts.fork(lm, trace, edits[0].position, token_id=edits[0].token_ids[0])


def test_candidates_are_tokens_that_the_model_has(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, "x = 1", candidates=200)
    assert trace.candidate_ids.max() < 290


def test_a_head_wider_than_the_embedding_ends_with_a_sentence() -> None:
    """Its model may draw a token that it cannot read."""
    model = tiny_models.model("llama")
    head = torch.nn.Linear(32, 300)
    torch.nn.init.constant_(head.bias, 0.0)
    head.bias.data[295] = 1000.0
    model.lm_head = head
    lm = describe(model.eval(), tiny_models.tokenizer(), tiny_models.files("wide head"))
    assert lm.identity.vocabulary_size == 300
    assert lm.token_rows == 290
    with pytest.raises(ts.RequestError, match=r"What was drawn .*\(id 295\).*ids 0 to 289"):
        ts.generate(lm, ts.Request("x", max_new_tokens=3))
