"""A small tree of traces made by hand."""

from __future__ import annotations

from made_traces import forked, made

from tokenscope_core.sessions.session import Session

ROOT = made(["if", " x", ":", "\n", " return"], prompt_length=2)
WHILE = forked(ROOT, 0, ["while"], [" x", ":"])
DEEPER = forked(WHILE, 2, [" y"])
ELSE = forked(ROOT, 3, [" pass"])


def grown() -> Session:
    """The root with two branches, the first of which has one of its own."""
    session = Session.start(ROOT).add(WHILE, parent=ROOT)
    return session.add(DEEPER, parent=WHILE).add(ELSE, parent=ROOT)
