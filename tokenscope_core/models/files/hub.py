"""The Hugging Face hub and its cache on this machine. Imports neither torch nor transformers."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

from tokenscope_core.errors import ModelFormatError, ModelNotFoundError, ModelTooLargeError
from tokenscope_core.models.files.json_files import parse_object
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped, Report

# What a model is made of. Other copies of its weights, and folders inside, are left where they are.
_FILES = [
    "config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json",
    "added_tokens.json", "chat_template*", "vocab*", "merges.txt", "*.model",
    "model.safetensors", "model-*.safetensors", "model.safetensors.index.json",
]  # fmt: skip
_ELSEWHERE = ["*/*"]
_TIMEOUT_S = 10.0
CONFIG_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HubModel:
    """What the hub says of a model before anything is downloaded.

    `parameters` is None where the hub does not count them; sizes are bytes.
    """

    name: str
    config: dict[str, Any]
    parameters: int | None
    weight_bytes: int
    download_bytes: int


def is_hub_id(name: str) -> bool:
    """Whether a name can be one of the hub's, such as `org/name`."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def is_in_cache(name: str) -> bool:
    """Whether the cache holds anything of a model, complete or not."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=name, repo_type="model")
    return (Path(constants.HF_HUB_CACHE) / folder / "snapshots").is_dir()


def cached_names() -> tuple[str, ...]:
    """The hub ids of which something is in the cache, most recently used first."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        found = scan_cache_dir(constants.HF_HUB_CACHE).repos
        repos = [repo for repo in found if repo.repo_type == "model"]
    except (CacheNotFound, OSError):
        return ()
    return tuple(r.repo_id for r in sorted(repos, key=lambda r: r.last_accessed, reverse=True))


def cached_folder(name: str) -> Path | None:
    """Where the cache holds files of a model's newest revision, complete or not."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                name, local_files_only=True, allow_patterns=_FILES, ignore_patterns=_ELSEWHERE
            )
        )
    except (LocalEntryNotFoundError, IncompleteSnapshotError):
        return None


def ask(name: str, timeout_s: float = _TIMEOUT_S) -> HubModel:
    """Ask the hub for a model's configuration and sizes; nothing is kept.

    Raises:
        ModelNotFoundError: the hub does not know it, or cannot be reached in time.
        ModelFormatError: it has no weights in the safetensors format.
    """
    from huggingface_hub import HfApi, hf_hub_download

    with _named_errors(name):
        info = HfApi().model_info(name, timeout=timeout_s, files_metadata=True)
        files = [file for file in info.siblings or [] if "/" not in file.rfilename]
        sizes = {file.rfilename: file.size or 0 for file in files}
        needed = [file for file in sizes if any(fnmatchcase(file, kind) for kind in _FILES)]
        weights = [file for file in needed if file.endswith(".safetensors")]
        if not weights:
            raise _without_weights(name, sorted(sizes))
        if sizes.get("config.json", 0) > CONFIG_LIMIT:
            raise _unusable(name, "Its config.json is too large to be one.")
        # Not into the cache, which would then hold a model of one file.
        with tempfile.TemporaryDirectory() as folder:
            path = hf_hub_download(name, "config.json", cache_dir=folder, etag_timeout=timeout_s)
            config = _object(Path(path).read_bytes())
    if config is None:
        raise _unusable(name, "Its config.json is not a JSON object.")
    return HubModel(
        name=name,
        config=config,
        parameters=info.safetensors.total if info.safetensors else None,
        weight_bytes=sum(sizes[file] for file in weights),
        download_bytes=sum(sizes[file] for file in needed),
    )


def _without_weights(name: str, files: Sequence[str]) -> ModelFormatError:
    """The refusal of a repository without weights that are opened, by what it holds instead."""
    found = "The hub has no weights of it in the safetensors format"
    ggufs = [file for file in files if file.endswith(".gguf")]
    if ggufs:
        return _unusable(
            name,
            f"{found}, but {len(ggufs)} GGUF file{'s' if len(ggufs) > 1 else ''}, which are models "
            "each.",
            f"Download one, and name the file: hf download {name} {ggufs[0]} --local-dir .",
        )
    if "adapter_config.json" in files:
        return _unusable(
            name,
            f"{found}: it is an adapter of another model.",
            f"Download it, and name its folder: hf download {name} --local-dir adapter",
        )
    if any(file.endswith(".bin") for file in files):
        found += ", only pickled ones, which can run code when they are read and are never opened"
    return _unusable(name, f"{found}.")


def _unusable(
    name: str, found: str, action: str = "Choose a model that transformers loads from safetensors."
) -> ModelFormatError:
    return ModelFormatError(asked=f"The model “{name}” was asked for.", found=found, action=action)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        return parse_object(data)
    except ValueError:
        return None


def require_disk(model: HubModel) -> None:
    """Refuse a download that the cache's disk has no room for.

    Raises:
        ModelTooLargeError: it has none.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE)
    existing = next(f for f in (folder, *folder.parents) if f.exists())
    free = shutil.disk_usage(existing).free
    if model.download_bytes > free:
        raise ModelTooLargeError(
            asked=f"The model “{model.name}” was to be downloaded.",
            found=f"It has {model.download_bytes / 1e9:,.1f} GB, and the disk of the Hugging Face "
            f"cache {free / 1e9:,.1f} GB free.",
            action="Free some space, or choose a smaller model.",
            needed=model.download_bytes,
            present=free,
        )


