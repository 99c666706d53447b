"""Where models come from, and which of them the operator of this server offers."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from tokenscope_core.errors import ModelNotAllowedError, TokenScopeError
from tokenscope_core.models.files import catalogue, hub
from tokenscope_core.models.files.choice import DTYPES, ModelChoice
from tokenscope_core.models.files.folder_checks import is_complete, seems_to_write
from tokenscope_core.models.files.formats.adapters import JOINT
from tokenscope_core.models.files.formats.gguf import is_gguf
from tokenscope_core.models.files.model_files import find
from tokenscope_core.models.files.names import (
    SHIPPED_FOLDER,
    adapted,
    base_name,
    hub_id_of,
    listed_paths,
    path_named,
    plain_name,
    short_names,
)
from tokenscope_core.models.files.openable import require_openable
from tokenscope_core.record.trace_columns import ModelIdentity

ALLOWED_VARIABLE = "TOKENSCOPE_ALLOWED_MODELS"
DEFAULT_VARIABLE = "TOKENSCOPE_MODEL"
_WILDCARDS = "*?["

Kind = Literal["shipped", "folder", "gguf", "adapter", "cache", "hub", "package"]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that can be chosen: the name that loads it, and where it lies.

    `cache` is the Hugging Face cache of this machine; `hub` and `package` have to be downloaded
    first. `label` is what it is shown as, which finds it too. `problem` says why it cannot be
    opened, a sentence.
    """

    name: str
    kind: Kind
    label: str
    problem: str | None = None


def available() -> tuple[str, ...]:
    """The names of those among `sources` that can be opened, as far as is known."""
    return tuple(source.name for source in sources() if source.problem is None)


def sources() -> tuple[ModelSource, ...]:
    """What can be chosen without typing: what TOKENSCOPE_MODEL names, which comes first, the
    shipped model, every model, adapter and GGUF file directly inside the folders that
    TOKENSCOPE_MODELS lists, models that came in packages, complete ones in the Hugging Face cache,
    and the hub ids that TOKENSCOPE_ALLOWED_MODELS names.

    A listed one that cannot be opened is there with its problem: an operator who put it there would
    look for it."""
    labels = {place: label for label, place in short_names(listed_paths()).items()}
    fetched = [offer.name for offer in catalogue.OFFERS if _is_fetched(offer.name)]
    cached = [name for name in hub.cached_names() if _is_cached(name, listed=True)]
    named = [
        pattern
        for pattern in allowed_patterns() or ()
        if not set(_WILDCARDS) & set(pattern) and source_of(pattern).kind == "hub"
    ]
    first = os.environ.get(DEFAULT_VARIABLE, "").strip()
    found = [
        *([source_of(plain_name(first))] if first else []),
        source_of(SHIPPED_FOLDER.name),
        *(
            ModelSource(str(place), _kind_of(place), label, _problem(str(place)))
            for place, label in labels.items()
        ),
        *map(source_of, fetched),
        *(ModelSource(name, "cache", name) for name in cached),
        *(ModelSource(name, "hub", name) for name in named if name not in cached),
    ]
    by_name = {source.name: source for source in reversed(found)}
    return tuple(by_name[name] for name in dict.fromkeys(s.name for s in found) if is_allowed(name))


def offers() -> tuple[ModelSource, ...]:
    """The models of the catalogue that are not here and can be had: those of the hub where it may
    be asked, and those that this server allows."""
    return tuple(
        source
        for source in map(source_of, (offer.name for offer in catalogue.OFFERS))
        if (source.kind == "package" or (source.kind == "hub" and not hub.is_offline()))
        and is_allowed(source.name)
    )


def source_of(name: str) -> ModelSource:
    """Where a model of that name would come from."""
    name = hub_id_of(name)
    if name == SHIPPED_FOLDER.name:
        return ModelSource(name, "shipped", name, _problem(name))
    adapter = adapted(name)
    if adapter is not None and adapter[1]:
        return ModelSource(name, "adapter", name, _problem(name))
    place = path_named(name)
    if place is not None:
        label = name if catalogue.offer_named(name) else _label(place)
        return ModelSource(name, _kind_of(place), label, _problem(name))
    if catalogue.packaged(name) is not None:
        return ModelSource(name, "package", name)
    return ModelSource(name, "cache" if _is_cached(name) else "hub", name)


