"""A model's tokenizer without its weights, for a look before a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tokenscope_core.caching import lru_cache
from tokenscope_core.errors import ModelFormatError
from tokenscope_core.models.files.json_files import damage_of
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.foreign import foreign_files
from tokenscope_core.models.heavy_imports import import_engine
from tokenscope_core.models.tokenizers.marks import make_marks_special
from tokenscope_core.record.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A tokenizer is told how to treat special tokens before each text, so visitors take turns.
_TURN = threading.Lock()


@contextmanager
def tokenizer_of(files: ModelFiles) -> Iterator[tuple[PreTrainedTokenizerBase, Vocabulary]]:
    """The tokenizer of located files and its tokens, for one thread at a time.

    Raises:
        ModelFormatError: transformers cannot load it.
        CapabilityError: it does not spell out its bytes.
    """
    import_engine()
    with _TURN:
        yield _load(files)


@lru_cache(maxsize=2)
def _load(files: ModelFiles) -> tuple[PreTrainedTokenizerBase, Vocabulary]:
    from transformers import AutoTokenizer

    from tokenscope_core.models.tokenizers.token_bytes import vocabulary_of

    def refused(found: str) -> ModelFormatError:
        return ModelFormatError(
            asked=f"The tokenizer of “{files.name}” was to be loaded.",
            found=f"transformers could not load it: {damage_of(files.tokenizer_folder) or found}.",
            action="Take a complete copy of the model, or choose another.",
        )

    with foreign_files(refused):
        tokenizer = AutoTokenizer.from_pretrained(
            files.tokenizer_folder, trust_remote_code=False, local_files_only=True
        )
        make_marks_special(tokenizer)
        return tokenizer, vocabulary_of(tokenizer, len(tokenizer))
