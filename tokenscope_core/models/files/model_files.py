"""Finding a model's files and naming them, without importing torch.

A model is the shipped one, a folder, or a hub id. Its fingerprint hashes the files that decide
its numbers, so that a stored trace is found again without loading the weights. Where that takes
reading many gigabytes for the first time, `find` leaves it open and `identify` does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenscope_core.errors import ModelFormatError, ModelNotFoundError
from tokenscope_core.failures import reason_of
from tokenscope_core.models.files import hub
from tokenscope_core.models.files import identity as model_identity
from tokenscope_core.models.files.identity import FileChanged, States
from tokenscope_core.models.files.json_files import read_object
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped, Report
from tokenscope_core.models.files.names import (
    SHIPPED_FOLDER,
    folder_named,
    hub_id_of,
    is_hub_address,
)
from tokenscope_core.models.files.promised_size import implausible
from tokenscope_core.models.files.weight_files import Weights, read_header, weight_paths

_SHOWN_NAME = 200
_WRITERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_CHANGED = "Wait until they are complete, and run it again."
_ADAPTER = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk: what people call it, where it lies, what its files hash to.

    `content_hash` is None until the files have been read (`identify`). `precision` is the dtype it
    runs in by default: the one its configuration names, or else that of its weights. `states` are
    the files that decide its numbers, as they were when it was found.
    """

    name: str
    folder: Path
    content_hash: str | None
    precision: str = "float32"
    states: States = ()

    def fingerprint_in(self, precision: str | None = None) -> str | None:
        """The fingerprint of this model run in a precision (default: its own); None until its files
        have been read."""
        return self._fingerprint(self.content_hash, precision)

    def sampled_fingerprint_in(self, precision: str | None = None) -> str | None:
        """How traces of earlier releases name it, which compared large files by samples; None where
        that is the same. Two models may share it: it never names what runs now."""
        with _named_errors(self.name):
            sampled = model_identity.sampled_hash(self.folder, self.states)
        return self._fingerprint(sampled, precision)

    def _fingerprint(self, content: str | None, precision: str | None) -> str | None:
        if content is None:
            return None
        return hashlib.sha256(f"{content}:{precision or self.precision}".encode()).hexdigest()


def locate(
    model: str | Path | None = None,
    *,
    download: Callable[[str], Path] | None = None,
) -> ModelFiles:
    """Find a model's files, downloading them from the hub where that is needed and possible.

    Args:
        model: None or the shipped model's name, a folder, the name of one that TOKENSCOPE_MODELS
            lists, or a hub id such as `org/name` or its address.
        download: brings a hub id's files here and returns their folder; None is `hub.download`.

    Raises:
        ModelNotFoundError: no such folder or hub id, or no network.
        ModelFormatError: the files are incomplete, or not a causal language model.
    """
    found = find(model)
    if found is not None:
        return found
    name = hub_id_of(str(model))
    if isinstance(model, Path) or not hub.is_hub_id(name):
        raise _unnamed(name)
    if hub.is_offline():
        hub.refuse_offline(name)
    return _checked(name, download(name) if download is not None else hub.download(name))


def _unnamed(name: str) -> ModelNotFoundError:
    found = (
        "There is no such folder, and it is neither the short name of a listed one nor a hub id "
        "such as “org/name”."
    )
    action = "Check the spelling, or choose a model from the list."
    if is_hub_address(name):
        found = "That page of the hub is of another revision than “main”, or of no model."
        action = (
            "Give the model's id such as “org/name”. For another revision, download it into a "
            "folder and name that."
        )
    return ModelNotFoundError(
        asked=f"The model “{name[:_SHOWN_NAME]}” was asked for.", found=found, action=action
    )


