"""What was shared, for another model than it was made with: the same recipes under keys of its own.

Earlier releases named a model with large files by samples of them. None that is here is known to be
that model; one that agrees in the samples can compute what was shared anew, under its own name.
"""

from __future__ import annotations

from dataclasses import replace

from tokenscope_core.errors import ModelNotFoundError
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.model_files import find
from tokenscope_core.record.trace import recipe_key
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import Session
from tokenscope_core.sharing.format import Shared
from tokenscope_core.sharing.readings import ReadingModel, SharedReadings


def session_anew(shared: Shared, choice: ModelChoice) -> Shared:
    """A shared session for the model of a choice, whose tokens are those of the session's.

    Runs that were stopped go on to their end: how they stood is in no recipe.

    Raises:
        ModelNotFoundError: its files are not here, or were never read.
    """
    model = _identity(choice, shared.session.model)
    keys: dict[str, str] = {}
    branches: list[Branch] = []
    for branch in shared.session.branches:
        parent = None if branch.parent is None else keys[branch.parent]
        origin = None if parent is None or branch.edit is None else (parent, branch.edit)
        key = recipe_key(model.fingerprint, branch.request, branch=origin)
        keys[branch.key] = key
        if key not in {known.key for known in branches}:  # as a run and the same one stopped are
            branches.append(replace(branch, key=key, parent=parent, stopped_after=None))
    session = Session(model, tuple(branches), keys[shared.session.current])
    view = {
        name: keys.get(value, value) if isinstance(value, str) else value
        for name, value in shared.view.items()
    }
    return Shared(session, view, choice)


def readings_anew(
    shared: SharedReadings, choices: tuple[ModelChoice | None, ModelChoice | None]
) -> SharedReadings:
    """A shared comparison in which those models are replaced for which there is a choice.

    Raises: as `session_anew`.
    """
    first, second = (
        reader if choice is None else ReadingModel(_identity(choice, reader.model), reader.choice)
        for reader, choice in zip(shared.readers, choices, strict=True)
    )
    return replace(shared, readers=(first, second))


def _identity(choice: ModelChoice, former: ModelIdentity) -> ModelIdentity:
    files = find(choice.name)
    fingerprint = None if files is None else files.fingerprint_in(choice.dtype)
    if files is None or fingerprint is None:
        raise ModelNotFoundError(
            asked=f"What was shared was to be computed anew by “{choice}”.",
            found="Its files are not here, or were changed just now and not read since.",
            action="Run anything on it once, and try again.",
        )
    return ModelIdentity(files.name, fingerprint, former.vocabulary_size)
