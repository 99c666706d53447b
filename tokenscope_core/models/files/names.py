"""What people call a model: the shipped one's name, a folder or a GGUF file, the short name under
which a listed one is shown, the name of an offer, a hub id, or the address of a page on the hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tokenscope_core.models.files import catalogue, hub
from tokenscope_core.models.files.formats.adapters import (
    ADAPTER_CONFIG,
    JOINT,
    base_written,
    is_adapter,
)
from tokenscope_core.models.files.formats.gguf import ENDING, is_gguf
from tokenscope_core.root import ROOT

SHIPPED_FOLDER = ROOT / "models" / "tokenscope-py"
MODELS_VARIABLE = "TOKENSCOPE_MODELS"
_HUB_HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co"}
# Parts of a hub that are named like an organisation and hold no models.
_NOT_MODELS = {"models", "datasets", "spaces", "collections", "papers", "docs", "blog", "api"}
_PAGES = {"tree", "blob", "resolve", "raw", "commits", "discussions"}
_REVISION_PAGES = _PAGES - {"discussions"}
_MAIN = "main"
_CONFIGURATIONS = ("config.json", ADAPTER_CONFIG)


def hub_id_of(name: str) -> str:
    """The hub id that a page's address leads to, such as `https://huggingface.co/org/name/tree/main`.

    Anything else comes back as it is, without spaces around it: a page of something that is no
    model, or of a revision other than `main`, which is the one that is opened.
    """
    name = name.strip()
    parts = _hub_path(name)
    if not parts:
        return name
    page = next((i for i in (1, 2) if parts[i : i + 1] and parts[i] in _PAGES), len(parts))
    # As it is cloned.
    found, rest = "/".join(parts[:page]).removesuffix(".git"), parts[page:]
    if page not in (1, 2) or parts[0] in _NOT_MODELS or not hub.is_hub_id(found):
        return name
    if rest and rest[0] in _REVISION_PAGES and rest[1:2] not in ([], [_MAIN]):
        return name
    return found


def is_hub_address(name: str) -> bool:
    """Whether a text is the address of a page on the hub, of whatever it is."""
    return _hub_path(name.strip()) is not None


def _hub_path(name: str) -> list[str] | None:
    """The parts of the path of an address on the hub, its scheme left out or not; None for anything
    else."""
    try:
        address = urlsplit(name if "://" in name else f"https://{name}")
        own = urlsplit(os.environ.get("HF_ENDPOINT", "")).netloc
    except ValueError:
        return None
    parts = [unquote(part) for part in address.path.split("/") if part]
    if address.scheme == "hf":  # as in hf://org/name
        return [address.netloc, *parts]
    if address.scheme not in {"http", "https"} or not address.netloc:
        return None
    return parts if address.netloc.lower() in {*_HUB_HOSTS, own.lower()} else None


def listed_paths() -> tuple[Path, ...]:
    """Every model that is, or lies directly in, a folder that TOKENSCOPE_MODELS lists (separated
    like PATH): folders with a configuration, of a model or of an adapter, and GGUF files."""
    roots = [Path(p) for p in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if p]
    found: list[Path] = []
    for root in roots:
        if is_gguf(root):
            found.append(root)
        if not root.is_dir():
            continue
        named = (f"{inside}{name}" for inside in ("", "*/") for name in _CONFIGURATIONS)
        folders = [path.parent for name in named for path in root.glob(name)]
        files = [path for inside in ("", "*/") for path in root.glob(f"{inside}*{ENDING}")]
        # A folder that holds a model is one, whatever lies beside its weights.
        found += sorted({*folders, *(file for file in files if file.parent not in folders)})
    return tuple(dict.fromkeys(found))


def short_names(paths: Sequence[Path]) -> dict[str, Path]:
    """Listed models by the name each is shown and found under: as many of the last parts of its
    path as no other of them ends with, and no model that is found before it is called."""
    names: dict[str, Path] = {}
    for place in paths:
        parts = place.absolute().parts
        for count in range(1, len(parts)):
            tail = parts[-count:]
            others = [p for p in paths if p != place and p.absolute().parts[-count:] == tail]
            name = "/".join(tail)
            if not others and not _is_taken(name):
                names[name] = place
                break
        else:
            names[str(place)] = place
    return names


def _is_taken(name: str) -> bool:
    if name == SHIPPED_FOLDER.name or catalogue.packaged(name) is not None:
        return True
    return hub.is_hub_id(name) and hub.is_in_cache(name)


def path_named(name: str) -> Path | None:
    """The folder or GGUF file of that path, or the listed one of that short name, or what an offer
    of that name has brought here, in full; None where there is none or can be none."""
    try:
        path = Path(name).expanduser().resolve()
        place = path if name and (path.is_dir() or is_gguf(path)) else None
        if not name or Path(name).is_absolute() or is_gguf(path) or _is_configured(path):
            return place
        # A folder of that name beside the server that is no model is not what is meant.
        listed = short_names(listed_paths()).get(name) or _fetched(name)
        return place if listed is None else listed.resolve()
    except (OSError, RuntimeError, ValueError):  # too long, no such user's home, a NUL
        return None


def _is_configured(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _CONFIGURATIONS)


def _fetched(name: str) -> Path | None:
    offer = catalogue.packaged(name)
    place = None if offer is None else catalogue.package_path(offer)
    return place if place is not None and place.is_file() else None


def adapted(name: str) -> tuple[Path, str] | None:
    """The adapter's folder that a name leads to, and the base model that is named with it, which is
    empty for `ADAPTER` alone; None of anything else than that and `ADAPTER+BASE`."""
    place = path_named(name)
    if place is not None:
        return (place, "") if is_adapter(place) else None
    cuts = (at for at, letter in enumerate(name) if letter == JOINT)
    for at in cuts:
        place = path_named(name[:at])
        if place is not None and is_adapter(place) and name[at + 1 :].strip():
            return place, name[at + 1 :].strip()
    return None


def base_name(adapter: Path, named: str = "") -> str:
    """The name of the model that an adapter goes onto: the one that is `named` with it, else what
    it says it was trained on, which may lie here under another path; empty where nothing says it.

    What it was trained on is looked for as it is written, and then by the last part of its name.
    """
    written = hub_id_of(named or base_written(adapter))
    if named or not written or path_named(written) is not None or written == SHIPPED_FOLDER.name:
        return written
    if hub.is_hub_id(written) and hub.is_in_cache(written):
        return written
    last = Path(written).name
    if last == SHIPPED_FOLDER.name:
        return last
    listed = [p for p in listed_paths() if p.name == last and _is_model_folder(p)]
    return str(listed[0]) if len(listed) == 1 else written


def _is_model_folder(path: Path) -> bool:
    return (path / "config.json").is_file()


def plain_name(name: str) -> str:
    """One name for all ways to write a model's: as it is listed, the name of an offer that brought
    it, else its full path, else the hub id."""
    name = hub_id_of(name)
    if name == SHIPPED_FOLDER.name:
        return name
    adapter = adapted(name)
    if adapter is not None and adapter[1]:
        return f"{plain_name(str(adapter[0]))}{JOINT}{plain_name(adapter[1])}"
    place = path_named(name)
    if place is None:
        return name
    offer = catalogue.offer_at(place)
    if offer is not None:
        return offer.name
    return next((str(p) for p in listed_paths() if p.resolve() == place), str(place))
