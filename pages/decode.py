"""Generate or score code and see what the model knew at every token."""

import streamlit as st

from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_ui.branches import bar as branch_bar
from tokenscope_ui.request import controls, first_model, prompt_controls, run_problem
from tokenscope_ui.runs import following, progress, runs
from tokenscope_ui.shell.router import route
from tokenscope_ui.trace import growing_branches as growing
from tokenscope_ui.trace import trace_view

POLL_S = 0.2


def render() -> None:
    controls.initialise()
    state = runs.current()
    place = controls.draw_form(shown=state.busy or runs.shown_trace(state) is not None)
    following.polled(result, follow, lambda: runs.current().busy, POLL_S)()
    controls.reading_preview(place)


def follow() -> JobView | None:
    view = runs.follow()
    runs.publish()
    return view


def result(view: JobView | None) -> None:
    state = runs.current()
    # Fixed places, so that the strip stays where it is when a run ends and is not rebuilt.
    status, notice, body = st.empty(), st.empty(), st.container()
    if view is not None and state.busy:
        with status.container():
            progress.show_progress(view, key="decode", on_stop=runs.stop, help=runs.STOP_HELP)
            if state.ticket is not None:
                growing.show_growing_branches(state.ticket)
    if state.problem is not None:
        with notice.container():
            run_problem.show_problem(state.problem)
    trace = runs.shown_trace(state)
    with body:
        if trace is not None:
            running = state.ticket is not None and trace is not state.trace
            trace_view.show_trace(
                trace, run=runs.run_name(state), running=running, above=branch_bar.show_branch_bar
            )
        elif not state.busy:
            empty()


def empty() -> None:
    with st.container(border=True):
        st.markdown(f"**Nothing decoded yet.** {prompt_controls.invitation()}")
        st.caption(
            "Every token is then tinted by how surprising it was to the model; click one to see "
            "its probability, rank and entropy, and what else the model considered."
        )
    first_model.draw_first_model()


route(render)
