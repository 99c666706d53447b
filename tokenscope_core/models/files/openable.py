"""Whether a model on this machine could be loaded and run, as far as its files say."""

from __future__ import annotations

from tokenscope_core.models.files.folder_checks import read_config
from tokenscope_core.models.files.formats.quantised import method_of_quantisation, require_method
from tokenscope_core.models.files.machine import CPU, devices
from tokenscope_core.models.files.model_files import ModelFiles, find, gguf_of, read_header_of
from tokenscope_core.models.files.names import adapted


def require_openable(name: str) -> None:
    """Refuse what cannot be opened, as far as its files say.

    Raises:
        ModelFormatError: what it lacks.
        ModelError: it takes a library that is not installed.
    """
    gguf = None if adapted(name) is not None else gguf_of(name)
    if gguf is not None:
        read_header_of(gguf)
        return
    files = find(name)
    if files is not None:
        require_runnable(files)


def require_runnable(files: ModelFiles) -> None:
    """Refuse quantised weights that nothing on this machine can run.

    Raises:
        ModelError: a library is missing, or an accelerator.
    """
    method = method_of_quantisation(read_config(files.name, files.folder))
    if method is not None:
        require_method(files.name, method, accelerated=devices()[0] != CPU)