def find(model: str | Path | None = None) -> ModelFiles | None:
    """The files of a model on this machine; None where it would have to be downloaded, or is
    nowhere.

    Raises:
        ModelFormatError: it is here, but incomplete or not a causal language model.
    """
    if model is None or str(model) == SHIPPED_FOLDER.name:
        return _checked(SHIPPED_FOLDER.name, SHIPPED_FOLDER)
    name = hub_id_of(str(model))
    folder = folder_named(name)
    if folder is not None:
        return _checked(folder.name, folder)
    cached = None if isinstance(model, Path) or not hub.is_hub_id(name) else hub.cached_folder(name)
    if cached is None:
        return None
    if not hub.is_offline() and not is_complete(cached):
        return None  # an interrupted download, perhaps: asking the hub again completes it
    return _checked(name, cached)


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a causal language model that can be opened, judged by configuration,
    headers and sizes alone."""
    try:
        require_complete(folder.name, folder)
    except ModelFormatError:
        return False
    return True


def seems_to_write(folder: Path) -> bool:
    """Whether a configuration calls its model one that writes text, or calls it nothing.

    For choosing what to list, never for refusing: what counts is what loads."""
    try:
        named = read_config(folder.name, folder).get("architectures")
    except ModelFormatError:
        return False
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    return not names or any(name.endswith(_WRITERS) for name in names)


def require_complete(name: str, folder: Path) -> None:
    """Refuse a folder that is not complete.

    Raises:
        ModelFormatError: what it lacks.
    """
    with _named_errors(name):
        _precision(name, folder)


def identify(
    files: ModelFiles,
    *,
    report: Report = lambda _progress: None,
    wanted: Callable[[], bool] = lambda: True,
) -> ModelFiles:
    """The same files with their hash, after reading what of them was never read.

    Args:
        files: as found.
        report: told how far it has come.
        wanted: asked again and again whether to go on.

    Raises:
        ModelFormatError: they cannot be read, or are being written.
        LoadStopped: it is no longer wanted.
    """
    if files.content_hash is not None:
        return files
    done, total = 0, model_identity.unread_bytes(files.states)

    def told(count: int) -> None:
        nonlocal done
        if not wanted():
            raise LoadStopped
        done += count
        report(LoadProgress("identifying", done, total))

    told(0)
    with _named_errors(files.name):
        content = model_identity.read_hash(files.folder, files.states, told)
    return replace(files, content_hash=content)


def changed_files(files: ModelFiles) -> tuple[str, ...]:
    """The names of files that were changed, added or removed since they were found."""
    if not files.states:
        return ()  # they were never on a disk
    try:
        now = model_identity.states_of(files.folder)
    except (OSError, ValueError):
        return (files.folder.name,)
    differing = sorted({state.path for state in set(files.states) ^ set(now)})
    return tuple(Path(path).name for path in differing)


def require_unchanged(files: ModelFiles) -> None:
    """Refuse files that are no longer what was found and hashed.

    Raises:
        ModelFormatError: they are not.
    """
    changed = changed_files(files)
    if changed:
        raise _changed_meanwhile(files.name, changed[0])


def _changed_meanwhile(name: str, file: str) -> ModelFormatError:
    return ModelFormatError(
        asked=f"The model “{name}” was to be opened.",
        found=f"Its file {file} was changed while it was read.",
        action=_CHANGED,
    )


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileChanged as error:
        raise _changed_meanwhile(name, error.path.name) from error
    except OSError as error:
        raise ModelFormatError(
            asked=f"The model “{name}” was to be opened.",
            found=f"Its files cannot be read ({type(error).__name__}).",
            action="Check that they are there and may be read, or choose another model.",
        ) from error


def _checked(name: str, folder: Path) -> ModelFiles:
    if not folder.is_dir():
        raise ModelNotFoundError(
            asked=f"The model “{name}” was to be opened.",
            found=f"Its folder {folder} does not exist.",
            action="Restore it, or choose another model.",
        )
    precision = _precision(name, folder)
    with _named_errors(name):
        states = model_identity.states_of(folder)
        content = model_identity.known_hash(folder, states)
    return ModelFiles(name, folder, content, precision, states)


def _precision(name: str, folder: Path) -> str:
    """The dtype a model runs in by default, after checking that all it needs is there.

    Raises:
        ModelFormatError: it is not.
    """

    def refuse(found: str, action: str = "Take a complete copy of the model.") -> ModelFormatError:
        return ModelFormatError(
            asked=f"The model “{name}” was to be opened.", found=found, action=action
        )

    config = read_config(name, folder)
    if config.get("is_encoder_decoder") is True:
        raise refuse(
            "It is an encoder with a decoder: what it writes depends on another text, which only "
            "its encoder reads.",
            "Choose a decoder model for text generation.",
        )
    if (folder / _ADAPTER).exists():
        # With peft installed transformers would load it, and without it leave it out: the same
        # folder would be two models.
        raise refuse(
            f"Beside the model lies an adapter ({_ADAPTER}), which changes what the model says.",
            "Merge the adapter into the weights, or take its files out of the folder.",
        )
    if not _has_tokenizer(folder):
        raise refuse(
            "It has no tokenizer.json, vocab.json with merges.txt, or SentencePiece model."
        )
    weights = _stored_weights(folder, refuse)
    found = implausible(config, weights)
    if found is not None:
        raise refuse(found)
    stored = next(filter(None, (part.precision for part in weights)), None)
    return named_precision(config) or stored or "float32"


def named_precision(config: Mapping[str, Any]) -> str | None:
    """The dtype that a configuration names; None where it names none."""
    named = (config.get("dtype"), config.get("torch_dtype"))
    return next((word for word in named if isinstance(word, str) and word), None)


def _has_tokenizer(folder: Path) -> bool:
    alternatives = (("tokenizer.json",), ("vocab.json", "merges.txt"))
    return any(all((folder / n).is_file() for n in names) for names in alternatives) or bool(
        list(folder.glob("*.model"))
    )


def read_config(name: str, folder: Path) -> dict[str, Any]:
    """A model's configuration.

    Raises:
        ModelFormatError: there is none, or it cannot be read.
    """
    try:
        return read_object(folder / "config.json", limit=hub.CONFIG_LIMIT)
    except FileNotFoundError:
        found = "It has no config.json."
    except ValueError as error:
        found = f"Its config.json {reason_of(error)}."
    raise ModelFormatError(
        asked=f"The model “{name}” was to be opened.",
        found=found,
        action="Take a complete copy of the model.",
    )


def _stored_weights(folder: Path, refuse: Any) -> list[Weights]:
    """What each file of the weights holds, after checking that all are there and whole."""
    try:
        paths = weight_paths(folder)
        absent = [path.name for path in paths if not path.is_file()]
        if absent:
            raise refuse(
                f"It lacks {', '.join(absent)}; only weights in the safetensors format are opened.",
                "Take a complete copy of the model, or convert its weights to safetensors.",
            )
        return [read_header(path) for path in paths]
    except ValueError as error:
        raise refuse(f"{reason_of(error)}.") from error
