"""The syntax of a trace: is it code, where in it was the model unsure, and in which parts."""

from __future__ import annotations

import collections
import functools

import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.display.formatting import count_text
from tokenscope_core.syntax.documents.texts import MARKDOWN, language_label
from tokenscope_ui.components import icicle
from tokenscope_ui.components.strip import mount, picked
from tokenscope_ui.syntax_view import controls, detail, parts_view, state, tables
from tokenscope_ui.syntax_view.nodes import node_payload, selected_node, shown_nodes
from tokenscope_ui.syntax_view.payload import span_payload, spans
from tokenscope_ui.syntax_view.reading import (
    SyntaxLook,
    analysed,
    counted,
    mean_label,
    shown_parts,
)
from tokenscope_ui.syntax_view.soundness import (
    Verdict,
    error_table,
    has_python,
    name_table,
    names_given_up,
    verdict_table,
    verdict_words,
    verdicts,
)
from tokenscope_ui.trace import sampled_choices
from tokenscope_ui.trace.code_standing import STANDING_WORDS, line_of

STRIP_KEY = "syntax_strip"
ICICLE_KEY = "syntax_icicle"
# More verdicts than these stand in a table.
_MOST_LINES = 8
_STRIP_HEIGHT, _LEAST_HEIGHT = 600, 480
_LEGEND, _LINE = 90, 22.5


def show_syntax(trace: Trace) -> None:
    """Draw everything about a trace."""
    look, other = controls.draw_syntax_controls(trace)
    _verdicts(trace, look)
    if not verdicts(trace, look.language):
        lacking = (
            "fenced code in a known language" if look.language == MARKDOWN else "known language"
        )
        st.caption(f":material/info: No {lacking}: nothing to judge.")
    counts = bool(shown_parts(trace, look)["n"].sum() > 0)
    if not counts:
        _nothing_counts(trace, look)
    byte = state.selected_byte(trace)
    left, right = st.columns([0.6, 0.4], gap="medium")
    with left:
        _code(trace, look, byte)
    # Of one height, so that what is below stays where it is whatever is selected.
    with right, st.container(height=_height(trace), border=False):
        if counts:
            sure = "Statements, the least sure first"
            st.markdown(f"**{sure}**", help="A compound statement is its own line or lines, "
                        "without the statements inside it.")  # fmt: skip
            tables.show_statements(trace, look)
        detail.show_piece(trace, look, byte)
    if counts:
        _tree(trace, look, byte)
        parts_view.show_parts(trace, look, other, byte)
    _findings(trace, look)


def _height(trace: Trace) -> int:
    """About as high as the code, in pixels."""
    lines = len(trace.text_bytes.splitlines())
    return min(_STRIP_HEIGHT, max(_LEAST_HEIGHT, round(_LEGEND + _LINE * lines)))


def _verdicts(trace: Trace, look: SyntaxLook) -> None:
    found = verdicts(trace, look.language)
    if len(found) <= _MOST_LINES:
        for number, verdict in enumerate(found):
            _verdict(trace, verdict, number, alone=look.language != MARKDOWN)
    else:
        counts = collections.Counter(map(verdict_words, found))
        words = ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
        st.markdown(f":material/rule: **{len(found):,} stretches of code**: {words}.")
        tables.show_findings(trace, verdict_table(trace, look.language), look, name="verdicts")
    unread = analysed(trace, look.language).pieces.unread
    if unread:
        lines = ", ".join(f"{line_of(trace, start):,}" for start, _ in unread[:_MOST_LINES])
        more = f" and {len(unread) - _MOST_LINES:,} more" if len(unread) > _MOST_LINES else ""
        st.warning(
            f"The parser gave up on the code from line {lines}{more} on: it takes too long to "
            "parse. Its syntax is unknown, so it is shown by the line, and its tokens count as "
            "“other”.",
            icon=":material/hourglass_disabled:",
        )


