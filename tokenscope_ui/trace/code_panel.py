"""Beside the strip: how the code stands up to a token, and what the token stands in."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from tokenscope_core.display.formatting import count_text
from tokenscope_core.syntax.judging.scopes import Scope
from tokenscope_core.syntax.judging.validity import breaking_candidates
from tokenscope_core.syntax.program import Program
from tokenscope_ui.drawing.charts import WARNING
from tokenscope_ui.runs import runs
from tokenscope_ui.trace import code_standing, sampled_choices

_MOST_SCOPES = 6
_ICONS = {
    "complete": ":green[:material/check_circle:]",
    "unfinished": ":material/pending:",
    "broken": ":red[:material/error:]",
}


def standing(program: Program, position: int | None) -> None:
    """Draw how the code stands up to a token, or at None at its end; nothing outside of code."""
    found = code_standing.known_language(program)
    last = len(program.trace) - 1 if position is None else position
    if found is None or last < 0:
        return
    stands = code_standing.standing(program, last)
    if stands is None:
        return
    where = "Code" if position is None else "Code up to here"
    line = f"{_ICONS[stands]} {where}: **{code_standing.STANDING_WORDS[stands]}**"
    since = code_standing.broken_since(program, last)
    help_ = f"Read as {code_standing.read_as(found)} ({found.reason})."
    if since is None:
        st.markdown(f"{line}.", help=help_)
    else:
        with st.container(horizontal=True, vertical_alignment="center", key="code broke"):
            token = sampled_choices.token_code(program.trace, since)
            broke = "since this token" if since == position else f"since token {since:,}, {token}"
            st.markdown(f"{line} {broke}.", help=help_, width="content")
            if since != position:
                st.button(
                    "Go there", key="to the break", type="tertiary",
                    icon=":material/arrow_forward:", on_click=runs.select, args=(since,),
                )  # fmt: skip


def edges(program: Program, position: int) -> tuple[int, ...]:
    """The tokens in which the innermost thing around a token begins and ends."""
    around = code_standing.scopes(program, position)
    return code_standing.ends_of(program.trace, around[-1]) if around else ()


def candidates_note(program: Program, position: int, *, marked: bool) -> None:
    """Say what the signs beside the candidates mean, or why there are none (not `marked`)."""
    found = code_standing.known_language(program)
    verdicts = breaking_candidates(program, position)
    judged = [verdict for verdict in verdicts if verdict is not None]
    if found is None:
        st.caption("No known language fits this text, so no candidate is judged as code.")
    elif any(judged) and not marked:
        st.caption(
            f"None of the candidates shown would break the code here; {sum(judged):,} of the "
            "less likely would. Switch on all candidates to see which."
        )
    elif any(judged):
        st.caption(
            f"{WARNING} would break the code here: nothing that could follow makes it valid "
            f"({sum(judged)} of {count_text(len(judged), 'candidate')}). The others of these leave "
            "it valid or not finished yet."
        )
    elif judged:
        st.caption("None of the recorded candidates would break the code here.")
    elif position and code_standing.broken_since(program, position - 1) is not None:
        st.caption("The code is broken before this token, so no candidate is judged.")
    elif code_standing.takes_too_long(program, position):
        st.caption("Reading the code up to here takes too long, so no candidate is judged.")


def scopes(program: Program, position: int | None) -> None:
    """Draw what a token stands in, or at None what is open at the end; nothing outside of code."""
    around = code_standing.scopes(program, position)
    if not around:
        return
    title = "Left open at the end" if position is None else "What encloses this token"
    inner = around[::-1][:_MOST_SCOPES]
    st.markdown(
        f"**{title}**, innermost first",
        help="From the syntax tree alone. Where the innermost begins and ends is outlined in the "
        "code with dashes." if position is not None else "From the syntax tree alone.",
    )  # fmt: skip
    st.table(pd.DataFrame([_row(program, scope) for scope in inner]), hide_index=True)
    if len(around) > len(inner):
        st.caption(f"and {len(around) - len(inner):,} more around them")


def _row(program: Program, scope: Scope) -> dict[str, str]:
    return {
        "what": " ".join(sampled_choices.code(word.encode()) for word in scope.name.split()),
        "from line": f"{program.line_of(scope.start):,}",
        "expected end": _end(program, scope),
        "how sure": scope.certainty + ("" if scope.certainty == "certain" else f": {scope.reason}"),
    }


def _end(program: Program, scope: Scope) -> str:
    if scope.end is not None:
        return f"line {program.line_of(scope.end - 1):,}"
    if scope.needs == "\n":
        return "at the end of its line"
    if scope.needs:
        return f"open: needs {sampled_choices.code(scope.needs.encode())}"
    return "open: ends before a line indented no more than it"
