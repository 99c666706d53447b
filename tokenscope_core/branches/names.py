"""What a branch is called until a person names it: what was done, and where."""

from __future__ import annotations

from tokenscope_core.record.trace import Trace

_SHOWN = 24
_VISIBLE = str.maketrans({"\n": "⏎", "\r": "␍", "\t": "⇥"})


def name_of(trace: Trace, parent: Trace | None = None) -> str:
    """A name such as ‘if’ → ‘while’ at 12; a run that is no branch is the original.

    Args:
        trace: what is to be named.
        parent: the trace it was forked from, for the text of what was replaced; without it, or
            with another, that is left out.
    """
    if trace.branch is None:
        return "original"
    key, edit = trace.branch
    gone = ""
    if edit.removed and parent is not None and parent.key == key:
        gone = _quoted(parent, edit.position, edit.position + edit.removed)
    put = _quoted(trace, edit.position, edit.next_position)
    at = f"at {edit.position:,}"
    if edit.token_ids and edit.removed:
        return f"{gone} → {put} {at}" if gone else f"{put} {at}"
    if edit.token_ids:
        return f"{put} inserted {at}"
    if edit.removed:
        return f"{gone or _count(edit.removed)} deleted {at}"
    if parent is not None and parent.key == key and edit.position == len(parent):
        return f"past the end at {edit.position:,}"
    return f"again from {edit.position + edit.kept:,}"


def _count(tokens: int) -> str:
    return "1 token" if tokens == 1 else f"{tokens:,} tokens"


def _quoted(trace: Trace, start: int, end: int) -> str:
    """The text of some tokens, on one line and not too long."""
    table = trace.vocabulary.token_bytes
    spelled = b"".join(table[i] for i in trace.token_ids[start:end].tolist())
    text = spelled.decode("utf-8", errors="replace").translate(_VISIBLE)
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return "‘" + "".join(c if c.isprintable() else "\ufffd" for c in shown) + "’"
