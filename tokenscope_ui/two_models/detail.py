"""Beside the strip: what each model made of the selected span or line, or where they differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import ModelComparison, Trace, line_frame, span_frame
from tokenscope_core.comparison.model_comparison import ModelReading
from tokenscope_core.comparison.model_tables import line_weights
from tokenscope_core.display.formatting import (
    count_text,
    metric_text,
    probability_text,
)
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.metric_registry import missing_reason
from tokenscope_ui.drawing import chart_files, code_box, files
from tokenscope_ui.drawing.charts import candidate_chart, candidate_table
from tokenscope_ui.drawing.icon_buttons import icon_button
from tokenscope_ui.trace.sampled_choices import token_text
from tokenscope_ui.two_models import state
from tokenscope_ui.two_models.payload import DIFFERENCE, missing_side, signed_text
from tokenscope_ui.two_models.state import Selection

_MOST_DIFFERENT = 8
_CANDIDATES = 8
_FIGURES = (("A", "surprisal_a"), ("B", "surprisal_b"), (DIFFERENCE, "difference"))


def first_span(comparison: ModelComparison, selection: Selection | None) -> int | None:
    """The span that the strip shows as selected: of a line the first that begins in it."""
    if selection is None:
        return None
    if selection.kind == "span":
        return selection.number if selection.number < len(comparison) else None
    spans = _spans_of_line(comparison, selection.number)
    begun = [s for s in spans if comparison.byte_start[s] >= _line_start(comparison, selection)]
    return next(iter(begun or spans), None)


def show_span(comparison: ModelComparison, selection: Selection | None, unit: LogUnit) -> None:
    """Draw the panel."""
    if selection is None or first_span(comparison, selection) is None:
        _overview(comparison, unit)
    elif selection.kind == "span":
        _span(comparison, selection.number, unit)
    else:
        _line(comparison, selection.number, unit)


def _span(comparison: ModelComparison, span: int, unit: LogUnit) -> None:
    last = len(comparison) - 1
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="left"):
        _step("previous", ":material/chevron_left:", Selection("span", span - 1), span == 0)
        _step("next", ":material/chevron_right:", Selection("span", span + 1), span == last)
        _step("no", ":material/close:", None, False)
        st.text(f"Span {span:,} (0 to {last:,})", width="content")
    row = span_frame(comparison).iloc[span]
    code_box.show_code(on_one_line(row["text_bytes"]), key="span")
    st.caption(f"line {row['line']:,} · bytes {row['byte_start']:,} to {row['byte_end']:,}")
    _figures(row, unit)
    reason = missing_side(comparison, span)
    if reason:
        st.info(f"No difference here: {reason}.", icon=":material/info:")
    for name, reading in (("A", comparison.a), ("B", comparison.b)):
        _tokens(name, reading, reading.positions(span), unit)


def _line(comparison: ModelComparison, line: int, unit: LogUnit) -> None:
    lines = line_frame(comparison)
    row = lines.iloc[line - 1]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="left"):
        _step("previous", ":material/chevron_left:", Selection("line", line - 1), line == 1)
        _step("next", ":material/chevron_right:", Selection("line", line + 1), line == len(lines))
        _step("no", ":material/close:", None, False)
        st.text(f"Line {line:,} of {len(lines):,}", width="content")
    code_box.show_code(on_one_line(row["text"].encode()), key="line")
    st.caption(f"bytes {row['byte_start']:,} to {row['byte_end']:,}")
    _figures(row, unit)
    if row["shared_bytes"]:
        st.caption(
            f":material/info: {count_text(int(row['shared_bytes']), 'byte')} of it belong to a "
            "span that reaches into another line; its figures are shared out by bytes."
        )
    spans = _spans_of_line(comparison, line)
    for name, reading in (("A", comparison.a), ("B", comparison.b)):
        positions = np.flatnonzero(np.isin(reading.span_of_token, spans))
        _tokens(name, reading, positions, unit)


def _step(name: str, icon: str, target: Selection | None, disabled: bool) -> None:
    labels = {"previous": "Previous", "next": "Next", "no": "Back to the whole comparison"}
    icon_button(
        labels[name], icon, key=f"{name} part", on_click=state.select, args=(target,),
        disabled=disabled,
    )  # fmt: skip


def _figures(row: pd.Series, unit: LogUnit) -> None:
    with st.container(horizontal=True, key="figures part"):
        for name, column in _FIGURES:
            value = float(to_screen("surprisal", np.array([row[column]]), unit)[0])
            text = signed_text if name == DIFFERENCE else _plain_text
            st.metric(name, text(value, unit))


def _plain_text(value: float, unit: LogUnit) -> str:
    return metric_text("surprisal", value, unit)


def _tokens(name: str, reading: ModelReading, positions: Ints, unit: LogUnit) -> None:
    """One model's tokens, and what it considered at one of them."""
    trace = reading.trace
    st.text(f"{name}: {trace.model.name}, {count_text(len(positions), 'token')}")
    surprisal = trace.surprisal[positions]
    rank = pd.Series(trace.rank[positions]).astype("Int64")
    st.dataframe(
        pd.DataFrame(
            {
                "position": positions,
                "token": [token_text(trace, position) for position in positions.tolist()],
                "surprisal": to_screen("surprisal", surprisal, unit),
                "probability": [probability_text(p) for p in trace.prob[positions].tolist()],
                "rank": rank,
            }
        ),
        key=f"two_models_tokens_{name}",
        hide_index=True,
        height=min(250, 40 + 35 * len(positions)),
        column_config={
            "position": st.column_config.NumberColumn("position", format="%d", width=58),
            "token": st.column_config.TextColumn("token", width=80),
            "surprisal": st.column_config.NumberColumn(unit, format="%.3f", width=58),
            "probability": st.column_config.TextColumn("probability", width=78),
            "rank": st.column_config.NumberColumn("rank", format="%d", width=48),
        },
    )
    known = positions[~np.isnan(surprisal)]
    if not len(known):
        reason = missing_reason("logprob", position=0, source="prompt")
        st.caption(f"No candidates: {reason}.")
        return
    _candidates(name, trace, known)