def _kind_of(place: Path) -> Kind:
    if is_gguf(place):
        return "gguf"
    return "adapter" if adapted(str(place)) is not None else "folder"


def _is_fetched(name: str) -> bool:
    return catalogue.packaged(name) is not None and path_named(name) is not None


def _label(place: Path) -> str:
    """The short name of a listed model; of another the last parts of its path, as many as make it
    no listed one's."""
    listed = short_names(listed_paths())
    short = next((short for short, path in listed.items() if path.resolve() == place), None)
    if short is not None:
        return short
    tails = ("/".join(place.parts[-count:]) for count in range(1, len(place.parts)))
    return next((tail for tail in tails if tail not in listed), str(place))


def _problem(name: str) -> str | None:
    try:
        require_openable(name)
    except TokenScopeError as error:
        return f"{error.found} {error.action}"
    return None


def _is_cached(name: str, *, listed: bool = False) -> bool:
    """Whether the cache holds all of a model, and where it is to be `listed`, one that writes:
    programs of all kinds keep their models there."""
    folder = hub.cached_folder(name) if hub.is_hub_id(name) else None
    if folder is None or not is_complete(folder):
        return False
    return not listed or seems_to_write(folder)


def identified(identity: ModelIdentity) -> ModelChoice | None:
    """The choice among `available` that has exactly the weights and the precision of a trace; else
    one that is only called the same, first one whose files were never read; else None."""
    namesakes = [name for name in available() if identity.name in called(name)]
    unread: list[str] = []
    for name in namesakes:
        with contextlib.suppress(TokenScopeError):
            files = find(name)
            if files is None:
                continue
            if files.content_hash is None:
                unread.append(name)
            for dtype in (None, *DTYPES):
                if files.fingerprint_in(dtype) == identity.fingerprint:
                    return ModelChoice(name, dtype)
    others = unread + namesakes
    return ModelChoice(others[0]) if others else None


def base_of(name: str) -> str | None:
    """The model that an adapter goes onto, by the name it is listed under; None of anything else,
    and of an adapter that does not say which."""
    adapter = adapted(hub_id_of(name))
    base = "" if adapter is None else base_name(*adapter)
    return plain_name(base) if base else None


def called(name: str) -> tuple[str, ...]:
    """What traces call a model of that name: a path by its last part, a link by its target's, an
    adapter together with its base."""
    place, adapter = path_named(name), adapted(name)
    own = (name, Path(name).name) if place is None else (name, Path(name).name, place.name)
    if adapter is None:
        return own
    bases = called(base_name(*adapter))
    return (*own, *(f"{adapter[0].name}{JOINT}{base}" for base in bases))


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
    name = hub_id_of(name)
    adapter = adapted(name)
    if adapter is not None:
        base = base_name(*adapter)
        return _is_among(str(adapter[0]), patterns) and (not base or is_allowed(base))
    return _is_among(name, patterns)


def _is_among(name: str, patterns: tuple[str, ...]) -> bool:
    place = None if name == SHIPPED_FOLDER.name else path_named(name)
    if place is None:
        return any(fnmatchcase(name, pattern) for pattern in patterns)
    # A path is what it resolves to, however it is written: “org/name” may be one.
    written = [spelling for p in patterns for spelling in (p, _resolved(p))]
    return any(fnmatchcase(str(place), pattern) for pattern in written)


def require_allowed(name: str) -> None:
    """Refuse a model that this server does not offer.

    Raises:
        ModelNotAllowedError: it is not on the operator's list.
    """
    if not is_allowed(name):
        # Where on the server its folders lie is nobody else's concern.
        patterns = allowed_patterns() or ()
        named = (f"…/{Path(p).name}" if Path(p).expanduser().is_absolute() else p for p in patterns)
        offered = ", ".join(named) or "no model at all"
        raise ModelNotAllowedError(
            asked=f"The model “{name[:200]}” was asked for.",
            found=f"This server's operator allows {offered}.",
            action="Choose one of these.",
        )


def _resolved(pattern: str) -> str:
    """The path that a pattern names, in full; the pattern itself where it names none."""
    place = path_named(pattern)
    if place is not None:
        return str(place)
    try:
        return str(Path(pattern).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        return pattern
