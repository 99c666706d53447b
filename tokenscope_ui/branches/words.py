"""The figures of a branch as its lane and its row say them. Plain text, never markup."""

from __future__ import annotations

import numpy as np

from tokenscope_core import Edit, Trace
from tokenscope_core.display.formatting import count_text, metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.steps import FinishReason
from tokenscope_core.syntax.judging.validity import Standing
from tokenscope_ui.trace.code_standing import STANDING_WORDS

_MARK_LENGTH = 24
_FINISH: dict[FinishReason, str] = {
    "length": "at the limit",
    "eos": "ended itself",
    "stop": "at a stop text",
    "cancelled": "stopped by hand",
    "filtered": "filtered by the engine",
    "unknown": "not said why",
}


def finish_text(reason: FinishReason) -> str:
    """Why a text ends where it does."""
    return _FINISH[reason]


def standing_text(standing: Standing | float | None) -> str:
    """How its code stands; empty where that is not known."""
    return STANDING_WORDS[standing] if isinstance(standing, str) else ""


def mean_text(mean_surprisal: float, unit: LogUnit) -> str:
    """A mean surprisal in nats, as the screen has it."""
    value = to_screen("surprisal", np.array([mean_surprisal]), unit)
    return metric_text("surprisal", float(value[0]), unit)


def mark_text(edit: Edit | None, trace: Trace | None) -> str:
    """What was done where a branch leaves its parent; empty for a root.

    Args:
        edit: what was done.
        trace: the branch's, which holds the text that was put there; None where not stored.
    """
    if edit is None:
        return ""
    if edit.token_ids and trace is None:
        return count_text(len(edit.token_ids), "token") + " put here"
    if edit.token_ids and trace is not None:
        table = trace.vocabulary.token_bytes
        ids = trace.token_ids[edit.position : edit.next_position].tolist()
        text = on_one_line(b"".join(table[i] for i in ids))
        return text if len(text) <= _MARK_LENGTH else text[: _MARK_LENGTH - 1] + "…"
    if edit.removed:
        return count_text(edit.removed, "token") + " deleted"
    return "again"