def _candidates(name: str, trace: Trace, positions: Ints) -> None:
    """A chart of the candidates at the most surprising position, or at a chosen one."""
    chosen = int(positions[np.argmax(trace.surprisal[positions])])
    if len(positions) > 1:
        chosen = st.selectbox(
            f"Candidates of {name} at",
            positions.tolist(),
            index=positions.tolist().index(chosen),
            format_func=lambda position: f"{position:,} {token_text(trace, position)}",
            key=f"two_models_candidates_{name} {positions[0]} {positions[-1]}",
        )
    chart_files.draw_chart(
        candidate_chart(candidate_table(trace, chosen, _CANDIDATES)),
        key=f"two_models_chart_{name}", file_width=chart_files.NARROW,
        name=f"{files.of_trace(trace)}.candidates-{chosen}",
    )  # fmt: skip


def _overview(comparison: ModelComparison, unit: LogUnit) -> None:
    difference = np.nan_to_num(np.abs(comparison.difference), nan=0.0)
    order = np.argsort(-difference, kind="stable")[:_MOST_DIFFERENT]
    most = [span for span in order.tolist() if difference[span] > 0]
    if most:
        st.markdown("**Where they differ most**")
    text = comparison.text_bytes
    shown = to_screen("surprisal", comparison.difference, unit)
    for span in most:
        piece = text[comparison.byte_start[span] : comparison.byte_end[span]]
        # Backticks are the only thing that could end the code span.
        name = on_one_line(piece).replace("`", "ˋ")
        st.button(
            f"`{name}` {signed_text(float(shown[span]), unit)}",
            key=f"jump span {span}",
            help=f"Select span {span:,}",
            on_click=state.select,
            args=(Selection("span", span),),
            type="tertiary",
        )
    st.caption(
        "A span is the text between two places where both models have a token boundary; its "
        f"figures are sums over each model’s own tokens. {DIFFERENCE} above 0: B expected it more. "
        "Click a span in the code or a line in the table to see both models’ tokens and what else "
        "they considered."
    )


def _spans_of_line(comparison: ModelComparison, line: int) -> list[int]:
    weights = line_weights(comparison)
    spans: list[int] = weights.loc[weights["line"] == line, "span"].tolist()
    return spans


def _line_start(comparison: ModelComparison, selection: Selection) -> int:
    return int(line_frame(comparison)["byte_start"].iloc[selection.number - 1])
