"""A session: what a person made of a run, as a tree of branches with names and notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from tokenscope_core.branches.names import name_of
from tokenscope_core.errors import RequestError
from tokenscope_core.record.html_repr import ShownAsHtml
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions import format as session_format
from tokenscope_core.sessions.branch import PALETTE_SIZE, Branch, require
from tokenscope_core.sessions.format import UNDO_STEPS

MAX_BRANCHES = 1_000

Direction = Literal["parent", "child", "next", "previous"]


@dataclass(frozen=True)
class Session(ShownAsHtml):
    """A tree of traces of one model, with names and notes. Immutable: a change makes another.

    It holds keys and recipes; the traces themselves are in a store, or computed again. `branches`
    are in the order they were made, the root first; `current` is the key of the one selected.
    `past` and `future` are what `undo` and `redo` lead to: sessions without a history, the latest
    of the past last, the next of the future first. At most `UNDO_STEPS` steps are kept.

    Raises:
        RequestError: the branches are no tree, or too many.
    """

    model: ModelIdentity
    branches: tuple[Branch, ...]
    current: str
    past: tuple[Session, ...] = field(default=(), repr=False)
    future: tuple[Session, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        require(
            0 < len(self.branches) <= MAX_BRANCHES,
            f"{len(self.branches):,} branches",
            f"A session has 1 to {MAX_BRANCHES:,}: remove some, or start another.",
        )
        known: set[str | None] = {None}
        for index, branch in enumerate(self.branches):
            require(
                branch.parent in known and (branch.parent is None) == (index == 0),
                f"the branch {branch.key[:12]}",
                "It does not grow on an earlier one of the session.",
            )
            require(branch.key not in known, f"the branch {branch.key[:12]}", "It is there twice.")
            known.add(branch.key)
        require(self.current in known, f"the selection “{self.current}”", "No branch is called so.")

    @classmethod
    def start(cls, trace: Trace) -> Session:
        """A session of one run.

        Raises:
            RequestError: the trace is itself a branch; start with the run that it came from.
        """
        if trace.branch is not None:
            raise RequestError(
                asked="A session was to start with a branch.",
                found=f"It was forked from {trace.branch[0][:12]}, and is nothing without it.",
                action="Start with that trace and add the branch.",
            )
        return cls(trace.model, (Branch.of(trace, name=name_of(trace)),), trace.key)

    def __repr__(self) -> str:
        # Escaped: a name may hold what a terminal obeys.
        model, current = (repr(n)[1:-1] for n in (self.model.name, self.branch(self.current).name))
        return (
            f"<Session of {model}: {len(self)} "
            f"{'branch' if len(self) == 1 else 'branches'}, “{current}” "
            "selected>"
        )

    def add(self, *children: Trace, parent: Trace | None = None) -> Session:
        """Add branches, as one step, and select the first. One that is there already stays.

        Args:
            children: traces that were forked from those of this session, or from one another.
            parent: the trace they were forked from, to name what was replaced.

        Raises:
            RequestError: the parent of one is not in the session, or its model is another.
        """
        if not children:
            return self
        branches = list(self.branches)
        known, names = set(self._by_key), {branch.name for branch in branches}
        for child in children:
            self._require_growth(child, known)
            if child.key in known:
                continue
            name = unused_name(name_of(child, parent), names)
            branches.append(Branch.of(child, name=name, colour=len(branches) % PALETTE_SIZE))
            known.add(child.key)
            names.add(name)
        if len(branches) == len(self):
            return self.select(children[0].key)
        return self.with_branches(tuple(branches), children[0].key)

    def rename(self, key: str, name: str) -> Session:
        """Call a branch something else."""
        return self._with(replace(self.branch(key), name=name.strip()))

    def note(self, key: str, note: str) -> Session:
        """Replace the note on a branch; an empty one removes it."""
        return self._with(replace(self.branch(key), note=note))

    def colour(self, key: str, colour: int) -> Session:
        """Give a branch another colour, an index into the palette."""
        return self._with(replace(self.branch(key), colour=colour))

    def remove(self, key: str) -> Session:
        """Remove a branch and all that grew on it; if selected, its parent is selected then.

        Raises:
            RequestError: it is the root, or there is no such branch.
        """
        parent = self.branch(key).parent
        if parent is None:
            raise RequestError(
                asked=f"“{self.branch(key).name}” was to be removed.",
                found="All other branches of the session grow on it.",
                action="Remove single branches, or delete the session.",
            )
        gone = set(self.descendants(key)) | {key}
        left = tuple(branch for branch in self.branches if branch.key not in gone)
        return self.with_branches(left, parent if self.current in gone else self.current)

    def select(self, key: str) -> Session:
        """Turn to a branch. No step of its own: undo and redo are as they were."""
        return self if key == self.current else replace(self, current=self.branch(key).key)

    def undo(self) -> Session:
        """The tree as it was before the last change, or this where there is none."""
        if not self.past:
            return self
        return replace(
            self.past[-1], past=self.past[:-1], future=(self.without_history(), *self.future)
        )

    def redo(self) -> Session:
        """The tree as it was before the last `undo`, or this where there is none."""
        if not self.future:
            return self
        return replace(
            self.future[0], past=(*self.past, self.without_history()), future=self.future[1:]
        )

    def with_branches(self, branches: tuple[Branch, ...], current: str) -> Session:
        """The tree with other branches, as one step; with the same ones, what is selected.

        Raises:
            RequestError: they are no tree, or too many.
        """
        if branches == self.branches:
            return self.select(current)
        past = (*self.past, self.without_history())[-UNDO_STEPS:]
        return Session(self.model, branches, current, past)

    def differs_in_selection_alone(self, other: Session) -> bool:
        """Whether another is the same but for which branch is selected now."""
        return replace(self, current=other.current) == other if other.current in self else False

    def without_history(self) -> Session:
        """The same tree, with nothing to undo or redo."""
        return replace(self, past=(), future=())

    @property
    def root(self) -> Branch:
        """The run that all began with."""
        return self.branches[0]

    def __len__(self) -> int:
        return len(self.branches)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def branch(self, key: str) -> Branch:
        """The branch of that key.

        Raises:
            RequestError: there is none.
        """
        if key not in self._by_key:
            raise RequestError(
                asked=f"The branch {key[:12]} was to be found.",
                found="The session has none of that key; it may have been removed.",
                action="Undo its removal, or choose another.",
            )
        return self._by_key[key]

    def children(self, key: str) -> tuple[str, ...]:
        """The keys of the branches that grow on a branch, in the order they were made."""
        return tuple(self._children.get(self.branch(key).key, ()))

    def descendants(self, key: str) -> tuple[str, ...]:
        """The keys of all that grew on a branch, as in `walk`."""
        return tuple(self._below(key))[1:]

    def path_to(self, key: str) -> tuple[str, ...]:
        """The keys from the root to a branch: what has to be there, in turn, to compute it."""
        path = [self.branch(key).key]
        while (parent := self.branch(path[-1]).parent) is not None:
            path.append(parent)
        return tuple(reversed(path))

    def walk(self) -> tuple[str, ...]:
        """All keys, depth first: a branch, then each of its children with all below it."""
        return tuple(self._below(self.root.key))

    def neighbour(self, key: str, direction: Direction) -> str:
        """Where a step leads: to the parent, the first child, or the next or previous branch with
        the same parent; nowhere else than the branch itself where there is none."""
        parent = self.branch(key).parent
        if direction == "parent":
            return parent or key
        if direction == "child":
            return next(iter(self.children(key)), key)
        siblings = self.children(parent) if parent else (key,)
        index = siblings.index(key) + (1 if direction == "next" else -1)
        return siblings[index] if 0 <= index < len(siblings) else key

    def to_bytes(self) -> bytes:
        """The session as JSON, history included; `from_bytes` is its inverse.

        Raises:
            RequestError: it is larger than can be kept.
        """
        states = (*self.past, self, *self.future)
        recorded = tuple(session_format.State(state.branches, state.current) for state in states)
        return session_format.encode(
            session_format.History(self.model, recorded, now=len(self.past))
        )

    @classmethod
    def from_bytes(cls, blob: bytes) -> Session:
        """Read `to_bytes`'s output, treating it as untrusted.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return session_format.decode(blob, cls._of_history)

    @classmethod
    def _of_history(cls, history: session_format.History) -> Session:
        states = tuple(cls(history.model, *state) for state in history.states)
        here = states[history.now]
        past, future = states[: history.now], states[history.now + 1 :]
        return cls(here.model, here.branches, here.current, past, future)

    @cached_property
    def _by_key(self) -> dict[str, Branch]:
        return {branch.key: branch for branch in self.branches}

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for branch in self.branches[1:]:
            children.setdefault(str(branch.parent), []).append(branch.key)
        return children

    def _below(self, key: str) -> Iterator[str]:
        waiting = [key]
        while waiting:
            here = waiting.pop()
            waiting += reversed(self.children(here))
            yield here

    def _with(self, branch: Branch) -> Session:
        if branch == self.branch(branch.key):
            return self
        branches = tuple(branch if b.key == branch.key else b for b in self.branches)
        return self.with_branches(branches, self.current)

    def _require_growth(self, child: Trace, known: set[str]) -> None:
        if child.key in known:
            return
        if child.branch is None or child.branch[0] not in known:
            origin = f"from {child.branch[0][:12]}" if child.branch else "from no trace at all"
            raise RequestError(
                asked="A branch was to be added to a session.",
                found=f"It was forked {origin}, which the session does not hold.",
                action="Add its parent first, or start a session with it.",
            )
        if child.model.fingerprint != self.model.fingerprint:
            raise RequestError(
                asked="A branch was to be added to a session.",
                found=f"It comes from “{child.model.name}”, the session from “{self.model.name}”, "
                "or from different precisions of one model.",
                action="Start another session for it.",
            )


def unused_name(name: str, names: set[str]) -> str:
    """The name, with a number where another has it already."""
    numbered = (name if n == 1 else f"{name} ({n})" for n in range(1, len(names) + 2))
    return next(candidate for candidate in numbered if candidate not in names)
