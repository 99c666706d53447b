"""Finding a model's files and naming them, without importing torch.

A model is the shipped one, a folder, a GGUF file, an adapter on a model, or a hub id. Its
fingerprint hashes the files that decide its numbers, so that a stored trace is found again without
loading the weights. Where that takes reading many gigabytes for the first time, `find` leaves it
open and `identify` does it. A GGUF file is found once it has been converted: the model is the
folder that came of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tokenscope_core.errors import ModelFormatError, ModelNotFoundError
from tokenscope_core.failures import reason_of
from tokenscope_core.models.files import hub
from tokenscope_core.models.files import identity as model_identity
from tokenscope_core.models.files.catalogue import packaged
from tokenscope_core.models.files.folder_checks import (
    changed_meanwhile,
    is_complete,
    named_errors,
    precision_of,
)
from tokenscope_core.models.files.formats import converted
from tokenscope_core.models.files.formats.adapters import JOINT, is_adapter, require_adapter
from tokenscope_core.models.files.formats.gguf import (
    GgufHeader,
    gguf_in,
    is_gguf,
    part_of_several,
    read_gguf,
)
from tokenscope_core.models.files.identity import FileState, States
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped, Report
from tokenscope_core.models.files.names import (
    SHIPPED_FOLDER,
    adapted,
    base_name,
    hub_id_of,
    is_hub_address,
    path_named,
)

_SHOWN_NAME = 200


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk: what people call it, where it lies, what its files hash to.

    `folder` holds configuration and weights. `content_hash` is None until the files have been read
    (`identify`). `precision` is the dtype it runs in by default: the one its configuration names,
    or else that of its weights. `states` are the files that decide its numbers, as they were when
    it was found.

    `gguf` is the file that `folder` was converted from, where it was. Of an adapter `folder` is
    that of its `base`, and `adapter` its own.
    """

    name: str
    folder: Path
    content_hash: str | None
    precision: str = "float32"
    states: States = ()
    gguf: Path | None = None
    base: ModelFiles | None = None
    adapter: Path | None = None

    @property
    def tokenizer_folder(self) -> Path:
        """Where its tokenizer lies: an adapter may bring one, with a chat template of its own."""
        if self.adapter is not None and (self.adapter / "tokenizer.json").is_file():
            return self.adapter
        return self.folder

    def fingerprint_in(self, precision: str | None = None) -> str | None:
        """The fingerprint of this model run in a precision (default: its own); None until its files
        have been read."""
        return self._fingerprint(self.content_hash, precision)

    def sampled_fingerprint_in(self, precision: str | None = None) -> str | None:
        """How traces of earlier releases name it, which compared large files by samples; None where
        that is the same. Two models may share it: it never names what runs now."""
        if self.gguf is not None or self.adapter is not None:
            return None  # no earlier release opened it
        with named_errors(self.name):
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
        model: None or the shipped model's name, a folder, a GGUF file that was converted, the name
            of one that TOKENSCOPE_MODELS lists, `ADAPTER+BASE`, or a hub id such as `org/name` or
            its address.
        download: brings a hub id's files here and returns their folder; None is `hub.download`.

    Raises:
        ModelNotFoundError: no such folder or hub id, or no network.
        ModelFormatError: the files are incomplete, or not a causal language model.
    """
    found = find(model)
    if found is not None:
        return found
    name = hub_id_of(str(model))
    adapter = adapted(name)
    if adapter is not None:
        base = locate(base_name(*adapter), download=download)
        return _adapted(adapter[0], base)
    elsewhere = gguf_of(name) is not None or packaged(name) is not None
    if isinstance(model, Path) or not hub.is_hub_id(name) or elsewhere:
        raise _unnamed(name)
    if hub.is_offline():
        hub.refuse_offline(name)
    return _checked(name, download(name) if download is not None else hub.download(name))


def _unnamed(name: str) -> ModelNotFoundError:
    found = (
        "There is no such folder or GGUF file, and it is neither the short name of a listed one "
        "nor a hub id such as “org/name”."
    )
    action = "Check the spelling, or choose a model from the list."
    if is_hub_address(name):
        found = "That page of the hub is of another revision than “main”, or of no model."
        action = (
            "Give the model's id such as “org/name”. For another revision, download it into a "
            "folder and name that."
        )
    if gguf_of(name) is not None:
        found = "It is a GGUF file that was not converted yet."
        action = "Load it, which converts it once."
    elif packaged(name) is not None:
        found, action = "It was not fetched yet.", f"Run: tokenscope fetch {name}"
    return ModelNotFoundError(
        asked=f"The model “{name[:_SHOWN_NAME]}” was asked for.", found=found, action=action
    )


def find(model: str | Path | None = None) -> ModelFiles | None:
    """The files of a model on this machine; None where it would have to be downloaded or converted
    first, or is nowhere.

    Raises:
        ModelFormatError: it is here, but incomplete or not a causal language model.
    """
    if model is None or str(model) == SHIPPED_FOLDER.name:
        return _checked(SHIPPED_FOLDER.name, SHIPPED_FOLDER)
    name = hub_id_of(str(model))
    adapter = adapted(name)
    if adapter is not None:
        base = _find_base(*adapter)
        return None if base is None else _adapted(adapter[0], base)
    gguf = gguf_of(name)
    if gguf is not None:
        return _find_converted(gguf)
    folder = path_named(name)
    if folder is not None:
        return _checked(folder.name, folder)
    if packaged(name) is not None:
        return None
    cached = None if isinstance(model, Path) or not hub.is_hub_id(name) else hub.cached_folder(name)
    if cached is None:
        return None
    if not hub.is_offline() and not is_complete(cached):
        return None  # an interrupted download, perhaps: asking the hub again completes it
    return _checked(name, cached)


def gguf_of(name: str) -> Path | None:
    """The GGUF file that a name leads to: itself, or the only one in a folder that is no model.

    Raises:
        ModelFormatError: there are several.
    """
    place = path_named(name)
    if place is None or is_gguf(place):
        return place
    if (place / "config.json").is_file() or is_adapter(place):
        return None
    with named_errors(place.name):
        files = gguf_in(place)
    if len(files) > 1:
        raise ModelFormatError(
            asked=f"The model “{place.name}” was to be opened.",
            found=f"The folder holds {len(files)} GGUF files, which are models each: "
            + ", ".join(file.name for file in files[:5])
            + (", …" if len(files) > 5 else "")
            + ".",
            action="Name one of these files.",
        )
    return files[0] if files else None


def read_header_of(gguf: Path) -> GgufHeader:
    """What a GGUF file holds.

    Raises:
        ModelFormatError: it cannot be read, or is one part of a model.
    """

    def refuse(found: str, action: str) -> ModelFormatError:
        return ModelFormatError(
            asked=f"The model “{gguf.name}” was to be opened.", found=found, action=action
        )

    part = part_of_several(gguf)
    if part is not None:
        raise refuse(
            f"It is part {part[0]} of {part[1]} of a model.",
            "Join the parts with llama.cpp's `llama-gguf-split --merge`, and name what comes of "
            "it.",
        )
    with named_errors(gguf.name):
        try:
            header = read_gguf(gguf)
        except ValueError as error:
            raise refuse(f"The file {reason_of(error)}.", "Take a complete copy of it.") from error
    if not header.numbers_by_kind:
        raise refuse(
            "The file holds no weights, as one of a vocabulary alone.",
            "Choose the file of a whole model.",
        )
    return header


def _find_converted(gguf: Path) -> ModelFiles | None:
    read_header_of(gguf)
    with named_errors(gguf.name):
        digest = model_identity.known_file_digest(FileState.of(gguf))
    folder = None if digest is None else converted.folder_of(digest)
    if folder is None or not folder.is_dir():
        return None
    converted.note_use(folder)
    return replace(_checked(gguf.name, folder), gguf=gguf)


def _find_base(adapter: Path, base: str) -> ModelFiles | None:
    """The model that an adapter goes onto; None where it would have to be downloaded or converted.

    Raises:
        ModelFormatError: it is nowhere, or an adapter itself.
    """
    require_adapter(adapter.name, adapter)
    name = base_name(adapter, base)
    if name and adapted(name) is None:
        found = find(name)
        if found is not None or gguf_of(name) is not None or packaged(name) is not None:
            return found
        if hub.is_hub_id(name) and not hub.is_offline():
            return None
    asked = f"The adapter “{adapter.name}” was to be opened."
    if name and adapted(name) is not None:
        raise ModelFormatError(
            asked=asked,
            found=f"Its base model, “{name[:_SHOWN_NAME]}”, is an adapter itself.",
            action="Merge that one into its own base model, and name the folder that comes of it: "
            f"{adapter.name}{JOINT}FOLDER",
        )
    found_of_it = (
        f"It was trained on “{name[:_SHOWN_NAME]}”, which is not on this machine."
        if name
        else "It does not say which model it was trained on."
    )
    raise ModelFormatError(
        asked=asked,
        found=found_of_it,
        action=f"Name its base model with it: {adapter.name}{JOINT}BASE, where BASE is a folder, "
        "a listed model or a hub id.",
    )


def _adapted(adapter: Path, base: ModelFiles) -> ModelFiles:
    name = f"{adapter.name}{JOINT}{base.name}"
    require_adapter(adapter.name, adapter)
    with named_errors(name):
        own = model_identity.states_of(adapter)
        found = ModelFiles(
            name, base.folder, None, base.precision, (*base.states, *own), base.gguf, base, adapter
        )
        content = model_identity.known_hash(adapter, own)
    if base.content_hash is None or content is None:
        return found
    return replace(found, content_hash=_joint_hash(base.content_hash, content))


def _joint_hash(base: str, adapter: str) -> str:
    return hashlib.sha256(f"{base}:adapter:{adapter}".encode()).hexdigest()


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
    folder, states = files.folder, files.states
    if files.base is not None and files.adapter is not None:
        base = identify(files.base, report=report, wanted=wanted)
        folder, states = files.adapter, states[len(base.states) :]
    done, total = 0, model_identity.unread_bytes(states)

    def told(count: int) -> None:
        nonlocal done
        if not wanted():
            raise LoadStopped
        done += count
        report(LoadProgress("identifying", done, total))

    told(0)
    with named_errors(files.name):
        content = model_identity.read_hash(folder, states, told)
    if files.base is None:
        return replace(files, content_hash=content)
    assert base.content_hash is not None, "its files have been read"
    return replace(files, base=base, content_hash=_joint_hash(base.content_hash, content))


def changed_files(files: ModelFiles) -> tuple[str, ...]:
    """The names of files that were changed, added or removed since they were found."""
    if not files.states:
        return ()  # they were never on a disk
    try:
        now = model_identity.states_of(files.folder)
        if files.adapter is not None:
            now += model_identity.states_of(files.adapter)
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
        raise changed_meanwhile(files.name, changed[0])


def _checked(name: str, folder: Path) -> ModelFiles:
    if not folder.is_dir():
        raise ModelNotFoundError(
            asked=f"The model “{name}” was to be opened.",
            found=f"Its folder {folder} does not exist.",
            action="Restore it, or choose another model.",
        )
    precision = precision_of(name, folder)
    with named_errors(name):
        states = model_identity.states_of(folder)
        content = model_identity.known_hash(folder, states)
    return ModelFiles(name, folder, content, precision, states)
