"""What two models made of one text: progress, problems, totals, the tinted code and its lines."""

from __future__ import annotations

import numpy as np
import streamlit as st

from tokenscope_core import (
    ContextLengthError,
    ModelComparison,
    TokenScopeError,
    Trace,
    summary_frame,
)
from tokenscope_core.display.formatting import count_text, rounding_note
from tokenscope_core.display.scales import LogUnit
from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_ui.components.address import url_choices
from tokenscope_ui.components.strip import mount, picked
from tokenscope_ui.drawing import definitions
from tokenscope_ui.pages import HOME, SHARE
from tokenscope_ui.request import problems
from tokenscope_ui.runs import progress, runs
from tokenscope_ui.trace import code_standing, view_controls
from tokenscope_ui.trace.programs import program_of
from tokenscope_ui.trace.strip_payload import strip_payload
from tokenscope_ui.two_models import controls, detail, lines, state
from tokenscope_ui.two_models.payload import DIFFERENCE, TINTS, compared, span_payload
from tokenscope_ui.two_models.state import Selection, Side, TwoModels

STRIP_KEY = "two_models_strip"
TINT_KEY = "two_models_tint"
_STRIP_HEIGHT = 460
_BITS_PER_BYTE = (
    "Summed surprisal in bits over the bytes of the text: less is better, whichever tokenizer. "
    f"{definitions.GLOSSARY}"
)


def show_two_models(views: tuple[JobView | None, JobView | None]) -> None:
    """Draw whatever there is to see: nothing yet, runs in progress, or what has come of them."""
    shown = state.current()
    if shown.refused is not None:
        problems.box(shown.refused, key="problem refused")
    for name, side in zip("AB", shown.sides, strict=True):
        if side.problem is not None:
            _problem(name, side.problem, kept=side.trace is not None)
    if shown.busy:
        _progress(shown, views)
        return
    a, b = (side.trace for side in shown.sides)
    if a is not None and b is not None:
        _both(a, b, shown)
        return
    for name, side in zip("AB", shown.sides, strict=True):
        if side.trace is not None:
            _one(name, side.trace)
    if a is None and b is None and not any(side.problem for side in shown.sides):
        _empty()


def _problem(name: str, problem: TokenScopeError, *, kept: bool) -> None:
    early = f"Model {name} ended early; what it has read is kept below"
    box = problems.box(
        problem, title=early if kept else f"No result of model {name}", key=f"problem {name}"
    )
    if isinstance(problem, ContextLengthError) and problem.tail:
        box.button(
            "Compare only the tail of the text",
            key=f"tail {name}",
            help="Scores the last part that fits with both. The box keeps your whole text.",
            on_click=controls.submit,
            kwargs={"text": problem.tail},
        )


def _progress(shown: TwoModels, views: tuple[JobView | None, JobView | None]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="two models progress"):
        progress.stop_button(
            state.stop, key="two models", help="Stops both now and compares what both have read."
        )
        with st.container():
            for name, side, view in zip("AB", shown.sides, views, strict=True):
                st.caption(f"**{name}** · {_standing(side, view)}")


def _standing(side: Side, view: JobView | None) -> str:
    if view is not None:
        return progress.progress_text(view)
    if side.trace is None:
        return "no result"
    return f"has read all {count_text(len(side.trace), 'token')}"


def _empty() -> None:
    with st.container(border=True):
        st.markdown("**Nothing compared yet.** Choose two models and press *Compare*.")
        st.caption(
            "Both read the same text, and every stretch of it is then tinted by which of them "
            "expected it more. Models that split the text into different tokens are compared where "
            "both have a token boundary."
        )


def _one(name: str, trace: Trace) -> None:
    """What the one model that has a result made of the text."""
    st.text(f"{name}: {trace.model.name}")
    surprisal = float(np.nansum(trace.surprisal))
    known = int((trace.byte_end - trace.byte_start)[~np.isnan(trace.surprisal)].sum())
    with st.container(horizontal=True, key=f"figures {name}"):
        per_byte = surprisal / NATS_PER_BIT / known if known else float("nan")
        st.metric("bits per byte", _rate(per_byte), help=_BITS_PER_BYTE)
        st.metric("tokens", f"{len(trace):,}")
    mount(
        strip_payload(
            trace, "surprisal", run=trace.key, relative=False, unit="bits", invisibles=False,
            broken=code_standing.breaks(program_of(trace)),
        ),
        key=f"{STRIP_KEY} {name}", height=_STRIP_HEIGHT,
    )  # fmt: skip
    st.page_link(
        HOME.file, label="Open it", icon=HOME.icon,
        query_params={runs.RUN_PARAMETER: trace.key},
    )  # fmt: skip


