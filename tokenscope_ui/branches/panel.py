"""The selected branch: its code with what changed, and what a person can do with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import streamlit as st

from tokenscope_core import Session, Trace
from tokenscope_core.comparison.alignment import align
from tokenscope_core.display.branch_palette import PALETTE
from tokenscope_core.display.formatting import count_text, moment_words
from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_core.sessions.branch import MAX_NAME, MAX_NOTE, Branch
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.branches import recompute as branch_recompute
from tokenscope_ui.components import passages
from tokenscope_ui.components.passages import Kind
from tokenscope_ui.pages import COMPARE, HOME
from tokenscope_ui.request import problems
from tokenscope_ui.runs import progress, runs, sessions

_CODE_HEIGHT = 420


def code(session: Session, branch: Branch, trace: Trace | None, parent: Trace | None) -> None:
    """The text of a branch; where its trace is not stored, what is known of it."""
    if trace is None:
        _lost(session, branch)
        return
    st.text(_said(session, branch, trace, parent))
    passages.mount(
        list(marked(trace, parent)),
        label=f"The code of {branch.name}",
        key=f"branch code {branch.key}",
        copy=trace.text_bytes,
        height=_CODE_HEIGHT,
    )


def _said(session: Session, branch: Branch, trace: Trace, parent: Trace | None) -> str:
    if branch.edit is None and len(session) == 1:
        return "The only branch yet. Replace one of its tokens on Decode, and another grows on it."
    if branch.edit is None:
        return "The first run: all others grow on it."
    if parent is None:
        return "Marked: from the fork on, since the branch it grew on is not stored."
    name = session.branch(parent.key).name
    if trace.token_ids.tolist() == parent.token_ids.tolist():
        return f"Token for token the same as “{name}”."
    return f"Marked: what is not the same in “{name}”."


def marked(trace: Trace, parent: Trace | None) -> Iterator[tuple[Kind, bytes]]:
    """A text in passages, those that differ from its parent's as `filled`."""
    same = _same_as(trace, parent)
    table = trace.vocabulary.token_bytes
    kinds: list[Kind] = [
        "special" if special else "plain" if kept else "filled"
        for special, kept in zip(trace.special.tolist(), same, strict=True)
    ]
    ids = trace.token_ids.tolist()
    for kind, positions in groupby(range(len(ids)), key=lambda position: kinds[position]):
        # A character may be spelled by several tokens: they are joined before they are read.
        yield kind, b"".join(table[ids[position]] for position in positions)


def _same_as(trace: Trace, parent: Trace | None) -> list[bool]:
    if trace.branch is None:
        return [True] * len(trace)
    if parent is None:
        fork = trace.branch[1].position
        return [position < fork for position in range(len(trace))]
    alignment = align(parent.token_ids.tolist(), trace.token_ids.tolist())
    return [
        str(kind) == "same"
        for kind, position in zip(alignment.kind, alignment.position_b, strict=True)
        if position >= 0
    ]


def _lost(session: Session, branch: Branch) -> None:
    """What is known of a branch whose trace was evicted, and the way to have it again."""
    held = branch_recompute.current()
    with st.container(border=True):
        st.markdown("**Its trace is no longer stored.** The store makes room for new ones.")
        st.text(_recipe(session, branch))
        st.button(
            "Compute it again", icon=":material/replay:", on_click=branch_recompute.begin,
            args=(branch.key,), disabled=branch_recompute.busy(),
            help="Runs it from its recipe, and what it grew on where that is lost too.",
        )  # fmt: skip
    if held is not None and held.key == branch.key and held.problem is not None:
        problems.box(held.problem, title="It was not computed again", key="problem recompute")


