"""What people call a model: the shipped one's name, a folder, the short name under which a listed
folder is shown, a hub id, or the address of a page on the hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tokenscope_core.models.files import hub
from tokenscope_core.root import ROOT

SHIPPED_FOLDER = ROOT / "models" / "tokenscope-py"
MODELS_VARIABLE = "TOKENSCOPE_MODELS"
_HUB_HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co"}
# Parts of a hub that are named like an organisation and hold no models.
_NOT_MODELS = {"models", "datasets", "spaces", "collections", "papers", "docs", "blog", "api"}
_PAGES = {"tree", "blob", "resolve", "raw", "commits", "discussions"}
_REVISION_PAGES = _PAGES - {"discussions"}
_MAIN = "main"


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


def listed_folders() -> tuple[Path, ...]:
    """Every folder with a configuration that is, or lies directly in, a folder that
    TOKENSCOPE_MODELS lists (separated like PATH)."""
    roots = [Path(p) for p in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if p]
    found = [
        config.parent
        for root in roots
        if root.is_dir()
        for config in sorted([*root.glob("config.json"), *root.glob("*/config.json")])
    ]
    return tuple(dict.fromkeys(found))


def short_names(folders: Sequence[Path]) -> dict[str, Path]:
    """Listed folders by the name each is shown and found under: as many of the last parts of its
    path as no other of them ends with, and no model that is found before it is called."""
    names: dict[str, Path] = {}
    for folder in folders:
        parts = folder.absolute().parts
        for count in range(1, len(parts)):
            tail = parts[-count:]
            others = [f for f in folders if f != folder and f.absolute().parts[-count:] == tail]
            name = "/".join(tail)
            if not others and not _is_taken(name):
                names[name] = folder
                break
        else:
            names[str(folder)] = folder
    return names


def _is_taken(name: str) -> bool:
    return name == SHIPPED_FOLDER.name or (hub.is_hub_id(name) and hub.is_in_cache(name))


def folder_named(name: str) -> Path | None:
    """The folder of that path, or the listed one of that short name, in full; None where there is
    none or can be none."""
    try:
        path = Path(name).expanduser().resolve()
        folder = path if name and path.is_dir() else None
        if not name or Path(name).is_absolute() or (path / "config.json").is_file():
            return folder
        # A folder of that name beside the server that is no model is not what is meant.
        listed = short_names(listed_folders()).get(name)
        return folder if listed is None else listed.resolve()
    except (OSError, RuntimeError, ValueError):  # too long, no such user's home, a NUL
        return None


def plain_name(name: str) -> str:
    """One name for all ways to write a model's: as it is listed, else a folder's full path, else
    the hub id."""
    name = hub_id_of(name)
    if name == SHIPPED_FOLDER.name:
        return name
    folder = folder_named(name)
    if folder is None:
        return name
    return next((str(f) for f in listed_folders() if f.resolve() == folder), str(folder))
