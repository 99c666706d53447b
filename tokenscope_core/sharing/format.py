"""What a link to a session carries, as values for `share_payload`.

Version 1 holds `model`, `request` (the root's), `branches`, `current` and `view`. Branches name
their parents by place, and no keys: those follow from the recipes, but for runs that were stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokenscope_core.errors import RequestError
from tokenscope_core.failures import MalformedError
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.recipe_format import (
    branch_of,
    branch_values,
    model_of,
    model_values,
    require_moderate,
    text,
    whole,
)
from tokenscope_core.sessions.screen_state import View, view_of, view_values
from tokenscope_core.sessions.session import MAX_BRANCHES, Session
from tokenscope_core.sharing import payload as share_payload

_VERSION = 1
# The recipes of all branches together, every one with what it has in common with the root: at the
# worst about a second's work, and 500 branches of a prompt of 8,000 characters.
_MAX_REQUEST_BYTES = 4 * 1024**2
_MAX_MODEL_NAME = 300


@dataclass(frozen=True, slots=True)
class Shared:
    """What a link carries: a session without a history, what else was on screen, and the model it
    was made with, as whoever made the link named it."""

    session: Session
    view: Mapping[str, View]
    model: ModelChoice


def write(session: Session, view: Mapping[str, View], model: ModelChoice | None) -> str:
    """The payload in the newest version, whatever its length.

    Raises:
        ShareError: the view is not as `share.encode` says, or the session is beyond any link.
    """
    place = {branch.key: index for index, branch in enumerate(session.branches)}
    base = session.root.request.to_json()
    values = {
        "model": shared_model_values(session.model, model),
        "request": base,
        "branches": [_branch_values(branch, place, base) for branch in session.branches],
        "current": place[session.current],
        "view": view_values(view, place),
    }
    try:
        require_moderate(base, len(session), _MAX_REQUEST_BYTES)
    except RequestError as error:
        raise share_payload.too_large(_VERSION, error.found) from error
    return share_payload.write(_VERSION, values)


def read(payload: str) -> Shared:
    """What `write` wrote in this or an earlier version.

    Raises:
        ShareError: it is damaged, cut short, too large or of an unknown version.
    """
    return share_payload.read(payload, _READERS)


def _read_1(values: Any) -> Shared:
    base, written = values["request"], values["branches"]
    if not isinstance(written, list) or len(written) > MAX_BRANCHES:
        raise MalformedError("its branches are no list, or too many")
    require_moderate(base, len(written), _MAX_REQUEST_BYTES)
    identity = model_of(values["model"])
    branches: list[Branch] = []
    for one in written:
        parent = one.get("parent")
        branches.append(
            branch_of(
                one,
                base,
                fingerprint=identity.fingerprint,
                parent=None if parent is None else branches[whole(parent)].key,
                stopped_key=one.get("key"),
            )
        )
    session = Session(identity, tuple(branches), branches[whole(values["current"])].key)
    view = view_of(values["view"], branches)
    return Shared(session, view, choice_of(values["model"]))


_READERS: dict[int, Callable[[Any], Shared]] = {1: _read_1}


def _branch_values(
    branch: Branch, place: Mapping[str, int], base: Mapping[str, Any]
) -> dict[str, Any]:
    values = branch_values(branch, base)
    if branch.parent is not None:
        values["parent"] = place[branch.parent]
    if branch.stopped_after is not None:
        values["key"] = branch.key
    return values


def shared_model_values(identity: ModelIdentity, model: ModelChoice | None) -> dict[str, Any]:
    """Which model a session is of, and in which precision it ran, where that is known."""
    values = model_values(identity)
    # Only the precision: in which folder a model lies is nobody else's concern.
    return values if model is None or model.dtype is None else values | {"dtype": model.dtype}


def choice_of(values: Mapping[str, Any]) -> ModelChoice:
    """The model that `shared_model_values` names.

    Raises:
        TypeError, ValueError, LookupError, ModelError: it is named by a path, or in another way
            that no such values are.
    """
    name = text(values["name"])
    parts = name.split("/")
    if len(name) > _MAX_MODEL_NAME or "\\" in name or {"", ".", "..", "~"} & set(parts):
        raise MalformedError("its model is named by a path, or not at all")
    dtype = values.get("dtype")
    return ModelChoice(name, None if dtype is None else text(dtype))
