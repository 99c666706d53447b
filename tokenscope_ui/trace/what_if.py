"""Beside a token: what else to put there, and how to go on from it."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable

import streamlit as st

from tokenscope_core import Edit, RequestError, TokenScopeError, Trace
from tokenscope_core.branches.insertion import Insertion, insertion
from tokenscope_core.branches.plans import BranchPlan, alternatives, plan, redraws
from tokenscope_core.display.formatting import count_text, probability_text, unescaped_or_none
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.jobs.generation_tasks import Branched
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.model_files import find
from tokenscope_core.syntax.judging.validity import breaking_candidates
from tokenscope_core.syntax.program import Program
from tokenscope_ui.drawing.charts import WARNING
from tokenscope_ui.runs import runs
from tokenscope_ui.trace import code_standing, sampled_choices

ON, PROMPT, RESCORE = (
    "go on from there",
    "keep the prompt, go on after it",
    "keep the rest, rescore",
)
_HELP = {
    ON: "What follows is written anew.",
    PROMPT: "The rest of the prompt stays; what was generated is written anew.",
    RESCORE: "What follows stays and is only read again: would it still be likely?",
}
_MOST_AT_ONCE = 16


def show_what_if(program: Program, position: int) -> None:
    """Draw the controls for a token of a finished trace."""
    trace = program.trace
    busy = runs.current().busy
    with st.container(border=True, key="what if"):
        taken = sampled_choices.token_code(trace, position)
        st.markdown(f"**What if something else stood in place of** {taken} **?**")
        if len(trace.seams):
            st.caption(
                "The text was read in windows: a branch keeps and writes as much as the window of "
                "this token holds."
            )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            then = _then(trace, position)
            _candidate(program, position, then, busy=busy)
        _typed(program, position, then, busy=busy)
        _several(trace, position, busy=busy)


def _then(trace: Trace, position: int) -> str:
    inside = position < trace.prompt_length
    options = (PROMPT, ON, RESCORE) if inside else (ON, RESCORE)
    return str(
        st.selectbox(
            "Then", options, key=_then_key(inside), width=180,
            persist_state="session",
            help="  \n".join(f"*{option}*: {_HELP[option]}" for option in options),
        )
    )  # fmt: skip


def put_candidate(trace: Trace, position: int, token_id: int) -> None:
    """Put a candidate in the place of a token, and go on as was last chosen."""
    inside = position < trace.prompt_length
    then = st.session_state.get(_then_key(inside)) or (PROMPT if inside else ON)
    _put(trace, position, (token_id,), 1, str(then))


def _then_key(inside: bool) -> str:
    return "what if then prompt" if inside else "what if then"


def _candidate(program: Program, position: int, then: str, *, busy: bool) -> None:
    trace = program.trace
    others = _others(trace, position)
    if not others:
        return
    ids = trace.candidate_ids[position].tolist()
    breaking = dict(zip(ids, breaking_candidates(program, position), strict=True))
    token_id = st.selectbox(
        "A candidate", list(others), key=f"candidate {trace.key[:16]} {position}", width=170,
        format_func=lambda i: f"{_text(trace, i)}   {probability_text(others[i])}"
        + (f"   {WARNING}" if breaking[i] else ""),
    )  # fmt: skip
    st.button(
        "Put it here", key="put candidate", icon=":material/fork_right:", disabled=busy,
        on_click=_put, args=(trace, position, (int(token_id),), 1, then),
    )  # fmt: skip


def _typed(program: Program, position: int, then: str, *, busy: bool) -> None:
    trace = program.trace
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            "Or type", key="what if text", persist_state="session", width=180,
            placeholder="any text",
            help="Press Enter to see its tokens. \\n and \\t mean what they mean in Python.",
        )  # fmt: skip
        removed = int(
            st.number_input(
                "Replaces", 0, len(trace) - position, 1, width=110,
                key=f"what if removed {position}",
                help="How many tokens it takes the place of, from here on; 0 inserts before it.",
            )
        )  # fmt: skip
        text = unescaped_or_none(typed)
        found = _tokens(trace, position, text, removed, then) if text else None
        st.button(
            "Replace" if removed else "Insert", key="put text", disabled=busy or found is None,
            icon=":material/edit:", on_click=_put,
            args=(trace, position, found.token_ids if found else (), removed, then),
        )  # fmt: skip
        st.button(
            "Delete", key="delete tokens", icon=":material/backspace:",
            help=f"Leaves out {count_text(removed, 'token')} from this one on.",
            disabled=busy or not removed or removed == len(trace),
            on_click=_put, args=(trace, position, (), removed, then),
        )  # fmt: skip
    if typed and text is None:
        st.caption(":material/error: A backslash there means nothing. Write \\\\ for one.")
    if found is not None:
        _say_tokens(found)
        if code_standing.would_break(program, position, b"".join(found.pieces)):
            st.caption(f":orange[{WARNING}] With this {code_standing.BROKE}.")


def _say_tokens(found: Insertion) -> None:
    pieces = " ".join(sampled_choices.code(piece) for piece in found.pieces)
    st.caption(f"{count_text(len(found.pieces), 'token')}: {pieces}")
    if found.otherwise:
        st.caption(
            ":material/info: Typed together with the code around it, the tokenizer would have "
            "split this otherwise."
        )


def _several(trace: Trace, position: int, *, busy: bool) -> None:
    others = len(_others(trace, position))
    drawn = not trace.request.sampling.greedy and position >= trace.prompt_length
    if not others and not drawn:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = int(
            st.number_input(
                "Several at once", 1, _MOST_AT_ONCE, 8, key="what if several", width=130,
                persist_state="session", help="Grown side by side as one batch.",
            )
        )  # fmt: skip
        if others:
            st.button(
                f"Grow the {min(count, others)} likeliest", key="grow likeliest", disabled=busy,
                icon=":material/account_tree:",
                help=f"A branch for each of the most probable other tokens, of {others} recorded.",
                on_click=_explore, args=(trace, position, min(count, others)),
            )  # fmt: skip
        if drawn:
            st.button(
                f"Draw {count} times anew", key="draw anew", icon=":material/casino:",
                disabled=busy,
                help="Everything before this token stays; from it on the rest is drawn with fresh "
                "noise, to show the spread. Every other edit keeps the noise, so that what "
                "differs is due to the edit.",
                on_click=_redraw, args=(trace, position, count),
            )  # fmt: skip


def _others(trace: Trace, position: int) -> dict[int, float]:
    """The recorded candidates other than the token taken, with their probabilities."""
    taken = int(trace.token_ids[position])
    pairs = zip(
        trace.candidate_ids[position].tolist(),
        trace.candidate_logprobs[position].tolist(),
        strict=True,
    )
    return {i: math.exp(logprob) for i, logprob in pairs if i not in (-1, taken)}


def _put(trace: Trace, position: int, token_ids: tuple[int, ...], removed: int, then: str) -> None:
    after = position + removed
    kept = {PROMPT: max(0, trace.prompt_length - after), RESCORE: len(trace) - after}.get(then, 0)
    new_tokens = 0 if then == RESCORE else None

    def planned(context: int | None) -> tuple[BranchPlan, ...]:
        rest = kept
        if context is not None and len(trace.seams):
            # No more of a long text than the window of the token holds.
            read = position - trace.unread(position) + len(token_ids)
            rest = min(kept, max(context - read, 0))
        edit = Edit(position, token_ids, removed=removed, kept=rest)
        return (plan(trace, edit, max_new_tokens=new_tokens, context_length=context),)

    grow(trace, planned)


def _explore(trace: Trace, position: int, count: int) -> None:
    grow(trace, lambda context: alternatives(trace, position, count, context_length=context))


def _redraw(trace: Trace, position: int, count: int) -> None:
    seeds = [secrets.randbelow(2**31) for _ in range(count)]
    grow(trace, lambda context: redraws(trace, position, seeds, context_length=context))


def grow(trace: Trace, plans: Callable[[int | None], tuple[BranchPlan, ...]]) -> None:
    """Run branches on the model the trace came from; why that cannot be is shown on the page."""
    choice = runs.model_of(trace)
    try:
        planned = plans(context_of(trace))
        if not planned:
            raise RequestError(
                asked="Branches were to be grown.",
                found="Of no generated token another candidate is recorded.",
                action="Generate it again with more candidates recorded.",
            )
        runs.start(choice, Branched(planned))
    except TokenScopeError as problem:
        runs.refuse(problem)


def context_of(trace: Trace) -> int | None:
    """How many tokens the model of a trace reads at most; None where its files do not say, or are
    not here.

    Raises:
        TokenScopeError: they cannot be read.
    """
    files = find(runs.model_of(trace).name)
    return None if files is None else facts_of(files).context


def _tokens(trace: Trace, position: int, text: str, removed: int, then: str) -> Insertion | None:
    """The tokens of a typed text; what stands against it is said where it is typed."""
    end = int(trace.byte_start[position + removed]) if position + removed < len(trace) else None
    after = trace.text_bytes[end:] if then == RESCORE and end is not None else b""
    try:
        files = find(runs.model_of(trace).name)
        if files is None:
            return None
        with st.spinner("Reading the tokenizer …", show_time=False):
            before = trace.text_bytes[: int(trace.byte_start[position])]
            rows = trace.model.vocabulary_size
            return insertion(files, text, before=before, after=after, rows=rows)
    except TokenScopeError as problem:
        st.text(f"{problem.found} {problem.action}")
        return None


def _text(trace: Trace, token_id: int) -> str:
    return on_one_line(trace.vocabulary.token_bytes[token_id]) or "(no text)"
