"""What a model would read of a request, from its tokenizer alone: no weights are loaded."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from tokenscope_core.errors import ModelFormatError, summary_of
from tokenscope_core.importing import import_engine
from tokenscope_core.model_files import ModelFiles
from tokenscope_core.request import Request
from tokenscope_core.steps import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A tokenizer is told how to treat special tokens before each text, so visitors take turns.
_TURN = threading.Lock()


@dataclass(frozen=True, slots=True)
class Passage:
    """One special token's name, or the text between two of them; exact bytes."""

    text: bytes
    special: bool = False


@dataclass(frozen=True, slots=True)
class PromptPreview:
    """A prompt as it would be read: its passages in order, and how many tokens they are."""

    passages: tuple[Passage, ...]
    tokens: int


def preview(files: ModelFiles, request: Request) -> PromptPreview:
    """Lay a request's prompt out without running it.

    Raises:
        ModelFormatError: transformers cannot load the tokenizer.
        RequestError, CapabilityError: as a run would, see `prompts.layout_ids`.
    """
    import_engine()
    from tokenscope_core.prompts import layout_ids

    with _TURN:
        tokenizer, vocabulary = _tokenizer(files)
        ids = layout_ids(tokenizer, vocabulary, request, files.name)
    return PromptPreview(tuple(_passages(vocabulary, ids)), len(ids))


def _passages(vocabulary: Vocabulary, ids: Iterable[int]) -> Iterator[Passage]:
    ids = list(ids)
    pairs = zip(ids, vocabulary.pieces(ids), strict=True)
    for special, group in groupby(pairs, lambda pair: pair[0] in vocabulary.special_ids):
        if special:
            yield from (Passage(vocabulary.token_bytes[i], special=True) for i, _ in group)
        else:
            yield Passage(b"".join(piece for _, piece in group))


@functools.lru_cache(maxsize=2)
def _tokenizer(files: ModelFiles) -> tuple[PreTrainedTokenizerBase, Vocabulary]:
    from transformers import AutoTokenizer

    from tokenscope_core.prompts import make_marks_special
    from tokenscope_core.token_bytes import vocabulary_of

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            files.folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        # transformers raises a different type for every way a folder can be wrong.
        raise ModelFormatError(
            asked=f"The tokenizer of “{files.name}” was to be loaded.",
            found=f"transformers could not load it: {summary_of(error)}",
            action="Take a complete copy of the model, or choose another.",
        ) from error
    make_marks_special(tokenizer)
    return tokenizer, vocabulary_of(tokenizer, len(tokenizer))
