"""What a model would read of a request, from its tokenizer alone: no weights are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from tokenscope_core.caching import lru_cache
from tokenscope_core.models.files.authors_settings import authors_settings_of
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.tokenizers.loading import tokenizer_of
from tokenscope_core.record import conversation
from tokenscope_core.record.request import Request
from tokenscope_core.record.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Passage:
    """One special token's name, or the text between two of them; exact bytes."""

    text: bytes
    special: bool = False


@dataclass(frozen=True, slots=True)
class PromptPreview:
    """A prompt as it would be read now: its passages in order, and how many tokens they are.

    `moment` is the one that the chat template writes, None where it writes none; `taken_back` the
    bytes of its end that are generated again, where it is healed.
    """

    passages: tuple[Passage, ...]
    tokens: int
    moment: str | None = None
    taken_back: bytes = b""


def preview(files: ModelFiles, request: Request) -> PromptPreview:
    """Lay a request's prompt out without running it.

    Raises:
        ModelFormatError: transformers cannot load the tokenizer.
        RequestError, CapabilityError: as a run would, see `prompts.layout_ids`.
    """
    with tokenizer_of(files) as (tokenizer, vocabulary):
        from tokenscope_core.prompts.token_ids import healing_of, layout_ids, with_moment

        request = with_moment(tokenizer, request, files.name, now=conversation.local_time())
        ids = layout_ids(tokenizer, vocabulary, request, files.name)
        rest = b""
        if request.heal and request.max_new_tokens:
            rest = healing_of(tokenizer, vocabulary, request, files.name).rest
    return PromptPreview(tuple(_passages(vocabulary, ids)), len(ids), request.moment, rest)


@lru_cache(maxsize=32)
def unended_turn(files: ModelFiles) -> tuple[int, str] | None:
    """The token, its id and its name, with which the chat template ends an answer, where the
    model's files let no text end at it; None where they do, or where there is no such token.

    Raises:
        ModelFormatError: transformers cannot load the tokenizer.
    """
    with tokenizer_of(files) as (tokenizer, _):
        from tokenscope_core.prompts.chat import end_of_turn

        found = end_of_turn(tokenizer, files.name)
        ends = authors_settings_of(files).end_ids
        if not ends and tokenizer.eos_token_id is not None:
            ends = (tokenizer.eos_token_id,)
    return None if found is None or found[0] in ends else found


def _passages(vocabulary: Vocabulary, ids: Iterable[int]) -> Iterator[Passage]:
    ids = list(ids)
    pairs = zip(ids, vocabulary.pieces(ids), strict=True)
    for special, group in groupby(pairs, lambda pair: pair[0] in vocabulary.special_ids):
        if special:
            yield from (Passage(vocabulary.token_bytes[i], special=True) for i, _ in group)
        else:
            yield Passage(b"".join(piece for _, piece in group))