def _recipe(session: Session, branch: Branch) -> str:
    request, sampling = branch.request, branch.request.sampling
    parts = [f"Model: {session.model.name}."]
    if branch.parent is not None and branch.edit is not None:
        edit = branch.edit
        parts.append(
            f"Grew on “{session.branch(branch.parent).name}”, at position {edit.position:,}: "
            f"{count_text(edit.removed, 'token')} removed, {len(edit.token_ids):,} put there, "
            f"{edit.kept:,} kept after that."
        )
    limit = f"Then at most {count_text(request.max_new_tokens, 'new token')}"
    if sampling.temperature:
        limit += f", drawn at temperature {sampling.temperature:g} with seed {sampling.seed}"
    parts.append(f"{limit}.")
    if branch.stopped_after is not None:
        parts.append(f"Stopped by hand after {count_text(branch.stopped_after, 'token')}.")
    if request.moment is not None:
        parts.append(f"Its chat template was told that it is {moment_words(request.moment)}.")
    if branch.parent is None and request.prompt:
        shown = request.prompt if len(request.prompt) <= 200 else request.prompt[:200] + "…"
        parts.append(f"Prompt: {shown}")
    return "\n".join(parts)


def recomputing(view: JobView | None) -> None:
    """A fragment: the computation in progress, and the button that ends it."""
    held = branch_recompute.current()
    if view is None or view.ended or held is None or held.running is None:
        return
    st.text(f"“{held.running.name}”, {count_text(held.left, 'run')} to go")
    progress.show_progress(view, key="recompute", on_stop=branch_recompute.stop)


def controls(session: Session, branch: Branch, *, stored: bool) -> None:
    """Name, note, colour, and what else can be done with the selected branch."""
    key = branch.key
    _ways_on(branch, stored=stored)
    _keep_in_step(f"branch name {key}", branch.name)
    st.text_input(
        "Name", key=f"branch name {key}", max_chars=MAX_NAME, on_change=_rename, args=(key,)
    )
    _keep_in_step(f"branch colour {key}", branch.colour)
    st.selectbox(
        "Colour", range(len(PALETTE)), key=f"branch colour {key}", on_change=_colour, args=(key,),
        format_func=lambda index: PALETTE[index].name,
    )  # fmt: skip
    _keep_in_step(f"branch note {key}", branch.note)
    st.text_area(
        "Note", key=f"branch note {key}", max_chars=MAX_NOTE, height=140,
        on_change=_note, args=(key,), placeholder="What this branch is for, what it shows",
    )  # fmt: skip
    is_root = branch.parent is None
    grown = len(session.descendants(key))
    st.button(
        "Remove" if not grown or is_root else f"Remove, with the {grown:,} that grew on it",
        icon=":material/delete:", on_click=branch_actions.remove, args=(key,), disabled=is_root,
        help="All others grow on this one. A new run, on Decode, starts a new tree."
        if is_root
        else "Undo brings it back.",
    )  # fmt: skip


def _ways_on(branch: Branch, *, stored: bool) -> None:
    """Links to the pages that show more of a branch."""
    with st.container(horizontal=True):
        if runs.current().busy:
            # Opening another trace there would let go of the run.
            st.caption("A run is in progress on Decode: branches open there once it has ended.")
        elif stored:
            st.page_link(
                HOME.file, label="Open in Decode", icon=HOME.icon,
                query_params={**sessions.address(), runs.RUN_PARAMETER: branch.key},
                help="Token by token, with what else the model considered.",
            )  # fmt: skip
        if stored and branch.parent is not None:
            st.page_link(
                COMPARE.file, label="Compare with its parent", icon=COMPARE.icon,
                query_params={**sessions.address(), "a": branch.parent, "b": branch.key},
            )  # fmt: skip


def _keep_in_step(key: str, value: object) -> None:
    """A control shows the tree's value, also after an undo; set only where it is another, so that
    what is being typed is left alone."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value


def _rename(key: str) -> None:
    branch_actions.rename(key, str(st.session_state[f"branch name {key}"]))


def _note(key: str) -> None:
    branch_actions.note(key, str(st.session_state[f"branch note {key}"]))


def _colour(key: str) -> None:
    branch_actions.colour(key, int(st.session_state[f"branch colour {key}"]))
