"""Look here: the few places where the rest of a text speaks for another token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from tokenscope_core import Edit, Hindsight, Trace
from tokenscope_core.branches.calibration import calibration_words
from tokenscope_core.branches.hindsight import DEFAULT_HORIZON, DEFAULT_TOP, Wanted, asked
from tokenscope_core.branches.marks import DEFAULT_THRESHOLD, Mark, marks
from tokenscope_core.branches.plans import plan
from tokenscope_core.branches.prefilter import askable
from tokenscope_core.display.formatting import count_text
from tokenscope_core.display.scales import LogUnit
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.analysis_tasks import HindsightOf
from tokenscope_core.record.metric_registry import HINDSIGHT, NATS_PER_BIT
from tokenscope_core.syntax.program import Program
from tokenscope_ui.runs import progress, runs
from tokenscope_ui.trace import sampled_choices, what_if
from tokenscope_ui.trace.measuring import Measuring, show_rounding
from tokenscope_ui.trace.programs import program_of

EVERYWHERE = "look everywhere"
# Measured: giving up early leaves about half of the rest unread.
_SHARE_READ = 0.5

_in_code = Measuring("hindsight", Hindsight, HindsightOf)
_everywhere = Measuring("hindsight everywhere", Hindsight, partial(HindsightOf, everywhere=True))


def known(trace: Trace) -> Hindsight | None:
    """What hindsight found in a trace, as it is asked for on the page, or in code alone."""
    return (_everywhere.known(trace) if _asked_everywhere() else None) or _in_code.known(trace)


def show_look_here(program: Program, selected: int | None, unit: LogUnit) -> None:
    """Draw the button that looks, its progress, or the places found, of a finished trace.

    Args:
        program: the trace.
        selected: the token that is selected: if it is one of the places, only that one is drawn.
        unit: of log quantities.
    """
    trace = program.trace
    if not askable(trace):
        return
    measuring = _measuring()
    found = measuring.known(trace)
    with st.container(key="look here"):
        if found is not None:
            _places(program, found, selected, unit)
        if found is None or measuring.partial(trace):
            measuring.show(trace, _looking)


def _asked_everywhere() -> bool:
    return bool(st.session_state.get(EVERYWHERE))


def _measuring() -> Measuring[Hindsight]:
    return _everywhere if _asked_everywhere() else _in_code


def _looking(view: AnalysisView | None, trace: Trace) -> None:
    measuring = _measuring()
    if view is not None:
        progress.show_progress(
            view, key="hindsight", on_stop=measuring.stop,
            help="What was looked at by then stays.",
            text=progress.steps_text(view, "alternative"),
        )  # fmt: skip
        return
    problem = measuring.problem(trace)
    if measuring.known(trace) is not None:
        st.caption("Stopped: the most surprising tokens were looked at first, the rest was not.")
    if problem is not None:
        st.text(f"{problem.found} {problem.action}")
    with st.container(horizontal=True, vertical_alignment="center"):
        positions = _asked(program_of(trace))
        st.button(
            "Look here", key="look here start", icon=":material/frame_inspect:",
            on_click=measuring.start, args=(trace,), disabled=runs.current().busy or not positions,
            help=f"{HINDSIGHT.meaning} {_cost(trace, positions)}",
        )  # fmt: skip
        _everywhere_toggle()
    if not positions:
        st.caption("No token of the code is more surprising than the model expected.")


def _everywhere_toggle() -> None:
    st.toggle(
        "Everywhere", key=EVERYWHERE, persist_state="session",
        help="At every token, definition names, docstrings and comments among them; without it, at "
        "tokens of the code that are more surprising than the model expected.",
    )  # fmt: skip


def _asked(program: Program) -> int:
    """At how many positions is looked."""
    everywhere = _asked_everywhere()
    positions: Wanted = "all" if everywhere else None
    return program.once(
        ("look here", everywhere), lambda: len(asked(program, positions, prose=everywhere))
    )


def _cost(trace: Trace, positions: int) -> str:
    tokens = positions * DEFAULT_TOP * DEFAULT_HORIZON
    passes = _SHARE_READ * tokens / len(trace)
    return (
        f"At {count_text(positions, 'token')} up to {DEFAULT_TOP} candidates are put in place and "
        f"up to {DEFAULT_HORIZON} tokens after them read again, fewer where that is hopeless: "
        f"about {max(1, round(passes)):,} times what scoring the text takes."
    )


def _places(program: Program, found: Hindsight, selected: int | None, unit: LogUnit) -> None:
    trace = program.trace
    everywhere = _asked_everywhere()
    places = marks(program, found, prose=everywhere)
    at = next((i for i, mark in enumerate(places) if mark.first <= (selected or -1) < mark.after),
              None)  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Look here** {_count(program, found, places, at)}")
        if places:
            following = places[0 if at is None else (at + 1) % len(places)]
            st.button(
                "Next", key="look here next", icon=":material/navigate_next:", shortcut="N",
                help="Select the next of these places.",
                on_click=runs.select, args=(following.position,),
            )  # fmt: skip
    if selected is not None:
        if at is not None:
            _place(trace, places[at], unit)
        return
    for mark in places:
        _place(trace, mark, unit)
    if len(places) > 1:
        st.button(
            "Grow all", key="look here grow all", icon=":material/account_tree:",
            help="A branch for each, with that token in place and the rest written anew.",
            on_click=_grow, args=(trace, places), disabled=runs.current().busy,
        )  # fmt: skip
    st.caption(calibration_words(trace.model, DEFAULT_THRESHOLD))
    st.caption(_what_was_read(found))
    show_rounding(trace)
    if not _measuring().partial(trace):
        _everywhere_toggle()


def _count(program: Program, found: Hindsight, places: Sequence[Mark], at: int | None) -> str:
    if not places:
        return "Nothing stands out."
    if at is not None:
        return f"{at + 1} of {len(places)}"
    more = len(marks(program, found, per_function=None, most=None, prose=_asked_everywhere()))
    return f"{len(places)}" if more == len(places) else f"the clearest {len(places)} of {more}"


def _what_was_read(found: Hindsight) -> str:
    looked = len(found.asked)
    return (
        f"Looked at {count_text(looked, 'token')} of {found.askable:,}"
        + (f"; {100 * found.skipped:.0f} % were passed over" if found.skipped else "")
        + f", {count_text(len(found.position), 'alternative')}, the rest up to "
        f"{count_text(found.horizon, 'token')}"
        + (f"; {len(found.given_up):,} given up early" if len(found.given_up) else "")
        + "."
    )


def _place(trace: Trace, mark: Mark, unit: LogUnit) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            sentence(trace, mark, unit), key=f"look at {mark.position}", type="tertiary",
            help=f"Select it, on line {mark.line:,}.",
            on_click=runs.select, args=(mark.position,), wrap=True, width="stretch",
        )  # fmt: skip
        st.button(
            "Grow", type="tertiary", key=f"grow mark {mark.position}", icon=":material/fork_right:",
            help="Put that token here and have the rest written anew: a branch.",
            on_click=_grow, args=(trace, (mark,)), disabled=runs.current().busy,
        )  # fmt: skip


def sentence(trace: Trace, mark: Mark, unit: LogUnit) -> str:
    """What a mark says, in Markdown."""
    other = sampled_choices.code(trace.vocabulary.token_bytes[mark.alternative_id])
    return (
        f"Line {mark.line:,}: {other} fits better here than "
        f"{sampled_choices.token_code(trace, mark.position)}: the choice "
        f"{_likelier(mark.choice, unit)}, the rest {_likelier(mark.rest, unit)}"
    )


def _likelier(nats: float, unit: LogUnit) -> str:
    value = nats / NATS_PER_BIT if unit == "bits" else nats
    return f"{abs(value):.1f} {unit} {'more' if value >= 0 else 'less'} likely"


def _grow(trace: Trace, places: Sequence[Mark]) -> None:
    what_if.grow(
        trace,
        lambda context: tuple(
            plan(trace, Edit(mark.position, (mark.alternative_id,)), context_length=context)
            for mark in places
        ),
    )
