"""What opening a shared session takes: the traces that are here, those to compute, the model."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.models.files import hub
from tokenscope_core.models.files.choice import DTYPES, ModelChoice
from tokenscope_core.models.files.model_files import find
from tokenscope_core.models.files.sources import accepts_others, identified, is_allowed
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sharing.format import Shared
from tokenscope_core.sharing.readings import SharedReadings
from tokenscope_core.store.store import Store

Availability = Literal[
    "here", "to be read", "samples agree", "other version", "to be downloaded", "not allowed",
    "absent",
]  # fmt: skip
# What has to be fetched before it is known whether it is the very model.
TO_BE_FETCHED: tuple[Availability, ...] = ("to be downloaded", "to be read")


@dataclass(frozen=True, slots=True)
class Cost:
    """What it takes to see a shared session on this machine.

    `held` and `missing` are the keys of its branches that the store has and lacks; to see the
    selected branch, those of `to_show` have to be computed, in turn. The counts are over `missing`:
    at most `generated_tokens` are drawn, and at most `read_tokens` read, where a token of a prompt
    is taken for a byte of it, as it is not known yet where its tokens end.

    `model` is what computes them, what is to be downloaded or read, or what agrees in the samples;
    None where there is none of these.
    `availability` of exactly that model: `here`; `to be read`: one of that name is, whose files
    were never read; `samples agree`: one that agrees in what an earlier release compared, which was
    not every byte; `other version`: there is one of that name, but
    its files or its precision differ and so would the figures; `to be downloaded`: from the hub,
    and only then known to be the same; `not allowed` by the operator of this server; `absent`.
    """

    held: tuple[str, ...]
    missing: tuple[str, ...]
    to_show: tuple[str, ...]
    generated_tokens: int
    read_tokens: int
    availability: Availability
    model: ModelChoice | None

    @property
    def computable(self) -> bool:
        """Whether all branches can be seen: none is missing, or the very model is here."""
        return not self.missing or self.availability == "here"


def cost(shared: Shared, store: Store) -> Cost:
    """What opening a shared session takes with that store. Runs nothing and loads no model.

    A record that is there but damaged counts as held; `trace_of` computes it again.

    Raises:
        RecordError: the store cannot be used.
    """
    session = shared.session
    held = frozenset(branch.key for branch in session.branches if branch.key in store)
    missing = [branch for branch in session.branches if branch.key not in held]
    to_show: list[str] = []
    for key in reversed(session.path_to(session.current)):
        if key in held:
            break
        to_show.insert(0, key)
    availability, model = availability_of(session.model, shared.model)
    return Cost(
        held=tuple(branch.key for branch in session.branches if branch.key in held),
        missing=tuple(branch.key for branch in missing),
        to_show=tuple(to_show),
        generated_tokens=sum(map(_generated, missing)),
        read_tokens=sum(map(_read, missing)),
        availability=availability,
        model=model,
    )


@dataclass(frozen=True, slots=True)
class ReadingCost:
    """What it takes to see what one of two models made of a text: `held` by the store or not, and
    as for a `Cost` whether the very model is here, and the choice that loads it."""

    held: bool
    availability: Availability
    model: ModelChoice | None

    @property
    def computable(self) -> bool:
        """Whether it can be seen: it is stored, or the very model is here."""
        return self.held or self.availability == "here"


def readings_cost(shared: SharedReadings, store: Store) -> tuple[ReadingCost, ReadingCost]:
    """What opening a shared comparison of two models takes, of each. Loads nothing.

    Raises:
        RecordError: the store cannot be used.
    """
    a, b = (
        ReadingCost(key in store, *availability_of(reader.model, reader.choice))
        for key, reader in zip(shared.keys, shared.readers, strict=True)
    )
    return a, b


def availability_of(
    identity: ModelIdentity, named: ModelChoice
) -> tuple[Availability, ModelChoice | None]:
    """Whether a model is here, by its fingerprint, and the choice that loads it.

    Args:
        identity: the model wanted.
        named: how whoever wants it calls it, and in which precision it ran, where that is known.
    """
    choice = identified(identity)
    if choice is not None:
        with contextlib.suppress(TokenScopeError):
            files = find(choice.name)
            if files is None:
                return _elsewhere(named)
            if files.fingerprint_in(choice.dtype) == identity.fingerprint:
                return "here", choice
            if files.content_hash is None:
                return "to be read", ModelChoice(choice.name, named.dtype)
            for dtype in (None, *DTYPES):
                if files.sampled_fingerprint_in(dtype) == identity.fingerprint:
                    return "samples agree", ModelChoice(choice.name, dtype)
        return "other version", None
    if not is_allowed(named.name) or not accepts_others():
        return "not allowed", None
    return _elsewhere(named)


def _elsewhere(named: ModelChoice) -> tuple[Availability, ModelChoice | None]:
    if hub.is_hub_id(named.name) and not hub.is_offline():
        return "to be downloaded", named
    return "absent", None


def _generated(branch: Branch) -> int:
    most = branch.request.max_new_tokens
    return most if branch.stopped_after is None else min(most, branch.stopped_after)


def _read(branch: Branch) -> int:
    if branch.edit is not None:
        return branch.edit.next_position + branch.edit.kept
    request = branch.request
    texts = (request.prompt, request.suffix or "", *(m.content for m in request.messages))
    return sum(len(text.encode("utf-8")) for text in texts)
