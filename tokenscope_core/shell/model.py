"""Loading a model at a shell, where a person waits for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.models.files.model_files import ModelFiles, identify, locate

if TYPE_CHECKING:
    import torch

    from tokenscope_core.models.language_model import LanguageModel


def open_model(name: str | None, *, dtype: torch.dtype | None = None) -> LanguageModel:
    """Load a model by its name.

    Raises: as `load_model`.
    """
    from transformers.utils import logging

    from tokenscope_core.models.language_model import load_model

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    return load_model(located(name), dtype=dtype)


def located(name: str | None) -> ModelFiles:
    """A model's files with the hash that names them; standard error says how far the first reading
    of much has come.

    Raises: as `locate` and `identify`.
    """
    files = identify(locate(name), report=_say)
    if sys.stderr.isatty():
        print(end="\r\033[K", file=sys.stderr)
    return files


def _say(progress: LoadProgress) -> None:
    """One line, drawn again and again at a terminal; elsewhere once."""
    if not progress.total or (progress.done and not sys.stderr.isatty()):
        return
    text = f"Reading the model once, to tell it from others: {size_text(progress.total)}"
    if sys.stderr.isatty():
        print(f"\r{text}, {progress.done / progress.total:.0%}", end="", file=sys.stderr)
    else:
        print(text, file=sys.stderr)
    sys.stderr.flush()
