"""How a request becomes the tokens that a model reads: plain texts, and gaps to be filled."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import tiny_models
from made_tokenizers import byte_fallback_tokenizer, metaspace_tokenizer
from transformers import AddedToken, PreTrainedTokenizerFast

from tokenscope_core import (
    CapabilityError,
    LanguageModel,
    Request,
    RequestError,
    fork,
    generate,
    stream,
)
from tokenscope_core.models.fill_in_the_middle import CONVENTIONS, FillConvention, filled_gap
from tokenscope_core.models.language_model import describe
from tokenscope_core.prompts.token_ids import end_ids, fill_convention, prompt_ids

STARCODER = next(c for c in CONVENTIONS if c.prefix == "<fim_prefix>")
QWEN = next(c for c in CONVENTIONS if c.prefix == "<|fim_prefix|>")
CODE_LLAMA = next(c for c in CONVENTIONS if c.prefix == "▁<PRE>")
CODESTRAL = next(c for c in CONVENTIONS if c.middle is None)


def filler_of(
    convention: FillConvention,
    tokenizer: PreTrainedTokenizerFast | None = None,
    *,
    special: bool = True,
) -> LanguageModel:
    """A tiny model whose tokenizer has a convention's tokens."""
    tokenizer = copy.deepcopy(tokenizer or tiny_models.tokenizer())
    tokenizer.add_tokens(
        [AddedToken(name, special=special, normalized=False) for name in convention.controls],
        special_tokens=special,
    )
    model = tiny_models.model("llama")
    model.resize_token_embeddings(len(tokenizer))
    return describe(model, tokenizer, tiny_models.files("filler"))


@pytest.fixture(scope="module")
def filler() -> LanguageModel:
    return filler_of(STARCODER)


def special_names(lm: LanguageModel, ids: list[int]) -> list[str]:
    return [lm.vocabulary.label(i) for i in ids if i in lm.vocabulary.special_ids]


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.prefix)
def test_a_gap_is_laid_out_as_its_convention_says(convention: FillConvention) -> None:
    lm = filler_of(convention)
    assert fill_convention(lm.tokenizer) == convention
    request = Request("é = ", suffix="\r\n👋", max_new_tokens=0)
    ids = prompt_ids(lm, request)
    assert special_names(lm, ids) == ["<|endoftext|>", *convention.marks]
    assert (ids[-1] in lm.vocabulary.special_ids) == (convention.middle is not None)
    trace = generate(lm, request)
    assert trace.text == ("\r\n👋é = " if convention.suffix_first else "é = \r\n👋")


def test_the_marks_of_the_conventions_are_told_apart() -> None:
    names = [frozenset(convention.marks) for convention in CONVENTIONS]
    assert len(set(names)) == len(names)
    assert all(not a < b for a in names for b in names)


def test_a_token_that_ends_the_middle_ends_the_run(
    filler: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    separator = filler.tokenizer.convert_tokens_to_ids("<file_sep>")
    gap = Request("a", suffix="b", max_new_tokens=4)
    assert separator in end_ids(filler, gap)
    assert separator not in end_ids(filler, replace(gap, suffix=None))
    weights = filler.model.lm_head.weight.data.clone()
    try:
        # Whatever the state, the separator's logit is the largest of all in size; choose its sign.
        filler.model.lm_head.weight.data[separator] *= 1000
        if next(s for s in stream(filler, gap) if s.source == "sampled").token_id != separator:
            filler.model.lm_head.weight.data[separator] *= -1
        trace = generate(filler, gap)
        plain = generate(filler, replace(gap, suffix=None))
    finally:
        filler.model.lm_head.weight.data.copy_(weights)
    assert trace.token_ids[trace.prompt_length] == separator
    assert (trace.finish_reason, len(trace) - trace.prompt_length) == ("eos", 1)
    assert plain.finish_reason == "length"


def test_a_token_that_ends_the_middle_ends_a_branch_it_is_put_into(filler: LanguageModel) -> None:
    separator = filler.tokenizer.convert_tokens_to_ids("<file_sep>")
    parent = generate(filler, Request("a", suffix="b", max_new_tokens=4))
    branch = fork(filler, parent, parent.prompt_length, token_id=separator)
    assert (branch.finish_reason, len(branch)) == ("eos", parent.prompt_length + 1)


@pytest.mark.parametrize("convention", [STARCODER, CODESTRAL], ids=["suffix last", "suffix first"])
def test_the_filled_code_reads_in_its_own_order(convention: FillConvention) -> None:
    trace = generate(filler_of(convention), Request("x = é", suffix="\r\ny", max_new_tokens=4))
    gap = filled_gap(trace)
    assert gap is not None
    assert (gap.before, gap.after) == ("x = é".encode(), b"\r\ny")
    generated = slice(trace.prompt_length, None)
    assert gap.middle == b"".join(trace.vocabulary.pieces(trace.token_ids[generated].tolist()))
    assert gap.code == gap.before + gap.middle + gap.after
    assert gap.suffix_first is convention.suffix_first


def test_a_trace_without_a_gap_has_no_filled_code(lm: LanguageModel) -> None:
    assert filled_gap(generate(lm, Request("x", max_new_tokens=1))) is None


@pytest.mark.parametrize("convention", [CODE_LLAMA, CODESTRAL], ids=["Code Llama", "Codestral"])
@pytest.mark.parametrize(
    "tokenizer",
    [
        byte_fallback_tokenizer(dummy_prefix=True),
        metaspace_tokenizer("always"),
        metaspace_tokenizer("first"),
    ],
    ids=["prepended", "always", "first"],
)
@pytest.mark.parametrize("after", ["  de", "def", "\n👋", ""])
def test_the_code_after_the_gap_gets_no_dummy_space(
    convention: FillConvention, tokenizer: PreTrainedTokenizerFast, after: str
) -> None:
    lm = filler_of(convention, tokenizer)
    trace = generate(lm, Request("def", suffix=after, max_new_tokens=0))
    gap = filled_gap(trace)
    assert gap is not None
    assert (gap.before, gap.after) == (b"def", after.encode())
    spelled = b"".join(
        lm.vocabulary.token_bytes[i] for i in trace.token_ids if not special(lm, i)
    ).decode()
    assert spelled == (f"{after} def" if convention.suffix_first else f" def{after}")


def special(lm: LanguageModel, token_id: int) -> bool:
    return token_id in lm.vocabulary.special_ids


def test_marks_that_are_no_special_tokens_work_like_those_that_are() -> None:
    lm = filler_of(QWEN, special=False)
    size = len(lm.tokenizer)
    gap = Request("a <|fim_middle|> b", suffix="<|file_sep|>", max_new_tokens=0)
    ids = prompt_ids(lm, gap)
    assert special_names(lm, ids) == ["<|endoftext|>", *QWEN.marks]
    assert generate(lm, gap).text == "a <|fim_middle|> b<|file_sep|>"
    assert len(lm.tokenizer) == size


def test_a_mark_typed_by_a_person_stays_text(filler: LanguageModel) -> None:
    trace = generate(filler, Request("x = '<fim_middle>'", max_new_tokens=0))
    assert trace.text == "x = '<fim_middle>'"
    assert trace.special.sum() == 1


def test_a_model_without_marks_says_so(lm: LanguageModel) -> None:
    assert fill_convention(lm.tokenizer) is None
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
