"""The fill-in-the-middle marks that a tokenizer knows, made special tokens where they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tokenscope_core.models.fill_in_the_middle import CONVENTIONS, FillConvention, convention_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def fill_convention(tokenizer: PreTrainedTokenizerBase) -> FillConvention | None:
    """How a tokenizer's model is told of a gap; None where it has no marks for one."""
    return convention_of(mark_ids(tokenizer))


def make_marks_special(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a layout's marks special tokens where they are none yet, as in Qwen2.5-Coder, so that
    they add nothing to a text and are never read from one."""
    convention = fill_convention(tokenizer)
    if convention is None:
        return
    known, special = mark_ids(tokenizer), set(tokenizer.all_special_tokens)
    ordinary = [name for name in convention.controls if name in known and name not in special]
    if ordinary:
        tokenizer.add_special_tokens(
            {"extra_special_tokens": ordinary}, replace_extra_special_tokens=False
        )


def mark_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The marks of any convention that a tokenizer knows, with their ids."""
    names = {name for convention in CONVENTIONS for name in convention.controls}
    ids = {name: cast(int | None, tokenizer.convert_tokens_to_ids(name)) for name in names}
    # A name that a tokenizer does not know may get the id of its unknown token.
    return {
        name: token_id
        for name, token_id in ids.items()
        if token_id is not None and tokenizer.convert_ids_to_tokens(token_id) == name
    }
