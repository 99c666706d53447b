"""What a shared session is, and what opening it takes, in sentences. Plain text, never markup."""

from __future__ import annotations

from tokenscope_core import Session, Shared
from tokenscope_core.display.formatting import branches_text, count_text
from tokenscope_core.sessions.uploads import is_from_file
from tokenscope_core.sharing.cost import Availability, Cost


def cost_text(shared: Shared, found: Cost, *, here: str = "here") -> str:
    """What opening it takes."""
    count = len(shared.session)
    if not found.missing:
        return (
            f"All of its {branches_text(count)} are stored {here}: it opens at once, and nothing "
            "is computed."
            if count > 1
            else f"Its trace is stored {here}: it opens at once, and nothing is computed."
        )
    what = "Its trace" if count == 1 else f"{len(found.missing):,} of its {branches_text(count)}"
    return (
        f"{what} must be computed {here}: at most "
        f"{count_text(found.generated_tokens, 'token')} to generate and {found.read_tokens:,} to "
        "read."
    )


def worst_text(shared: Shared) -> str:
    """What opening it takes where nothing of it is stored."""
    branches = shared.session.branches
    most = sum(
        b.request.max_new_tokens
        if b.stopped_after is None
        else min(b.request.max_new_tokens, b.stopped_after)
        for b in branches
    )
    return (
        f"On a server that has never seen it, it is computed again: {branches_text(len(branches))}"
        f", at most {count_text(most, 'token')} to generate, by the model "
        f"“{shared.session.model.name}”, which has to be there in the same version."
    )


def model_text(shared: Shared, found: Cost) -> str:
    """Whether the model is here."""
    model = shared.session.model
    if is_from_file(model):
        return f"The figures of “{model.name}” came from a file: nothing can be computed again."
    return availability_text(model.name, found.availability)


def availability_text(model: str, availability: Availability) -> str:
    """Whether a model is here."""
    name = f"“{model}”"
    match availability:
        case "here":
            return f"The model {name} is here, in exactly that version."
        case "other version":
            return (
                f"There is a model {name} here, but its files or its precision differ: its figures "
                "would be others, so what is missing is not computed."
            )
        case "to be read":
            return (
                f"There is a model {name} here whose files were never read: whether it is the same "
                "is known once they are."
            )
        case "samples agree":
            return (
                f"The model {name} here agrees with that one in all that earlier releases compared "
                "of a model, which was not every byte: it may be the same or an edited copy. "
                "What is missing can be computed anew, under its own name."
            )
        case "to be downloaded":
            return (
                f"The model {name} is not on this server. It can be downloaded from the hub; only "
                "then is it known whether it is the same."
            )
        case "not allowed":
            return f"The operator of this server does not offer the model {name}."
        case _:
            return f"The model {name} is not on this server."


def origin_text(session: Session, key: str) -> str:
    """On what a branch grew."""
    parent = session.branch(key).parent
    return "the first run" if parent is None else f"grew on “{session.branch(parent).name}”"
