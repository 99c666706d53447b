"""Where models come from, and which of them the operator of this server offers."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from tokenscope_core import hub
from tokenscope_core.errors import ModelNotAllowedError, TokenScopeError
from tokenscope_core.model_choice import DTYPES, ModelChoice
from tokenscope_core.model_files import SHIPPED_FOLDER, find, folder_named, is_complete
from tokenscope_core.trace import ModelIdentity

MODELS_VARIABLE = "TOKENSCOPE_MODELS"
ALLOWED_VARIABLE = "TOKENSCOPE_ALLOWED_MODELS"
_WILDCARDS = "*?["

Kind = Literal["shipped", "folder", "cache", "hub"]


@dataclass(frozen=True, slots=True)
class Source:
    """A model that can be chosen: the name that loads it, and where it lies.

    `cache` is the Hugging Face cache of this machine; `hub` has to be downloaded first.
    """

    name: str
    kind: Kind


def available() -> tuple[str, ...]:
    """The names of `sources`."""
    return tuple(source.name for source in sources())


def sources() -> tuple[Source, ...]:
    """What can be chosen without typing: the shipped model, every model folder directly inside the
    folders that TOKENSCOPE_MODELS lists (separated like PATH), complete models in the Hugging Face
    cache, and the hub ids that TOKENSCOPE_ALLOWED_MODELS names."""
    roots = [Path(p) for p in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if p]
    folders = [
        str(config.parent)
        for root in roots
        if root.is_dir()
        for config in sorted([*root.glob("config.json"), *root.glob("*/config.json")])
    ]
    cached = [name for name in hub.cached_names() if _is_cached(name)]
    named = [
        pattern
        for pattern in allowed_patterns() or ()
        if not set(_WILDCARDS) & set(pattern) and source_of(pattern).kind == "hub"
    ]
    found = [
        Source(SHIPPED_FOLDER.name, "shipped"),
        *(Source(name, "folder") for name in folders),
        *(Source(name, "cache") for name in cached),
        *(Source(name, "hub") for name in named if name not in cached),
    ]
    return tuple(source for source in dict.fromkeys(found) if is_allowed(source.name))


def source_of(name: str) -> Source:
    """Where a model of that name would come from."""
    if name == SHIPPED_FOLDER.name:
        return Source(name, "shipped")
    if folder_named(name) is not None:
        return Source(name, "folder")
    return Source(name, "cache" if _is_cached(name) else "hub")


def _is_cached(name: str) -> bool:
    folder = hub.cached_folder(name) if hub.is_hub_id(name) else None
    return folder is not None and is_complete(folder)


def identified(identity: ModelIdentity) -> ModelChoice | None:
    """The choice among `available` that has exactly the weights and the precision of a trace; else
    one that is only called the same; else None."""
    namesakes = [name for name in available() if identity.name in (name, Path(name).name)]
    for name in namesakes:
        with contextlib.suppress(TokenScopeError):
            files = find(name)
            for dtype in (None, *DTYPES):
                if files is not None and files.fingerprint_in(dtype) == identity.fingerprint:
                    return ModelChoice(name, dtype)
    return ModelChoice(namesakes[0]) if namesakes else None


def allowed_patterns() -> tuple[str, ...] | None:
    """The names, folders, hub ids and patterns that TOKENSCOPE_ALLOWED_MODELS lists, separated by
    commas or like PATH; None where it is not set, which allows everything."""
    text = os.environ.get(ALLOWED_VARIABLE)
    if text is None:
        return None
    return tuple(p.strip() for p in text.replace(os.pathsep, ",").split(",") if p.strip())


def accepts_others() -> bool:
    """Whether more can be loaded than `sources` lists."""
    patterns = allowed_patterns()
    return patterns is None or any(set(_WILDCARDS) & set(pattern) for pattern in patterns)


def is_allowed(name: str) -> bool:
    """Whether this server offers a model."""
    patterns = allowed_patterns()
    if patterns is None:
        return True
    folder = None if name == SHIPPED_FOLDER.name else folder_named(name)
    if folder is None:
        return any(fnmatchcase(name, pattern) for pattern in patterns)
    # A folder is what it resolves to, however it is written: “org/name” may be one.
    written = [spelling for p in patterns for spelling in (p, _resolved(p))]
    return any(fnmatchcase(str(folder), pattern) for pattern in written)


def require_allowed(name: str) -> None:
    """Refuse a model that this server does not offer.

    Raises:
        ModelNotAllowedError: it is not on the operator's list.
    """
    if not is_allowed(name):
        offered = ", ".join(allowed_patterns() or ()) or "no model at all"
        raise ModelNotAllowedError(
            asked=f"The model “{name[:200]}” was asked for.",
            found=f"This server's operator allows {offered}.",
            action="Choose one of these.",
        )


def _resolved(pattern: str) -> str:
    try:
        return str(Path(pattern).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        return pattern