def download(
    name: str,
    *,
    total: int | None = None,
    report: Report = lambda _progress: None,
    wanted: Callable[[], bool] = lambda: True,
) -> Path:
    """Download a model's files into the cache; returns their folder.

    Args:
        name: the hub id.
        total: bytes to expect, where they are known.
        report: told how far it has come.
        wanted: asked again and again whether to go on.

    Raises:
        ModelNotFoundError: the hub does not have it, or cannot be reached.
        LoadStopped: it is no longer wanted.
    """
    from huggingface_hub import snapshot_download

    with _named_errors(name):
        return Path(
            snapshot_download(
                name,
                allow_patterns=_FILES,
                ignore_patterns=_ELSEWHERE,
                tqdm_class=_reporting_bar(total, report, wanted),
            )
        )


def _reporting_bar(total: int | None, report: Report, wanted: Callable[[], bool]) -> Any:
    """A progress bar class that draws nothing and reports the bytes that have arrived."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0

        def display(self, *_args: object, **_settings: object) -> None:
            """Draw nothing."""

        def update(self, n: float | None = 1) -> bool | None:
            if not wanted():
                raise LoadStopped
            drawn: bool | None = super().update(n)
            if self.unit == "B":
                report(
                    LoadProgress("downloading", int(self.n), total or int(self.total or 0) or None)
                )
            return drawn

    return Bar


@contextlib.contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Turn what the hub's client raises into what a person can act on."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except LocalEntryNotFoundError as error:
        _not_found(name, f"The hub could not be reached ({type(error.__cause__).__name__}).", error)
    except HfHubHTTPError as error:
        status = error.response.status_code
        known = {401: "no such public model", 403: "access to it has to be asked for there",
                 404: "no such public model"}  # fmt: skip
        said = known.get(status, "not now")
        _not_found(name, f"The Hugging Face hub answered {status}: {said}.", error)
    except OSError as error:
        _not_found(name, f"The hub could not be reached ({type(error).__name__}).", error)
    except Exception as error:
        # The hub client's transport errors descend from its HTTP library's own base class.
        if type(error).__module__.split(".")[0] not in {"httpx", "httpx2", "httpcore"}:
            raise
        _not_found(name, f"The hub could not be reached ({type(error).__name__}).", error)


def is_offline() -> bool:
    """Whether hub access is switched off (HF_HUB_OFFLINE)."""
    from huggingface_hub.constants import HF_HUB_OFFLINE

    return bool(HF_HUB_OFFLINE)


def refuse_offline(name: str) -> NoReturn:
    """Say that a model would have to be downloaded.

    Raises:
        ModelNotFoundError: always.
    """
    _not_found(name, "It is not in the local Hugging Face cache, and hub access is switched off.")


def _not_found(name: str, found: str, cause: BaseException | None = None) -> NoReturn:
    raise ModelNotFoundError(
        asked=f"The model “{name}” was asked for.",
        found=found,
        action="Check the spelling and the network, or choose a model that is on this machine.",
    ) from cause
