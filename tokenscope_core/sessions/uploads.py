"""Figures that somebody brought in a file, set apart from those that were computed here.

A key vouches for the recipe of a trace, not for its figures. What a file says is therefore given
an identity of its own, a digest of all its contents: a forged file cannot pass for the model that
it names, nor for another file, and no cache by key can mix them up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import Session

SUFFIX = " (from a file)"
_IMPORTED = " (imported)"


def is_from_file(model: ModelIdentity) -> bool:
    """Whether figures of that model were read from a file, and cannot be computed again."""
    return model.name.endswith((SUFFIX, _IMPORTED))


def is_imported(model: ModelIdentity) -> bool:
    """Whether figures of that model were read from an engine's answer."""
    return model.name.endswith(_IMPORTED)


def set_apart(session: Session, traces: Mapping[str, Trace]) -> tuple[Session, dict[str, Trace]]:
    """The same tree and figures under keys of their own; equal contents give equal keys.

    Args:
        session: the tree of a file.
        traces: those of its branches that the file holds, by key.

    Returns:
        The session, whose model is called as before with a suffix, and its traces by their keys.
    """
    name = session.model.name + ("" if is_from_file(session.model) else SUFFIX)
    width = session.model.vocabulary_size
    digest = hashlib.sha256(b"from a file\n")
    # Under a fingerprint that says nothing, so that the same contents are the same once more.
    plain, figures = _under(ModelIdentity(name, "0" * 64, width), session, traces)
    for branch in plain.branches:
        digest.update(figures[branch.key].to_bytes() if branch.key in figures else b"missing\n")
    return _under(ModelIdentity(name, digest.hexdigest(), width), session, traces)


def _under(
    model: ModelIdentity, session: Session, traces: Mapping[str, Trace]
) -> tuple[Session, dict[str, Trace]]:
    keys: dict[str, str] = {}
    branches: list[Branch] = []
    found: dict[str, Trace] = {}
    for branch in session.branches:
        parent = None if branch.parent is None else keys[branch.parent]
        trace = traces.get(branch.key)
        if trace is None:
            content = f"{model.fingerprint} {branch.key}"
            key = hashlib.sha256(content.encode()).hexdigest()
        else:
            origin = None if parent is None or branch.edit is None else (parent, branch.edit)
            trace = replace(trace, model=model, branch=origin)
            key = trace.key
            found[key] = trace
        keys[branch.key] = key
        branches.append(replace(branch, key=key, parent=parent))
    return Session(model, tuple(branches), keys[session.current]), found


def alone(trace: Trace) -> Session:
    """The session of a single trace; a branch by itself is the root of its own tree."""
    if trace.branch is None:
        return Session.start(trace)
    whole = Branch(trace.key, trace.request, "a branch")
    return Session(trace.model, (whole,), trace.key)
