"""From a request to the token ids a model reads: a text, a gap to be filled, or a conversation.

What a person typed is text wherever it stands: the name of a special token in it is split into
ordinary tokens. Only a layout's own marks and a chat template's own tokens are special.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

from transformers import PreTrainedTokenizerBase

from tokenscope_core.errors import CapabilityError
from tokenscope_core.models.tokenizers.marks import fill_convention, mark_ids
from tokenscope_core.models.tokenizers.tokenizing import continuing_ids, plain_ids, text_ids
from tokenscope_core.prompts.chat import conversation_ids, moment_written
from tokenscope_core.prompts.healing import Healing, healed
from tokenscope_core.record.request import Request
from tokenscope_core.record.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


def prompt_ids(lm: LanguageModel, request: Request) -> list[int]:
    """The ids a request's run begins with. Raises: as `layout_ids`."""
    return layout_ids(lm.tokenizer, lm.vocabulary, request, lm.identity.name)


def with_moment(
    tokenizer: PreTrainedTokenizerBase, request: Request, name: str, *, now: datetime
) -> Request:
    """The request as it is made now: with its moment, where the chat template writes one.

    One that has a moment keeps it. What is recorded must not go through this: it would become
    another request.

    Raises: as `layout_ids`.
    """
    if not request.messages or request.moment is not None:
        return request
    moment = moment_written(tokenizer, request.messages, now, name, request.template)
    return replace(request, moment=moment)


def layout_ids(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, request: Request, name: str
) -> list[int]:
    """The ids a request's run begins with. Args and raises: as `healing_of`."""
    ids, first = _laid_out(tokenizer, vocabulary, request, name)
    if not (request.heal and request.max_new_tokens):
        return ids
    return ids[: healed(vocabulary, ids, first).kept]


def healing_of(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, request: Request, name: str
) -> Healing:
    """What is taken back of a request's prompt where it is healed.

    Args:
        tokenizer: of the model.
        vocabulary: its tokens.
        request: with a suffix, messages or neither.
        name: what the model is called in an error.

    Raises:
        RequestError: there is nothing to read, or the chat template refuses the conversation, or
            writes the date where the request has no moment.
        CapabilityError: the model has no marks for a gap, or no chat template.
    """
    return healed(vocabulary, *_laid_out(tokenizer, vocabulary, request, name))


def _laid_out(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, request: Request, name: str
) -> tuple[list[int], int]:
    """The ids of a request's whole prompt, and where the end that was typed begins in them."""
    if request.messages:
        begun = conversation_ids(
            tokenizer, request.messages, request.moment, name, request.template
        )
        typed = continuing_ids(tokenizer, vocabulary, request.prompt)
        return [*begun, *typed], len(begun)
    if request.suffix is None:
        ids = text_ids(tokenizer, request.prompt)
        special = vocabulary.special_ids
        return ids, next((at for at, i in enumerate(ids) if i not in special), len(ids))
    convention = fill_convention(tokenizer)
    if convention is None:
        raise CapabilityError(
            asked="A gap was to be filled.",
            found=f"The tokenizer of “{name}” has no fill-in-the-middle tokens.",
            action="Choose a model trained for it, or generate from the prompt alone.",
        )
    parts = {
        convention.prefix: plain_ids(tokenizer, request.prompt),
        # Without SentencePiece's dummy space, as Code Llama and Codestral were trained.
        convention.suffix: continuing_ids(tokenizer, vocabulary, request.suffix),
    }
    ids, known = cast(list[int], tokenizer("")["input_ids"]), mark_ids(tokenizer)
    for mark in convention.marks:
        ids = [*ids, known[mark], *parts.get(mark, ())]
    return ids, len(ids)


def end_ids(lm: LanguageModel, request: Request) -> frozenset[int]:
    """The tokens that end a request's run: the model's own and, of a gap, the layout's."""
    convention = fill_convention(lm.tokenizer) if request.suffix is not None else None
    if convention is None:
        return lm.end_ids
    known = mark_ids(lm.tokenizer)
    return lm.end_ids | {known[name] for name in convention.controls if name in known}
