"""From a request to the token ids a model reads: a text, a gap to be filled, or a conversation.

What a person typed is text wherever it stands: the name of a special token in it is split into
ordinary tokens. Only a layout's own marks and a chat template's own tokens are special.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

from transformers import PreTrainedTokenizerBase

from tokenscope_core.errors import CapabilityError, RequestError
from tokenscope_core.models.fill_in_the_middle import CONVENTIONS, FillConvention, convention_of
from tokenscope_core.models.tokenizers.tokenizing import split
from tokenscope_core.prompts.chat import conversation_ids, moment_written
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import Vocabulary

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

# Stands before a text that goes on from another one, and is taken away again: SentencePiece gives
# its dummy space to this.
_GUARD = "☺"


def fill_convention(tokenizer: PreTrainedTokenizerBase) -> FillConvention | None:
    """How a tokenizer's model is told of a gap; None where it has no marks for one."""
    return convention_of(_controls(tokenizer))


def make_marks_special(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a layout's marks special tokens where they are none yet, as in Qwen2.5-Coder, so that
    they add nothing to a text and are never read from one."""
    convention = fill_convention(tokenizer)
    if convention is None:
        return
    known, special = _controls(tokenizer), set(tokenizer.all_special_tokens)
    ordinary = [name for name in convention.controls if name in known and name not in special]
    if ordinary:
        tokenizer.add_special_tokens(
            {"extra_special_tokens": ordinary}, replace_extra_special_tokens=False
        )


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text, with the special tokens that its model expects before a prompt.

    Raises:
        RequestError: the text has no tokens, and the model has none to begin with.
        CapabilityError: the tokenizer cannot split it.
    """
    token_ids = cast(list[int], split(tokenizer, text)["input_ids"])
    if not token_ids:
        raise RequestError(
            asked="An empty text was given.",
            found="This model has no token to begin a text with, so it has nothing to read.",
            action="Type at least one character.",
        )
    return token_ids


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
    return replace(request, moment=moment_written(tokenizer, request.messages, now, name))


def layout_ids(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, request: Request, name: str
) -> list[int]:
    """The ids a request's run begins with.

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
    if request.messages:
        begun = conversation_ids(tokenizer, request.messages, request.moment, name)
        return [*begun, *_continuing_ids(tokenizer, vocabulary, request.prompt)]
    if request.suffix is None:
        return text_ids(tokenizer, request.prompt)
    convention = fill_convention(tokenizer)
    if convention is None:
        raise CapabilityError(
            asked="A gap was to be filled.",
            found=f"The tokenizer of “{name}” has no fill-in-the-middle tokens.",
            action="Choose a model trained for it, or generate from the prompt alone.",
        )
    parts = {
        convention.prefix: _plain_ids(tokenizer, request.prompt),
        # Without SentencePiece's dummy space, as Code Llama and Codestral were trained.
        convention.suffix: _continuing_ids(tokenizer, vocabulary, request.suffix),
    }
    ids, known = cast(list[int], tokenizer("")["input_ids"]), _controls(tokenizer)
    for mark in convention.marks:
        ids = [*ids, known[mark], *parts.get(mark, ())]
    return ids


def end_ids(lm: LanguageModel, request: Request) -> frozenset[int]:
    """The tokens that end a request's run: the model's own and, of a gap, the layout's."""
    convention = fill_convention(lm.tokenizer) if request.suffix is not None else None
    if convention is None:
        return lm.end_ids
    known = _controls(lm.tokenizer)
    return lm.end_ids | {known[name] for name in convention.controls if name in known}


def _controls(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The marks of any convention that a tokenizer knows, with their ids."""
    names = {name for convention in CONVENTIONS for name in convention.controls}
    ids = {name: cast(int | None, tokenizer.convert_tokens_to_ids(name)) for name in names}
    # A name that a tokenizer does not know may get the id of its unknown token.
    return {
        name: token_id
        for name, token_id in ids.items()
        if token_id is not None and tokenizer.convert_ids_to_tokens(token_id) == name
    }


def _plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    encoded = split(tokenizer, text, add_special_tokens=False)
    return cast(list[int], encoded["input_ids"])


def _continuing_ids(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, text: str
) -> list[int]:
    """Ids of a text that does not begin one: no special tokens and no dummy space."""
    if not vocabulary.dummy_prefix:
        return _plain_ids(tokenizer, text)
    encoded = split(tokenizer, _GUARD + text, add_special_tokens=False, return_offsets_mapping=True)
    places = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return [token_id for token_id, (start, _) in places if start >= len(_GUARD)]
