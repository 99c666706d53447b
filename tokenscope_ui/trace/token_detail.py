"""Beside the strip: the selected token's figures and candidates, or the whole trace in brief."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tokenscope_core import METRICS, Influence, TokenScopeError, Trace
from tokenscope_core.display.formatting import FINISH_WORDS, metric_text, time_words
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.display.tokens import not_favourite
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.models.files.authors_settings import authors_settings_of
from tokenscope_core.models.files.model_files import find
from tokenscope_core.record.metric_registry import BY_NAME, NATS_PER_BIT
from tokenscope_core.syntax.judging.validity import breaking_candidates
from tokenscope_core.syntax.program import Program
from tokenscope_ui.drawing import chart_files, code_box, definitions, files
from tokenscope_ui.drawing.charts import BREAKS, REMOVED, candidate_chart, candidate_table
from tokenscope_ui.drawing.icon_buttons import icon_button
from tokenscope_ui.request import authors_view
from tokenscope_ui.runs import runs
from tokenscope_ui.trace import (
    code_panel,
    code_standing,
    influence,
    sampled_choices,
    standing_out,
    what_if,
)

_FEW_CANDIDATES = 10
_HEADLINE = ("prob", "surprisal", "entropy", "rank")


def show_token_detail(
    program: Program,
    selected: int | None,
    unit: LogUnit,
    *,
    metric: str = "surprisal",
    measured: Influence | None = None,
) -> Callable[[], None]:
    """Draw the panel, except for what the code has to be parsed for: what is returned draws that,
    in its place.

    Args:
        program: the trace.
        selected: a position; None draws the trace in brief.
        unit: of log quantities.
        metric: what the code is tinted by.
        measured: where that is the influence, its values.
    """
    if selected is None:
        place = _summary(program.trace, unit, metric, measured)
        return functools.partial(_code_of_all, program, place)
    place = _token(program.trace, selected, unit)
    return functools.partial(_code_at, program, selected, place)


def show_growing_token(trace: Trace, selected: int, unit: LogUnit) -> None:
    """Draw the panel of a token while others are still being written: all but its code."""
    place = _token(trace, selected, unit)
    if not np.isnan(trace.logprob[selected]):
        with place:
            _bars(trace, selected)


def _code_of_all(program: Program, place: DeltaGenerator) -> None:
    with place:
        code_panel.standing(program, None)
        code_panel.scopes(program, None)


def _code_at(program: Program, position: int, place: DeltaGenerator) -> None:
    with place:
        code_panel.standing(program, position)
        if not np.isnan(program.trace.logprob[position]):
            _candidates(program, position)
        code_panel.scopes(program, position)


def _token(trace: Trace, position: int, unit: LogUnit) -> DeltaGenerator:
    """All that the trace itself says of a token; returns the place for what its code says."""
    token_id = int(trace.token_ids[position])
    data = trace.vocabulary.token_bytes[token_id]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="left"):
        icon_button(
            "Previous token", ":material/chevron_left:", key="previous token",
            on_click=runs.select, args=(position - 1,), disabled=position == 0,
        )  # fmt: skip
        icon_button(
            "Next token", ":material/chevron_right:", key="next token",
            on_click=runs.select, args=(position + 1,), disabled=position + 1 >= len(trace),
        )  # fmt: skip
        icon_button(
            "Back to the whole trace", ":material/close:", key="no token",
            on_click=runs.select, args=(None,),
        )  # fmt: skip
        _change_buttons(trace, position)
        st.text(f"Position {position:,} (0 to {len(trace) - 1:,})", width="content")
    code_box.show_code(on_one_line(data), key="token")
    source = str(trace.source[position]) if not _only_scored(trace) else "scored"
    where = (
        "its bytes are not known"
        if token_id in trace.vocabulary.unknown_ids
        else "special token, no bytes in the text"
        if trace.special[position]
        else f"bytes {trace.byte_start[position]:,} to {trace.byte_end[position]:,}"
    )
    st.caption(f"{source} · token id {token_id:,} · {where}")
    if np.isnan(trace.logprob[position]):
        reason = trace.missing_reason("logprob", position)
        st.info(f"No figures here: {reason}.", icon=":material/info:")
    else:
        _figures(trace, position, unit)
        chosen = sampled_choices.in_words(trace, position)
        if chosen is not None:
            st.markdown(f":material/casino: {chosen}")
    code = st.container()
    st.markdown("**All metrics**")
    st.table(
        _metric_table(trace, position, unit),
        hide_index=True,
    )
    return code


def _only_scored(trace: Trace) -> bool:
    """Whether all of it was given to be scored, so that none of it is a prompt of anything."""
    return not trace.request.max_new_tokens and len(trace) == trace.prompt_length


def _figures(trace: Trace, position: int, unit: LogUnit) -> None:
    with st.container(horizontal=True, key="figures"):
        for name in _HEADLINE:
            value = float(to_screen(name, trace.column(name)[position : position + 1], unit)[0])
            st.metric(
                BY_NAME[name].label,
                metric_text(name, value, unit),
                help=definitions.in_words(BY_NAME[name]),
            )


def _candidates(program: Program, position: int) -> None:
    marked = _bars(
        program.trace, position, breaking_candidates(program, position),
        taken_breaks=position in code_standing.breaks(program),
    )  # fmt: skip
    code_panel.candidates_note(program, position, marked=marked)


def _bars(
    trace: Trace,
    position: int,
    breaking: Sequence[bool | None] = (),
    *,
    taken_breaks: bool = False,
) -> bool:
    """The candidates' probabilities; returns whether any is marked as breaking the code."""
    recorded = trace.candidate_ids.shape[1]
    most = recorded
    if recorded > _FEW_CANDIDATES and not st.toggle(
        f"All {recorded} recorded candidates", key="all candidates", persist_state="session"
    ):
        most = _FEW_CANDIDATES
    table = candidate_table(trace, position, most, breaking, taken_breaks=taken_breaks)
    # Of each token a chart of its own, so that none begins with what was picked in another.
    key = f"candidates {trace.key[:16]} {position}"
    chart_files.draw_chart(
        candidate_chart(table), key=key, file_width=chart_files.NARROW,
        name=f"{files.of_trace(trace)}.candidates-{position}",
        on_select=functools.partial(_put_picked, trace, position, key), selection_mode="pick",
    )  # fmt: skip
    st.caption(
        "The model’s own distribution: temperature 1, no filters. The bars add up to 100 %. Click "
        "one to put that token here."
    )
    if REMOVED in set(table["kind"]):
        st.caption("Hollow, with ✕: removed by the filters before the draw.")
    return BREAKS in set(table["code"])


