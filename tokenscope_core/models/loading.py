"""Getting a chosen model ready: its files from wherever they are, then its weights into memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenscope_core.caching import cache
from tokenscope_core.models.files import hub
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.facts import ModelFacts, facts_of, hub_facts
from tokenscope_core.models.files.load_progress import LoadProgress, Report
from tokenscope_core.models.files.machine import devices, memory_of
from tokenscope_core.models.files.memory_need import memory_need, shortage
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.heavy_imports import import_engine
from tokenscope_core.models.obtaining import obtain

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

# Where transformers says how many weights it has loaded; one hook serves all threads.
_loading = threading.local()


def fetch(
    choice: ModelChoice,
    *,
    tokens: int,
    check_memory: bool,
    report: Report,
    wanted: Callable[[], bool],
) -> ModelFiles:
    """The files of a chosen model, downloaded or converted where they have to be, and read for the
    hash that names them where they never were.

    Args:
        choice: the model.
        tokens: how long its run gets, about.
        check_memory: refuse, before downloading, what this machine could not load.
        report: told how far the download, or the reading, has come.
        wanted: asked again and again whether to go on with it.

    Raises:
        ModelNotFoundError, ModelFormatError, ModelError: as `obtain`.
        ModelTooLargeError: it fits neither memory nor disk.
        LoadStopped: it is no longer wanted.
    """

    def download(name: str) -> Path:
        report(LoadProgress("downloading"))
        model = hub.ask(name)
        hub.require_disk(model)
        if check_memory:
            require_fit(choice, hub_facts(model), tokens=tokens)
        return hub.download(name, total=model.download_bytes, report=report, wanted=wanted)

    return obtain(
        choice.name, download=download, check_memory=check_memory, report=report, wanted=wanted
    )


def require_fit(choice: ModelChoice, facts: ModelFacts, *, tokens: int) -> None:
    """Refuse a model that would not fit even if nothing else were in memory.

    Raises:
        ModelTooLargeError: it would not.
    """
    total = memory_of(choice.device or devices()[0]).total
    short = shortage(choice, facts, tokens=tokens, present=total, free=False)
    if short is not None:
        raise short


def load(files: ModelFiles, choice: ModelChoice, report: Report) -> LanguageModel:
    """Load a located model as chosen, reporting the bytes loaded.

    Raises: as `models.load_model`.
    """
    total = memory_need(facts_of(files), dtype=choice.dtype).weights
    report(LoadProgress("starting"))
    import_engine()
    import torch

    from tokenscope_core.models.language_model import load_model

    report(LoadProgress("loading", 0, total))
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    dtype = getattr(torch, choice.dtype) if choice.dtype else None
    with _reporting(total, report):
        return load_model(files, dtype=dtype, device=choice.device or devices()[0])


@contextmanager
def _reporting(total: int, report: Report) -> Iterator[None]:
    """Turn what transformers says of this thread's loading into bytes.

    It counts weights, not bytes: the bytes are that share of the total, and so approximate.
    """
    _install_hook()
    _loading.say = lambda done, count: report(LoadProgress("loading", total * done // count, total))
    try:
        yield
    finally:
        _loading.say = None


@cache
def _install_hook() -> None:
    from transformers.utils import logging

    previous: Callable[..., Any] | None = None

    def hook(factory: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        say = getattr(_loading, "say", None)
        if say is not None and args:
            return _Counted(args[0], say)
        return previous(factory, args, settings) if previous else factory(*args, **settings)

    previous = logging.set_tqdm_hook(hook)


class _Counted:
    """Stands in for a progress bar around what is iterated."""

    def __init__(self, items: Iterable[Any], say: Callable[[int, int], None]) -> None:
        self._items = list(items)
        self._say = say

    def __iter__(self) -> Iterator[Any]:
        for done, item in enumerate(self._items, start=1):
            yield item
            self._say(done, len(self._items))
