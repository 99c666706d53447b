"""GGUF files turned into folders of safetensors, once, by transformers.

Every number becomes the float32 that its block of the file stands for, and is not rounded again.
What was lost when the file was quantised stays lost.
"""

from __future__ import annotations

import gc
import importlib.util
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenscope_core.errors import ModelError, ModelTooLargeError
from tokenscope_core.models.files import identity as model_identity
from tokenscope_core.models.files.folder_checks import named_errors
from tokenscope_core.models.files.formats import converted
from tokenscope_core.models.files.identity import FileState
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped, Report
from tokenscope_core.models.files.machine import main_memory
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.models.files.model_files import read_header_of
from tokenscope_core.models.heavy_imports import import_engine

_LIBRARIES = ("gguf", "accelerate")
_FLOAT32_BYTES = 4
# transformers holds the numbers it has read and the model they go into at once.
_COPIES = 2


def convert(
    gguf: Path,
    *,
    check_memory: bool = True,
    report: Report = lambda _progress: None,
    wanted: Callable[[], bool] = lambda: True,
) -> Path:
    """The folder that a GGUF file becomes; made where it is not there yet.

    Args:
        gguf: the file.
        check_memory: refuse what this machine could not hold while it converts.
        report: told how far it has come.
        wanted: asked again and again whether to go on.

    Raises:
        ModelFormatError: it cannot be read, or transformers can make nothing of it.
        ModelError: a library that reads it is missing.
        ModelTooLargeError: there is no room for it in memory or on disk.
        LoadStopped: it is no longer wanted.
    """
    header = read_header_of(gguf)
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            asked=f"The model “{gguf.name}” was to be opened.",
            found=f"It is a GGUF file ({header.quantisation}); what reads such is not installed: "
            f"{', '.join(missing)}.",
            action='Run: pip install "tokenscope-code[gguf]"',
        )
    with named_errors(gguf.name):
        state = FileState.of(gguf)
        digest = model_identity.file_digest(state, _told(state.size, report, wanted))
    target = converted.folder_of(digest)
    if target.is_dir():
        return target
    becomes = header.numbers * _FLOAT32_BYTES
    if check_memory:
        _require_memory(gguf, becomes)
    report(LoadProgress("starting"))
    import_engine()
    with converted.new_folder(target, name=gguf.name, needed=becomes) as folder:
        _write(gguf, folder, _told_share(report, wanted))
    # Its modules refer to each other: until they are collected the numbers stay in memory, where
    # they are about to be loaded once more.
    gc.collect()
    return target


def _require_memory(gguf: Path, becomes: int) -> None:
    needed, present = _COPIES * becomes, main_memory().available
    if needed > present:
        raise ModelTooLargeError(
            asked=f"The model “{gguf.name}” was to be converted to safetensors.",
            found=f"That takes {size_text(needed)} of memory, twice what its numbers are in "
            f"float32; {size_text(present)} are free.",
            action="Unload other models, choose a smaller one, or convert it on a larger machine.",
            needed=needed,
            present=present,
        )


def _told(total: int, report: Report, wanted: Callable[[], bool]) -> Callable[[int], None]:
    done = 0

    def told(count: int) -> None:
        nonlocal done
        if not wanted():
            raise LoadStopped
        done += count
        report(LoadProgress("identifying", done, total))

    return told


def _told_share(report: Report, wanted: Callable[[], bool]) -> Callable[[int, int], None]:
    def told(done: int, count: int) -> None:
        if not wanted():
            raise LoadStopped
        report(LoadProgress("converting", done, count))

    return told


def _write(gguf: Path, folder: Path, told: Callable[[int, int], None]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from tokenscope_core.models.building import one_at_a_time, refuse_untrained_weights
    from tokenscope_core.models.foreign import foreign_files

    def refused(found: str) -> ModelError:
        return ModelError(
            asked=f"The model “{gguf.name}” was to be converted to safetensors.",
            found=f"transformers could not read it: {found}.",
            action="Take a complete copy of the file, or the same model in the safetensors format.",
        )

    # Alone in a folder: of what lies beside it nothing may get into the model.
    with tempfile.TemporaryDirectory(dir=folder.parent) as alone, foreign_files(refused):
        place = Path(alone)
        (place / gguf.name).symlink_to(gguf)
        with one_at_a_time, _counting(told):
            model, info = AutoModelForCausalLM.from_pretrained(
                place,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
                gguf_file=gguf.name,
                local_files_only=True,
            )
        refuse_untrained_weights(gguf.name, info)
        # They are full numbers now, though transformers would refuse to save them as such.
        model.hf_quantizer = None
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(folder)
        # A tokenizer stores the settings it was loaded with; in a folder nobody else is asked.
        AutoTokenizer.from_pretrained(place, gguf_file=gguf.name).save_pretrained(folder)


@contextmanager
def _counting(told: Callable[[int, int], None]) -> Iterator[None]:
    """Learn of every tensor that transformers turns into numbers: it says so to a progress bar of
    its own, which no setting reaches. For one thread at a time."""
    from transformers import modeling_gguf_pytorch_utils as reading

    bar = reading.tqdm

    def counted(items: Iterable[Any], **_settings: Any) -> Iterator[Any]:
        held = list(items)
        for done, item in enumerate(held):
            told(done, len(held))
            yield item

    reading.tqdm = counted
    try:
        yield
    finally:
        reading.tqdm = bar
