"""From a request to the token ids a model reads: plain continuation, or a gap to be filled.

Fill-in-the-middle is laid out prefix, suffix, middle (PSM, arXiv:2207.14255): a mark, the code
before the gap, a mark, the code after it, a mark; then the model writes what belongs between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from transformers import PreTrainedTokenizerBase

from tokenscope_core.errors import CapabilityError
from tokenscope_core.request import Request

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel

# Marks before the prefix, the suffix and the middle, by who introduced them.
_CONVENTIONS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen, and the shipped model
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),  # SantaCoder
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # DeepSeek Coder
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),  # Code Llama
)


def fill_in_the_middle_marks(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int, int] | None:
    """The ids of a tokenizer's marks before prefix, suffix and middle; None where it has none."""
    vocabulary = tokenizer.get_vocab()
    for marks in _CONVENTIONS:
        if all(mark in vocabulary for mark in marks):
            prefix, suffix, middle = (vocabulary[mark] for mark in marks)
            return prefix, suffix, middle
    return None


def prompt_ids(lm: LanguageModel, request: Request) -> list[int]:
    """The ids a request's run begins with.

    Raises:
        RequestError: there is nothing to read.
        CapabilityError: the request has a suffix and the model no marks for one.
    """
    if request.suffix is None:
        return lm.encode(request.prompt)
    marks = fill_in_the_middle_marks(lm.tokenizer)
    if marks is None:
        raise CapabilityError(
            asked="A gap was to be filled.",
            found=f"The tokenizer of “{lm.identity.name}” has no fill-in-the-middle tokens.",
            action="Choose a model trained for it, or generate from the prompt alone.",
        )
    begin = cast(list[int], lm.tokenizer("")["input_ids"])
    prefix, suffix = (
        cast(
            list[int],
            lm.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"],
        )
        for text in (request.prompt, request.suffix)
    )
    return [*begin, marks[0], *prefix, marks[1], *suffix, marks[2]]
