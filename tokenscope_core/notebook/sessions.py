"""A session as a notebook shows it: its tree of branches."""

from __future__ import annotations

from html import escape

from tokenscope_core.display.branch_palette import PALETTE
from tokenscope_core.display.formatting import count_text
from tokenscope_core.notebook.fragments import output, row, table, text
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import Session

MOST_BRANCHES = 200
_MOST_DEPTH = 12
_MOST_NOTE = 500


def session_html(session: Session) -> str:
    """The tree of a session: names, notes, and of each branch what was changed where."""
    keys = list(session.walk())
    rows = [_cells(session, session.branch(key)) for key in keys[:MOST_BRANCHES]]
    more = len(keys) - len(rows)
    left_out = (
        f"{more:,} more branches are left out; <code>session.branches</code> has all."
        if more
        else ""
    )
    words = f"{len(keys):,} {'branch' if len(keys) == 1 else 'branches'}"
    return output(
        "Session",
        row("head", f"<b>Session</b> {words}", text(session.model.name)),
        table(["branch", "forks at", "removed", "put in", "new tokens asked for", "key"], rows),
        row(
            "foot",
            left_out,
            "A session holds recipes. <code>ts.tree_frame(session, {trace.key: trace, …})</code> "
            "adds the figures of the traces at hand.",
        ),
    )


def _cells(session: Session, branch: Branch) -> list[str]:
    depth = min(len(session.path_to(branch.key)) - 1, _MOST_DEPTH)
    colour = PALETTE[branch.colour]
    selected = " selected" if branch.key == session.current else ""
    note = branch.note[:_MOST_NOTE] + ("…" if len(branch.note) > _MOST_NOTE else "")
    noted = f'<span class="note">{text(note)}</span>' if note else ""
    name = (
        f'<div class="branch{selected}" style="margin-left: {depth}rem; '
        f'--branch: light-dark({colour.light}, {colour.dark})">{text(branch.name)}{noted}</div>'
    )
    edit = branch.edit
    changed = ["", "", ""] if edit is None else [
        f"{edit.position:,}",
        f"{edit.removed:,}",
        count_text(len(edit.token_ids), "token"),
    ]  # fmt: skip
    return [name, *changed, f"{branch.request.max_new_tokens:,}", escape(branch.key[:12])]