def _metric_table(trace: Trace, position: int, unit: LogUnit) -> pd.DataFrame:
    rows = []
    for metric in METRICS:
        stored = trace.column(metric.name)[position : position + 1]
        value = float(to_screen(metric.name, stored, unit)[0])
        shown = metric_text(metric.name, value, unit)
        meaning = metric.meaning
        if math.isnan(value):
            meaning = f"Not available: {trace.missing_reason(metric.name, position)}."
        rows.append({"metric": metric.label, "value": shown, "meaning": meaning})
    return pd.DataFrame(rows)


def _summary(
    trace: Trace, unit: LogUnit, metric: str, measured: Influence | None
) -> DeltaGenerator:
    """The trace in brief; returns the place for what its code says."""
    st.markdown("**The whole trace**")
    st.text(f"Model: {trace.model.name}")
    given = "scored text" if _only_scored(trace) else "prompt"
    spans = [(given, 0, trace.prompt_length), ("generated", trace.prompt_length, len(trace))]
    st.table(
        pd.DataFrame([_span_row(trace, *span, unit) for span in spans if span[2] > span[1]]),
        hide_index=True,
    )
    if trace.request.max_new_tokens or trace.finish_reason == "cancelled":
        st.caption(f"Ended: {FINISH_WORDS[trace.finish_reason]}.")
        _not_as_set(trace)
    if len(trace) > trace.prompt_length:
        st.caption(f"Time: {time_words(trace)}.")
    _changes(trace)
    code = st.container()
    standing_out.show_standing_out(trace, metric, unit, measured)
    influence.show_influence(trace, unit)
    st.caption(
        "Click a token, or click into the code and walk with the arrow keys, to see its figures "
        "and what else the model considered."
    )
    return code


def _put_picked(trace: Trace, position: int, key: str) -> None:
    points = st.session_state[key].selection.get("pick") or []
    token_id = int(points[0]["token_id"]) if points else -1
    if token_id not in (-1, int(trace.token_ids[position])) and not runs.current().busy:
        what_if.put_candidate(trace, position, token_id)


def _not_as_set(trace: Trace) -> None:
    """Why `generate()` may write another text with the same model."""
    try:
        files = find(runs.model_of(trace).name)
    except TokenScopeError:
        return  # running the model says what is wrong with its files
    if files is None:
        return
    settings = authors_settings_of(files)
    differs = authors_view.differences_words(settings, trace.request)
    if differs:
        st.caption(f"Other than `generate()` with the model’s own settings: {differs}.")
    if settings.left_out:
        left_out = ", ".join(name for name, _ in settings.left_out)
        st.caption(f"Settings of the model that are not followed here: {left_out}.")


def _changes(trace: Trace) -> None:
    """How often sampling changed the choice, and the way to the first of those tokens."""
    drawn = int(sampled_choices.drawn(trace).sum())
    # An import may not tell the place of a token.
    of = int((sampled_choices.drawn(trace) & ~np.isnan(trace.rank)).sum())
    if not of:
        return
    changed = np.flatnonzero(not_favourite(trace))
    verb = "was" if len(changed) == 1 else "were"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(
            f"{len(changed):,} of {of:,} drawn tokens {verb} not the favourite"
            + (f"; of {drawn - of:,} that is not told" if drawn > of else ""),
            width="content",
        )
        if len(changed):
            st.button(
                "Go to the first", key="first change", type="tertiary",
                icon=":material/arrow_forward:", on_click=runs.select, args=(int(changed[0]),),
            )  # fmt: skip


def _change_buttons(trace: Trace, position: int) -> None:
    """Ways to the tokens before and after that were not the favourite."""
    changed = np.flatnonzero(not_favourite(trace))
    if not len(changed):
        return
    before, after = changed[changed < position], changed[changed > position]
    icon_button(
        "Previous token that was not the favourite", ":material/skip_previous:",
        key="previous change", disabled=not len(before),
        on_click=runs.select, args=(int(before[-1]) if len(before) else None,),
    )  # fmt: skip
    icon_button(
        "Next token that was not the favourite", ":material/skip_next:",
        key="next change", disabled=not len(after),
        on_click=runs.select, args=(int(after[0]) if len(after) else None,),
    )  # fmt: skip


def _span_row(trace: Trace, name: str, start: int, end: int, unit: LogUnit) -> dict[str, object]:
    mean = float(np.log(trace.perplexity(start, end)))
    shown = mean / NATS_PER_BIT if unit == "bits" else mean
    return {
        "span": name,
        "tokens": f"{end - start:,}",
        "mean surprisal": metric_text("surprisal", shown, unit),
        "perplexity": "not available" if math.isnan(mean) else f"{math.exp(mean):.2f}",
    }
