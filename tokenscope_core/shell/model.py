"""Getting and loading a model at a shell, where a person waits for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.files.sources import identified
from tokenscope_core.models.obtaining import obtain
from tokenscope_core.record.trace import Trace

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
    """A model's files with the hash that names them; standard error says how far what takes long
    has come: a download, a conversion, the first reading of much.

    Raises: as `obtain`.
    """
    said = _Said()
    files = obtain(name, report=said)
    said.end()
    return files


class _Said:
    """One line, drawn again and again at a terminal; elsewhere once for each stage."""

    def __init__(self) -> None:
        self._stage = ""
        self._at_terminal = sys.stderr.isatty()

    def __call__(self, progress: LoadProgress) -> None:
        if not progress.total:
            return
        text = _text(progress)
        if self._at_terminal:
            print(f"\r\033[K{text}, {progress.done / progress.total:.0%}", end="", file=sys.stderr)
        elif progress.stage != self._stage:
            print(text, file=sys.stderr)
        self._stage = progress.stage
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line to what is printed next."""
        if self._at_terminal and self._stage:
            print(end="\r\033[K", file=sys.stderr, flush=True)


def _text(progress: LoadProgress) -> str:
    total = progress.total or 0
    match progress.stage:
        case "downloading":
            return f"Downloading {size_text(total)}"
        case "converting":
            return f"Converting {total:,} tensors to safetensors, once"
        case _:
            return f"Reading the model once, to tell it from others: {size_text(total)}"


def model_of(trace: Trace, name: str | None) -> LanguageModel:
    """The model that a trace came from, in the precision that it ran in."""
    choice = None if name is not None else identified(trace.model)
    if choice is None or choice.dtype is None:
        return open_model(name or (trace.model.name if choice is None else choice.name))
    import torch

    return open_model(choice.name, dtype=getattr(torch, choice.dtype))