def _both(a: Trace, b: Trace, shown: TwoModels) -> None:
    st.text(f"A: {a.model.name}\nB: {b.model.name}")
    try:
        comparison = compared(a, b)
    except TokenScopeError as error:
        problems.box(error, title="These two cannot be compared", key="problem comparison")
        _one("A", a)
        _one("B", b)
        return
    _totals(comparison)
    for note in _notes(comparison):
        st.caption(f":material/info: {note}")
    tint, relative, unit, invisibles = _tool_bar()
    for precision in filter(None, (rounding_note(trace.model, unit) for trace in (a, b))):
        st.caption(f":material/straighten: {precision}")
    left, right = st.columns([0.62, 0.38], gap="medium")
    with left:
        mount(
            span_payload(comparison, tint, relative=relative, unit=unit, invisibles=invisibles),
            key=STRIP_KEY, selected=detail.first_span(comparison, shown.selected),
            on_select=_take_span, height=_STRIP_HEIGHT,
        )  # fmt: skip
        lines.show_lines(comparison, unit)
        st.page_link(SHARE.file, label="Share this comparison", icon=SHARE.icon)
    with right:
        detail.show_span(comparison, shown.selected, unit)


def _totals(comparison: ModelComparison) -> None:
    summary = summary_frame(comparison)
    a, b = (summary.loc[side].to_dict() for side in state.SIDES)
    difference = a["bits_per_byte"] - b["bits_per_byte"]
    with st.container(horizontal=True, key="figures totals"):
        st.metric("A, bits per byte", _rate(a["bits_per_byte"]), help=_BITS_PER_BYTE)
        st.metric("B, bits per byte", _rate(b["bits_per_byte"]), help=_BITS_PER_BYTE)
        st.metric(
            f"{DIFFERENCE}, bits per byte", _rate(difference, signed=True),
            help=f"Above 0 where B expected the text more. {definitions.GLOSSARY}",
        )  # fmt: skip
        st.metric("A, tokens", f"{a['tokens']:,}", help=_per_byte(a["tokens_per_byte"]))
        st.metric("B, tokens", f"{b['tokens']:,}", help=_per_byte(b["tokens_per_byte"]))
        st.metric("bytes", f"{a['bytes']:,}", help="For which both models have a probability.")
    if abs(difference) >= 0.0005:
        better = "B" if difference > 0 else "A"
        st.markdown(
            f"**{better}** expected this text more: it needs {abs(difference):.3f} bits per byte "
            "less. The strip is warm where A was more surprised and blue where B was."
        )


def _rate(value: float, *, signed: bool = False) -> str:
    if np.isnan(value):
        return "not available"
    shown = f"{value:.3f}" if float(f"{value:.3f}") else "0.000"
    return ("+" if signed and value > 0 and float(shown) else "") + shown.replace("-", "−")


def _per_byte(rate: float) -> str:
    return "Over the bytes compared." if np.isnan(rate) else f"{rate:.3f} tokens per byte"


def _notes(comparison: ModelComparison) -> list[str]:
    a, b = comparison.a.trace, comparison.b.trace
    notes = []
    if a.key == b.key:
        notes.append("Both are the same model on the same text: every difference is 0.")
    stopped = [name for name, t in (("A", a), ("B", b)) if t.finish_reason == "cancelled"]
    if stopped:
        which = "Both were" if len(stopped) == 2 else f"{stopped[0]} was"
        notes.append(f"{which} stopped before the end of the text.")
    if not comparison.same_text:
        notes.append(
            f"The two did not read the same bytes (A {len(a.text_bytes):,}, "
            f"B {len(b.text_bytes):,}): a run was stopped, or a tokenizer does not keep every "
            f"character as typed. Compared are the first {comparison.compared_bytes:,}."
        )
    missing = int((~comparison.known).sum())
    if missing:
        notes.append(
            f"{count_text(missing, 'span')} without a probability in one of the models: shown "
            "hatched, and in no total."
        )
    return notes


def _tool_bar() -> tuple[str, bool, LogUnit, bool]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        url_choices.take("tint", TINT_KEY, TINTS)
        view_controls.hold(TINT_KEY, TINTS)
        tint = st.segmented_control(
            "Tint by surprisal of", TINTS, key=TINT_KEY, required=True, persist_state="session"
        )
        url_choices.tell("tint", str(tint), DIFFERENCE)
        with view_controls.seldom_changed():
            relative = view_controls.relative(
                what="comparison", over="this one", key="two_models_scale"
            )
            unit = view_controls.unit()
            invisibles = view_controls.invisibles()
    return str(tint), relative, unit, invisibles


def _take_span() -> None:
    span = picked(STRIP_KEY)
    comparison = lines.shown_comparison()
    if comparison is not None and span is not None and span < len(comparison):
        state.select(Selection("span", span))