def _verdict(trace: Trace, verdict: Verdict, number: int, *, alone: bool) -> None:
    """One line of words on a stretch of code."""
    label = language_label(verdict.language)
    where = f"{label}: " if alone else f"{label} from line {verdict.line:,} on: "
    broke = verdict.broke
    with st.container(horizontal=True, vertical_alignment="center", key=f"verdict {number}"):
        if verdict.state is None:
            icon = "help" if verdict.preprocessed else "hourglass_disabled"
            why = verdict_words(verdict)
            st.markdown(f":material/{icon}: {where}**{why}.**", width="content")
            return
        if broke is None:
            valid = verdict.state == "complete"
            icon = ":green[:material/check_circle:]" if valid else ":material/pending:"
            st.markdown(f"{icon} {where}**{STANDING_WORDS[verdict.state]}.**", width="content")
            return
        token = sampled_choices.token_code(trace, broke.position)
        line = line_of(trace, int(trace.byte_start[broke.position]))
        st.markdown(
            f":red[:material/error:] {where}**broke at token {broke.position:,}** "
            f"({token}, line {line:,}): nothing that could follow makes it valid.",
            width="content",
        )
        detail.show_on_decode(trace, broke.position, key=f"verdict {number}")


def _nothing_counts(trace: Trace, look: SyntaxLook) -> None:
    label = mean_label(look.metric).removeprefix("mean ")
    with st.container(border=True):
        st.markdown(f"**No token that counts has a value of {label}.** Choose another metric.")
        if counted(trace, look) == "generated":
            st.button(
                "Include the prompt", key="syntax include prompt", icon=":material/add:",
                on_click=controls.include_prompt,
            )  # fmt: skip


def _code(trace: Trace, look: SyntaxLook, byte: int | None) -> None:
    node = state.selected_node(trace)
    cut = spans(trace, look, node)
    span = None if byte is None else cut.span_at(byte)
    place = node or (None if span is None else cut.bounds(span))
    first, last = (None, None) if place is None else map(cut.span_at, (place[0], place[1] - 1))
    mount(
        span_payload(trace, look, node), key=STRIP_KEY, selected=first,
        extent=1 if first is None or last is None else 1 + last - first,
        on_select=functools.partial(_take_span, trace, look, node), height=_STRIP_HEIGHT,
    )  # fmt: skip


def _take_span(trace: Trace, look: SyntaxLook, node: tuple[int, int] | None) -> None:
    cut, span = spans(trace, look, node), picked(STRIP_KEY)
    if span is not None and span < len(cut):
        state.select(trace, int(cut.end[span]) - 1)


def _tree(trace: Trace, look: SyntaxLook, byte: int | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="icicle head"):
        st.markdown(
            f"**The syntax tree**, each node tinted by the {mean_label(look.metric)} of its tokens "
            "and as wide as its",
            width="content",
            help="From the outside in, down to single words and signs. A node counts all that is "
            "below it. Click one to zoom in and to see it in the code; Escape, or a name in the "
            "path above, zooms out. Arrow keys walk, Enter zooms.",
        )
        width = controls.width()
    icicle.mount(
        node_payload(trace, look, width), key=ICICLE_KEY,
        selected=selected_node(trace, look, byte, state.selected_node(trace)),
        on_select=functools.partial(_take_node, trace, look),
    )  # fmt: skip


def _take_node(trace: Trace, look: SyntaxLook) -> None:
    frame, index = shown_nodes(trace, look), icicle.picked(ICICLE_KEY)
    if index is not None and index < len(frame):
        row = frame.iloc[index]
        state.select_node(trace, int(row["byte_start"]), int(row["byte_end"]))


def _findings(trace: Trace, look: SyntaxLook) -> None:
    errors, judged = error_table(trace, look.language), verdicts(trace, look.language)
    st.markdown("**What does not parse**")
    if len(errors):
        tables.show_findings(trace, errors, look, name="errors")
        st.caption(
            f"{count_text(len(errors), 'place')}, as the parser recovered from them: where "
            "code is only unfinished, its end is listed too."
        )
    elif analysed(trace, look.language).pieces.unread:
        st.caption("Nothing is known to be wrong; some code took too long to parse.")
    else:
        st.caption("Everything parses." if judged else "There is nothing to parse.")
    st.markdown("**Names that nothing in sight defines**")
    if not has_python(trace, look.language):
        st.caption("Looked for in Python only, and none of this is read as Python.")
        return
    if names_given_up(trace, look.language):
        st.caption("Not looked for: the code takes too long to read.")
        return
    names = name_table(trace, look.language, prompt=look.prompt)
    if not len(names):
        st.caption("None.")
        return
    tables.show_findings(trace, names, look, name="names")
    st.caption(
        "Judged by the text alone: a later line or a left out import may define them. "
        "Underlined in the code."
    )
